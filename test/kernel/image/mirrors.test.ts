/** Pulls through mirrors that registries.conf names: real pulls, from registries that do what they are told. */
import { afterEach, beforeEach, expect, test } from "bun:test";
import { randomBytes } from "node:crypto";
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Context } from "../../../src/core/context.ts";
import { readEntries } from "../../../src/store/index-file.ts";
import { type FaultyRegistry, startFaultyRegistry } from "../../helpers/faulty-registry.ts";
import { pullHere, temporaryPullStore } from "../../helpers/pulling.ts";
import { tar } from "../../helpers/tar-builder.ts";
import type { TemporaryStore } from "../../helpers/temporary-store.ts";

const name = "registry.example.com/team/app";
const layerBytes = 2_000_000;
const base = tar([
  { path: "bin/", mode: 0o755 },
  { path: "random", content: randomBytes(layerBytes) },
]);
const upper = tar([{ path: "more", content: randomBytes(300_000) }]);
const layer = (bytes: Uint8Array) => ({ tar: bytes, compression: "gzip" }) as const;
const image = { layers: [layer(base), layer(upper)] };

let directory: string;
let [first, second, primary] = [] as FaultyRegistry[];

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), "mirrors-"));
  [first, second, primary] = await Promise.all([1, 2, 3].map(() => startFaultyRegistry()));
});
afterEach(async () => {
  for (const registry of [first, second, primary]) await registry?.close();
  rmSync(directory, { recursive: true });
});

function all() {
  if (first === undefined || second === undefined || primary === undefined) throw new Error("not started");
  return { first, second, primary };
}

/** registries.conf with two mirrors, as a context that reads it. */
function withMirrors({ context }: TemporaryStore, more = ""): Context {
  const { first, second, primary } = all();
  const path = join(directory, "registries.conf");
  writeFileSync(
    path,
    `[[registry]]
     prefix = "registry.example.com"
     location = "${primary.host}"
     ${more}
     [[registry.mirror]]
     location = "${first.host}/cache"
     [[registry.mirror]]
     location = "${second.host}/cache"
    `,
  );
  return {
    ...context,
    env: { ...context.env, CONTAINERS_REGISTRIES_CONF: path, HOME: directory, XDG_CONFIG_HOME: "" },
  };
}

function addEverywhere() {
  const { first, second, primary } = all();
  for (const mirror of [first, second]) mirror.addImage("cache/team/app", "latest", image);
  return primary.addImage("team/app", "latest", image);
}

const blobsFrom = (registry: FaultyRegistry) =>
  registry.requests.filter(({ method, path }) => method === "GET" && path.includes("/blobs/"));

test("the first mirror gives all, and the image has its own name", async () => {
  await using temporary = temporaryPullStore();
  const { first, second, primary } = all();
  addEverywhere();
  await pullHere(withMirrors(temporary), temporary.store, name);
  expect(readEntries(temporary.store).map((entry) => entry.name)).toEqual([`${name}:latest`]);
  expect(blobsFrom(first).length).toBe(3);
  expect([...second.requests, ...primary.requests]).toEqual([]);
});

test("a mirror that nobody answers at is told of once, and the next one gives all", async () => {
  await using temporary = temporaryPullStore();
  const { first, second, primary } = all();
  addEverywhere();
  const context = withMirrors(temporary);
  await first.close();
  await pullHere(context, temporary.store, name);
  expect(temporary.warnings).toEqual(["a mirror is passed over"]);
  expect(blobsFrom(second).length).toBe(3);
  expect(primary.requests).toEqual([]);
});

test.each([404, 401, 403, 500])("a mirror that answers %p is passed over in silence", async (status) => {
  await using temporary = temporaryPullStore();
  const { first, second } = all();
  addEverywhere();
  first.fault(/./, { kind: "status", status, headers: status === 401 ? { "www-authenticate": "Basic" } : {} });
  await pullHere(withMirrors(temporary), temporary.store, name);
  expect(temporary.warnings).toEqual([]);
  expect(blobsFrom(first)).toEqual([]);
  expect(blobsFrom(second).length).toBe(3);
});

test("a blob that only one place has comes from there", async () => {
  await using temporary = temporaryPullStore();
  const { first, second, primary } = all();
  const { manifest } = addEverywhere();
  const digest = manifest.layers[0]?.digest ?? "";
  for (const mirror of [first, second]) mirror.fault(new RegExp(digest), { kind: "status", status: 404 });
  await pullHere(withMirrors(temporary), temporary.store, name);
  expect(blobsFrom(primary).map(({ path }) => path)).toEqual([`/v2/team/app/blobs/${digest}`]);
});

test("a download that breaks off goes on at the next mirror, from where it was", async () => {
  await using temporary = temporaryPullStore();
  const { first, second } = all();
  const { manifest } = addEverywhere();
  const request = new RegExp(`GET .*${manifest.layers[0]?.digest}`);
  first.fault(request, { kind: "cut", afterBytes: 900_000 }, 1);
  first.fault(request, { kind: "reset" });
  await pullHere(withMirrors(temporary), temporary.store, name);
  const [rest, ...others] = blobsFrom(second).filter(({ path }) => path.endsWith(manifest.layers[0]?.digest ?? ""));
  const start = Number(/^bytes=(\d+)-$/.exec(rest?.headers["range"] ?? "")?.[1]);
  expect(others).toEqual([]);
  // The kernel may keep back the last packets of a connection that is reset.
  expect(start).toBeGreaterThan(100_000);
  expect(start).toBeLessThanOrEqual(900_000);
});

test("the next mirror has no ranges: what is there is not taken twice", async () => {
  await using temporary = temporaryPullStore();
  const { first, second, primary } = all();
  const { manifest } = addEverywhere();
  const request = new RegExp(`GET .*${manifest.layers[0]?.digest}`);
  first.fault(request, { kind: "cut", afterBytes: 900_000 }, 1);
  first.fault(request, { kind: "reset" });
  second.fault(request, { kind: "ignore-range" });
  await pullHere(withMirrors(temporary), temporary.store, name);
  expect(primary.requests).toEqual([]);
});

test("wrong bytes of a mirror never get in: the pull goes on without it", async () => {
  await using temporary = temporaryPullStore();
  const { first, second, primary } = all();
  // Not the config, which is verified before it is used: only who stores a layer finds out.
  for (const { digest } of addEverywhere().manifest.layers) {
    for (const mirror of [first, second]) mirror.fault(new RegExp(`GET .*${digest}`), { kind: "corrupt" });
  }
  const { isNew } = await pullHere(withMirrors(temporary), temporary.store, name);
  expect(isNew).toBe(true);
  expect(blobsFrom(primary).length).toBeGreaterThan(0);
  expect(readdirSync(temporary.store.ingest)).toEqual([]);
});

test("wrong bytes everywhere: refused, and nothing is left", async () => {
  await using temporary = temporaryPullStore();
  addEverywhere();
  for (const registry of Object.values(all())) registry.fault(/GET .*blobs/, { kind: "corrupt" });
  const pulled = pullHere(withMirrors(temporary), temporary.store, name);
  await expect(pulled).rejects.toMatchObject({ code: "DIGEST_MISMATCH" });
  expect(readEntries(temporary.store)).toEqual([]);
});

test("with a digest, a mirror cannot give another image for it", async () => {
  await using temporary = temporaryPullStore();
  const { first, second, primary } = all();
  const wanted = addEverywhere().descriptor.digest;
  for (const mirror of [first, second]) {
    const other = mirror.addImage("cache/team/app", "other", { layers: [layer(upper)] });
    mirror.fault(/manifests/, {
      kind: "status",
      status: 200,
      headers: { "content-type": other.manifest.mediaType, "docker-content-digest": wanted },
      body: JSON.stringify(other.manifest),
    });
  }
  const { image } = await pullHere(withMirrors(temporary), temporary.store, `${name}@${wanted}`);
  expect(image.manifestDescriptor.digest).toBe(wanted);
  expect(primary.requests.some(({ path }) => path.includes(`manifests/${wanted}`))).toBe(true);
});

test("mirrors for digests only are not asked for a tag", async () => {
  await using temporary = temporaryPullStore();
  const { first, second, primary } = all();
  addEverywhere();
  await pullHere(withMirrors(temporary, "mirror-by-digest-only = true"), temporary.store, name);
  expect([...first.requests, ...second.requests]).toEqual([]);
  expect(blobsFrom(primary).length).toBe(3);
});

test("nobody has it: the primary's failure, and what each mirror said", async () => {
  await using temporary = temporaryPullStore();
  const { first, second } = all();
  const pulled = pullHere(withMirrors(temporary), temporary.store, name);
  await expect(pulled).rejects.toMatchObject({
    code: "REGISTRY_NOT_FOUND",
    because: expect.stringMatching(new RegExp(`its mirrors neither: ${first.host}/cache/team/app: .*; ${second.host}`)),
  });
});

test("a blocked name is not asked for anywhere", async () => {
  await using temporary = temporaryPullStore();
  addEverywhere();
  const pulled = pullHere(withMirrors(temporary, "blocked = true"), temporary.store, name);
  await expect(pulled).rejects.toMatchObject({ code: "REGISTRY_REFUSED", because: expect.stringContaining("blocks") });
  expect(Object.values(all()).flatMap(({ requests }) => requests)).toEqual([]);
});
