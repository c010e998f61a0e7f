/** devbox push to docker-registry and to registries that fail, and pull --all-platforms, which brings what push --all sends. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { $ } from "bun";
import { type Home, openHome } from "../helpers/devbox.ts";
import { startFaultyRegistry } from "../helpers/faulty-registry.ts";
import { imageName, layouts } from "../helpers/given.ts";
import { openPodmanStore } from "../helpers/podman-store.ts";
import { type RunningRegistry, startRegistry } from "../helpers/registry.ts";
import { startSpecRegistry } from "../helpers/spec-registry.ts";

let home: Home;
let registry: RunningRegistry;
const account = { user: "someone", password: "secret word" };
beforeAll(async () => {
  home = openHome();
  registry = await startRegistry({ directory: join(home.directory, "registry"), account });
  const auth = Buffer.from(`${account.user}:${account.password}`).toString("base64");
  await Bun.write(
    join(home.directory, ".docker/config.json"),
    JSON.stringify({ auths: { [registry.address]: { auth } } }),
  );
  await home.ok(["pull", "-q", imageName("busybox"), imageName("forty-layers")]);
});
afterAll(async () => {
  await registry[Symbol.asyncDispose]();
  await home[Symbol.asyncDispose]();
});

const digestOf = async (place: string): Promise<string> => {
  const raw = await $`skopeo inspect --tls-verify=false --raw ${place}`.env(home.env).quiet().arrayBuffer();
  return `sha256:${new Bun.CryptoHasher("sha256").update(raw).digest("hex")}`;
};
const layoutDigest = (name: string): Promise<string> => digestOf(`oci:${join(layouts(), name)}:latest`);

test("under another name, with an account: the same digest, which skopeo and podman find there", async () => {
  const wanted = await layoutDigest("forty-layers");
  const target = `${registry.address}/some/where:1`;
  const printed = await home.ok(["push", imageName("forty-layers"), target]);
  expect(printed).toMatch(new RegExp(`^1: digest: ${wanted} size: \\d+\n$`));
  expect(await digestOf(`docker://${target}`)).toBe(wanted);
  const store = openPodmanStore(home);
  await home.ok(["push", "-q", imageName("busybox"), `${registry.address}/busybox:1`]);
  await store.podman("pull", "-q", "--tls-verify=false", `${registry.address}/busybox:1`);
  expect(await store.podman("image", "inspect", "--format", "{{.Digest}}", `${registry.address}/busybox:1`)).toBe(
    `${await layoutDigest("busybox")}\n`,
  );
});

test("what is there is not sent again; what another repository has is mounted", async () => {
  await using spec = await startSpecRegistry();
  const [first, second] = [`${spec.host}/first:1`, `${spec.host}/second:1`];
  await home.ok(["push", "-q", imageName("busybox"), first]);
  await home.ok(["pull", "-q", first]);
  const before = spec.requests.length;
  await home.ok(["push", first]);
  expect(spec.requests.slice(before).filter((request) => /^(?:POST|PATCH)|^PUT .*blobs/.test(request))).toEqual([]);
  const mounting = await home.run(["push", first, second]);
  expect(mounting.stderr).toContain("mounted");
  expect(mounting.stderr).not.toContain("copied");
  expect(spec.repository("second").tags.get("1")).toBe(spec.repository("first").tags.get("1") ?? "");
});

test("by its id only with a destination; a name with a digest only for the image that has it", async () => {
  const id = (await home.ok(["images", "-q", "--no-trunc", imageName("busybox")])).trim().split("\n")[0] ?? "";
  const wanted = await layoutDigest("busybox");
  await home.ok(["push", "-q", id, `${registry.address}/by-id@${wanted}`]);
  expect(await digestOf(`docker://${registry.address}/by-id@${wanted}`)).toBe(wanted);
  const other = await home.run(["push", imageName("forty-layers"), `${registry.address}/by-id@${wanted}`]);
  expect(other.exitCode).toBe(125);
  expect(other.stderr).toContain("not what the name says");
});

test("all platforms: refused before they are here, then pushed by their bytes, kept by prune, run without a registry", async () => {
  const image = imageName("platforms");
  await home.ok(["pull", "-q", image]);
  const early = await home.run(["push", "--all", image, `oci:${join(home.directory, "early")}`]);
  expect(early.exitCode).toBe(1);
  expect(early.stderr).toContain(`hint: pull all of it: devbox pull --all-platforms ${image}`);
  expect(readdirSync(home.directory)).not.toContain("early");
  await home.ok(["pull", "-q", "--all-platforms", image]);
  expect((await home.run(["pull", "--all-platforms", image])).stderr).toContain("up to date");
  await home.ok(["prune"]);
  const wanted = await layoutDigest("platforms");
  const target = `${registry.address}/platforms:all`;
  expect(await home.ok(["push", "--all", image, target])).toContain(wanted);
  expect(await digestOf(`docker://${target}`)).toBe(wanted);
  const elsewhere = ["run", "--network=none", "--pull=never", "--platform", "linux/s390x", image];
  // Its tree is this machine's busybox under another platform's name: it runs.
  expect(await home.ok([...elsewhere, "echo", "in"])).toBe("in\n");
  await home.ok(["push", "-q", "--platform", "s390x", image, `oci:${join(home.directory, "s390x")}:x`]);
  expect(await digestOf(`oci:${join(home.directory, "s390x")}:x`)).toBe(await layoutDigest("elsewhere"));
});

test("one that the registry does not take leaves no tag there", async () => {
  await using faulty = await startFaultyRegistry();
  const target = `${faulty.host}/half:1`;
  faulty.fault(/(?:PUT|PATCH) .*blobs\/uploads/, { kind: "status", status: 403 });
  const { exitCode, stderr } = await home.run(["push", imageName("forty-layers"), target]);
  expect(exitCode).toBe(125);
  expect(stderr).toContain(faulty.host);
  expect(faulty.requests.filter(({ method, path }) => method === "PUT" && path.includes("/manifests/"))).toEqual([]);
  expect(faulty.findManifest("half", "1")).toBeUndefined();
});

test("one that is ended in the middle leaves no tag there, and goes on with what has arrived", async () => {
  await using spec = await startSpecRegistry();
  const manifest = JSON.parse(await $`skopeo inspect --raw oci:${join(layouts(), "forty-layers")}:latest`.text());
  const running = home.start(["push", "-q", imageName("forty-layers"), `${spec.host}/half:1`], { stdin: "" });
  while (spec.repository("half").blobs.size < 5) await Bun.sleep(1);
  running.kill("SIGTERM");
  await running.result;
  const { blobs, tags } = spec.repository("half");
  expect(tags.size).toBe(0);
  const arrived = blobs.size;
  expect(arrived).toBeLessThanOrEqual(manifest.layers.length);
  const { stderr } = await home.run(["push", imageName("forty-layers"), `${spec.host}/half:1`]);
  expect(stderr.match(/: there$/gm)?.length).toBeGreaterThanOrEqual(arrived);
  expect(tags.get("1")).toBe(await layoutDigest("forty-layers"));
});

test("a blob that is damaged here does not get there", async () => {
  await using other = openHome();
  await other.ok(["pull", "-q", imageName("busybox")]);
  const [blob] = JSON.parse(await $`skopeo inspect --raw oci:${join(layouts(), "busybox")}:latest`.text()).layers;
  const path = join(other.store, "store/images/blobs/sha256", blob.digest.slice(7));
  const bytes = readFileSync(path);
  rmSync(path);
  await Bun.write(path, Buffer.concat([bytes.subarray(0, -1), Buffer.of((bytes.at(-1) ?? 0) ^ 1)]));
  await using spec = await startSpecRegistry();
  const { exitCode, stderr } = await other.run(["push", imageName("busybox"), `${spec.host}/damaged:1`]);
  expect(exitCode).toBe(125);
  expect(stderr).toContain(blob.digest.slice(7, 19));
  expect(spec.repository("damaged").tags.size).toBe(0);
  expect(spec.repository("damaged").blobs.has(blob.digest)).toBe(false);
});
