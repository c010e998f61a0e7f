/** Pull into a real store, with workers in a real user namespace, from a registry that does what it is told. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { randomBytes } from "node:crypto";
import { existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Digest } from "../../../src/oci/descriptor.ts";
import { digestOf } from "../../../src/oci/digest.ts";
import { parseReference } from "../../../src/oci/reference.ts";
import { readImage } from "../../../src/store/images.ts";
import { readEntries } from "../../../src/store/index-file.ts";
import { listLayers } from "../../../src/store/layers.ts";
import { blobPath, layerDirectory, partialPath } from "../../../src/store/paths.ts";
import type { StoredImage } from "../../../src/store/types.ts";
import { type FaultyRegistry, startFaultyRegistry } from "../../helpers/faulty-registry.ts";
import { pullHere, temporaryPullStore } from "../../helpers/pulling.ts";

import { tar } from "../../helpers/tar-builder.ts";
import type { TemporaryStore } from "../../helpers/temporary-store.ts";

let registry: FaultyRegistry;
beforeAll(async () => {
  registry = await startFaultyRegistry();
});
afterAll(() => registry[Symbol.asyncDispose]());

const base = tar([
  { path: "bin/", mode: 0o755, mtime: 1_000_000_000 },
  { path: "bin/tool", content: "tool", mode: 0o755 },
  { path: "home/of/me", content: "mine", uid: 1000, gid: 1000 },
  { path: "random", content: randomBytes(300_000) },
]);
/** Says nothing about bin/, and links to what is below: settled when the base is there. */
const top = tar([
  { path: "bin/other", content: "other" },
  { path: "bin/same", type: "1", link: "bin/tool" },
]);

const twoLayers = {
  layers: [
    { tar: base, compression: "gzip" },
    { tar: top, compression: "zstd" },
  ],
} as const;

const blobRequests = (repository: string) =>
  registry.requests.filter(({ method, path }) => method === "GET" && path.startsWith(`/v2/${repository}/blobs/`));
const treeOf = ({ store }: TemporaryStore, image: StoredImage, layer: number) =>
  join(store.root, image.layers[layer]?.path ?? "missing");
const leftovers = ({ store }: TemporaryStore) => ({
  builds: listLayers(store).builds.length,
  ingest: readdirSync(store.ingest),
  locks: readdirSync(store.locks).filter((name) => !["references", "index", "trash"].includes(name)),
});
const nothing = { builds: 0, ingest: [], locks: [] };

test("brings an image, base and what is settled on it, and then has nothing to do", async () => {
  await using temporary = temporaryPullStore();
  const { context, store } = temporary;
  registry.addImage("two", "latest", twoLayers);
  const { image, isNew } = await pullHere(context, store, `${registry.host}/two`);
  expect(isNew).toBe(true);
  expect(readFileSync(join(treeOf(temporary, image, 0), "bin/tool"), "utf8")).toBe("tool");
  expect(readFileSync(join(treeOf(temporary, image, 1), "bin/same"), "utf8")).toBe("tool");
  expect(statSync(join(treeOf(temporary, image, 1), "bin")).mtimeMs).toBe(1_000_000_000_000);
  expect(readImage(store, parseReference(`${registry.host}/two`))).toEqual(image);
  expect(leftovers(temporary)).toEqual(nothing);
  const before = registry.requests.length;
  expect((await pullHere(context, store, `${registry.host}/two`)).isNew).toBe(false);
  const asked = registry.requests.slice(before).map(({ method, path }) => `${method} ${path}`);
  expect(asked).toEqual(["HEAD /v2/two/manifests/latest"]);
});

test("the store stays an image layout that skopeo reads", async () => {
  await using temporary = temporaryPullStore();
  registry.addImage("layout", "latest", twoLayers);
  const { image } = await pullHere(temporary.context, temporary.store, `${registry.host}/layout`);
  const layout = `oci:${temporary.store.images}:${registry.host}/layout:latest`;
  const child = Bun.spawnSync(["skopeo", "inspect", "--raw", layout]);
  expect(digestOf(child.stdout)).toBe(image.manifestDescriptor.digest);
});

test("fetches only what is not there: layers that another image brought, blobs that were lost", async () => {
  await using temporary = temporaryPullStore();
  const { context, store } = temporary;
  registry.addImage("first", "latest", twoLayers);
  const more = { tar: tar([{ path: "more", content: "more" }]), compression: "gzip" } as const;
  const { manifest } = registry.addImage("second", "latest", { layers: [...twoLayers.layers, more] });
  await pullHere(context, store, `${registry.host}/first`);
  await pullHere(context, store, `${registry.host}/second`);
  const fetched = () => blobRequests("second").map(({ path }) => path.slice(path.lastIndexOf("/") + 1));
  expect(fetched()).toEqual([manifest.config.digest, manifest.layers[2]?.digest ?? "missing"]);
  const [lost] = manifest.layers;
  if (lost === undefined) throw new Error("no layers");
  rmSync(blobPath(store, lost.digest));
  writeFileSync(blobPath(store, manifest.config.digest), "damaged");
  expect((await pullHere(context, store, `${registry.host}/second`)).isNew).toBe(true);
  expect(fetched().slice(2)).toEqual([manifest.config.digest, lost.digest]);
});

test("the same blob twice in an image is fetched once and applied twice", async () => {
  await using temporary = temporaryPullStore();
  const [first] = twoLayers.layers;
  registry.addImage("twice", "latest", { layers: [first, first] });
  const { image } = await pullHere(temporary.context, temporary.store, `${registry.host}/twice`);
  expect(blobRequests("twice")).toHaveLength(2);
  for (const layer of [0, 1]) expect(existsSync(join(treeOf(temporary, image, layer), "random"))).toBe(true);
});

test("a name that moves takes its image along, and the old one stays without a name", async () => {
  await using temporary = temporaryPullStore();
  const { context, store } = temporary;
  const name = `${registry.host}/moving`;
  const old = registry.addImage("moving", "latest", twoLayers);
  await pullHere(context, store, name);
  const fresh = registry.addImage("moving", "latest", { layers: twoLayers.layers.slice(0, 1) });
  const { image, isNew } = await pullHere(context, store, name);
  expect([isNew, image.manifestDescriptor.digest]).toEqual([true, fresh.descriptor.digest]);
  expect(readEntries(store).map((entry) => [entry.name, entry.descriptor.digest])).toEqual([
    [undefined, old.descriptor.digest],
    [`${name}:latest`, fresh.descriptor.digest],
  ]);
});

test("progress says what a layer waits for, at every moment", async () => {
  await using temporary = temporaryPullStore();
  const { context, store } = temporary;
  const said: string[] = [];
  const task = (_: string, total: number | undefined) => ({
    update: () => {},
    phase: (name: string) => said.push(`${total} ${name}`),
    done: (result: string) => said.push(`${total} ${result}`),
  });
  const shown = { ...context, progress: { task } };
  const { manifest } = registry.addImage("shown", "latest", twoLayers);
  registry.addImage("shown", "base", { layers: twoLayers.layers.slice(0, 1) });
  await pullHere(shown, store, `${registry.host}/shown:base`);
  const [bottom, above] = manifest.layers.map(({ size }) => size);
  expect(said.splice(0)).toEqual(["downloading", "storing", "applying", "pulled"].map((each) => `${bottom} ${each}`));
  await pullHere(shown, store, `${registry.host}/shown`);
  expect(said.splice(0)).toEqual([
    `${bottom} already there`,
    ...["downloading", "storing", "applying", "pulled"].map((each) => `${above} ${each}`),
  ]);
  rmSync(join(treeOf(temporary, (await pullHere(shown, store, `${registry.host}/shown`)).image, 1), ".."), {
    recursive: true,
  });
  await pullHere(shown, store, `${registry.host}/shown`);
  expect(said).toEqual([`${bottom} already there`, `${above} applying`, `${above} applied`]);
});

test("a digest is asked for once", async () => {
  await using temporary = temporaryPullStore();
  const { descriptor } = registry.addImage("pinned", "latest", twoLayers);
  const name = `${registry.host}/pinned@${descriptor.digest}`;
  await pullHere(temporary.context, temporary.store, name);
  const before = registry.requests.length;
  expect((await pullHere(temporary.context, temporary.store, name)).isNew).toBe(false);
  expect(registry.requests.length).toBe(before);
});

test("wrong content is refused, leaves nothing, and harms no later pull", async () => {
  await using temporary = temporaryPullStore();
  const { context, store } = temporary;
  const { manifest } = registry.addImage("corrupt", "latest", twoLayers);
  const [layer] = manifest.layers;
  registry.fault(new RegExp(`GET .*corrupt/blobs/${layer?.digest}`), { kind: "corrupt" }, 1);
  await expect(pullHere(context, store, `${registry.host}/corrupt`)).rejects.toMatchObject({ code: "DIGEST_MISMATCH" });
  expect(readEntries(store)).toEqual([]);
  expect(listLayers(store)).toEqual({ layers: [], builds: [], trash: [] });
  expect(existsSync(partialPath(store, layer?.digest ?? digestOf("")))).toBe(false);
  expect((await pullHere(context, store, `${registry.host}/corrupt`)).isNew).toBe(true);
});

test("a layer whose archive is right but whose blob is another than announced gets no name", async () => {
  await using temporary = temporaryPullStore();
  const { manifest } = registry.addImage("renamed", "latest", { layers: twoLayers.layers.slice(0, 1) });
  const [layer] = manifest.layers;
  if (layer === undefined) throw new Error("no layers");
  const announced = digestOf("another");
  registry.addManifest("renamed", "latest", { ...manifest, layers: [{ ...layer, digest: announced }] });
  const there = `${registry.origin}/v2/renamed/blobs/${layer.digest}`;
  registry.fault(new RegExp(`GET .*renamed/blobs/${announced}`), { kind: "redirect", to: there });
  await expect(pullHere(temporary.context, temporary.store, `${registry.host}/renamed`)).rejects.toMatchObject({
    code: "DIGEST_MISMATCH",
  });
  expect(listLayers(temporary.store)).toEqual({ layers: [], builds: [], trash: [] });
});

/** An image whose config says something else than its layer is. */
function addLying(repository: string, layer: Uint8Array, diffId: Digest): void {
  const config = registry.addBlob(
    new TextEncoder().encode(
      JSON.stringify({
        os: "linux",
        architecture: process.arch === "arm64" ? "arm64" : "amd64",
        rootfs: { type: "layers", diff_ids: [diffId] },
      }),
    ),
    "application/vnd.oci.image.config.v1+json",
  );
  const blob = registry.addBlob(layer, "application/vnd.oci.image.layer.v1.tar");
  registry.addManifest(repository, "latest", { schemaVersion: 2, config, layers: [blob] });
}

test("a layer that is not what the config says is refused", async () => {
  await using temporary = temporaryPullStore();
  addLying("lying", base, digestOf("something else"));
  await expect(pullHere(temporary.context, temporary.store, `${registry.host}/lying`)).rejects.toMatchObject({
    code: "DIGEST_MISMATCH",
  });
  expect(listLayers(temporary.store)).toEqual({ layers: [], builds: [], trash: [] });
});

test("a hostile layer is refused, named, and leaves no layer and no name", async () => {
  await using temporary = temporaryPullStore();
  const hostile = tar([
    { path: "a", type: "2", link: "/" },
    { path: "../../escape", content: "x" },
  ]);
  addLying("hostile", hostile, digestOf(hostile));
  const failure = await pullHere(temporary.context, temporary.store, `${registry.host}/hostile`).catch(
    (error) => error,
  );
  expect(failure).toMatchObject({ code: "LAYER_ESCAPE" });
  expect(failure.message).toMatch(/layer 1 of 1.*escape/);
  expect(listLayers(temporary.store)).toEqual({ layers: [], builds: [], trash: [] });
  expect(readEntries(temporary.store)).toEqual([]);
});

test("a broken download is gone on with by the next pull, by Range", async () => {
  await using temporary = temporaryPullStore();
  const { context, store } = temporary;
  const { manifest } = registry.addImage("resumed", "latest", twoLayers);
  const [layer] = manifest.layers;
  if (layer === undefined) throw new Error("no layers");
  registry.fault(new RegExp(`GET .*resumed/blobs/${layer.digest}`), { kind: "stall", afterBytes: 100_000 }, 1);
  const controller = new AbortController();
  const cancellable = {
    ...context,
    signal: controller.signal,
    progress: {
      task: (_: string, total: number | undefined) => ({
        update: (bytes: number) => {
          if (total === layer.size && bytes >= 50_000) controller.abort();
        },
        phase: () => {},
        done: () => {},
      }),
    },
  };
  await expect(pullHere(cancellable, store, `${registry.host}/resumed`)).rejects.toMatchObject({ code: "INTERRUPTED" });
  expect(listLayers(store).builds).toEqual([]);
  const there = statSync(partialPath(store, layer.digest)).size;
  expect(there).toBeGreaterThanOrEqual(50_000);
  await pullHere(context, store, `${registry.host}/resumed`);
  const last = blobRequests("resumed").findLast(({ path }) => path.endsWith(layer.digest));
  expect(last?.headers["range"]).toBe(`bytes=${there}-`);
  expect(leftovers(temporary)).toEqual(nothing);
  expect(readdirSync(join(layerDirectory(store, digestOf(base)), "fs"))).toContain("random");
});
