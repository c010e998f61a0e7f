/** devbox pull: the tree that it makes is the one that umoci makes of the same image. */
import { afterAll, expect, test } from "bun:test";
import { readdirSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { $ } from "bun";
import { inUserNamespace, openHome } from "../helpers/devbox.ts";
import { startFaultyRegistry } from "../helpers/faulty-registry.ts";
import { imageName, layouts } from "../helpers/given.ts";
import { differences, type Listing, listTree } from "../helpers/listing.ts";
import { tar } from "../helpers/tar-builder.ts";

const home = openHome();
afterAll(() => home[Symbol.asyncDispose]());

/** Where a mount may be made: the user namespace of the default map, or for root a mount namespace. */
const inMountNamespace =
  process.getuid?.() === 0
    ? ["unshare", "--mount", "--"]
    : ["unshare", "--user", "--map-root-user", "--map-auto", "--mount", "--"];

/** What umoci unpacks, as root of the default map. Layers in zstd are beyond it. */
async function reference(name: string): Promise<Listing> {
  const bundle = join(home.directory, `umoci-${name}`);
  const image = `${join(layouts(), name)}:latest`;
  await $`${[...inUserNamespace(), "umoci", "unpack", "--image", image, bundle]}`.quiet();
  const listing = await listTree(join(bundle, "rootfs"), inUserNamespace());
  await $`${[...inUserNamespace(), "/bin/rm", "-rf", bundle]}`.quiet();
  return listing;
}

/** The layers in the store, joined by an overlay of our own. */
async function pulled(name: string): Promise<Listing> {
  const layers = join(home.store, "store/layers");
  const lowers = chainIds(join(layouts(), name))
    .map((hex) => `${hex}/fs`)
    .reverse();
  // An overlay of one layer only is refused: an empty one on top.
  const mount = `mkdir -p "$1" "$1.empty" && cd '${layers}' && mount -t overlay -o ro,userxattr,lowerdir="$1.empty:${lowers.join(":")}" none "$1"`;
  return listTree(join(home.directory, `merged-${name}`), inMountNamespace, mount);
}

/** image-spec config.md "Layer ChainID", as hex, base first. */
function chainIds(layout: string): readonly string[] {
  const blob = (digest: string) => JSON.parse(readFileSync(join(layout, "blobs/sha256", digest.slice(7)), "utf8"));
  const index = JSON.parse(readFileSync(join(layout, "index.json"), "utf8"));
  const { diff_ids } = blob(blob(index.manifests[0].digest).config.digest).rootfs as { diff_ids: readonly string[] };
  const chain: string[] = [];
  for (const diffId of diff_ids) {
    const below = chain.at(-1);
    const joined = `sha256:${below} ${diffId}`;
    chain.push(below === undefined ? diffId.slice(7) : new Bun.CryptoHasher("sha256").update(joined).digest("hex"));
  }
  return chain;
}

/** The large ones say nothing more when root pulls them. */
const names =
  process.getuid?.() === 0 ? ["busybox", "forty-layers"] : ["busybox", "forty-layers", "debian", "many-files"];

for (const name of names) {
  test(`${name}, gzip and zstd: every path, type, mode, owner, time, xattr and content`, async () => {
    const theirs = comparable(await reference(name));
    expect(theirs.size).toBeGreaterThan(100);
    for (const variant of [name, `${name}-zstd`]) {
      await home.ok(["pull", "-q", imageName(variant)]);
      expect(differences(theirs, comparable(await pulled(variant)))).toEqual([]);
      await home.ok(["rmi", imageName(variant)]);
      await home.ok(["prune"]);
    }
  }, 300_000);
}

/**
 * Without what is each program's own: the time of a directory that no layer has an entry for is the time at which it was
 * made, and the device that an empty file stands for is noted in an xattr of ours.
 */
function comparable(listing: Listing): Listing {
  return new Map(
    [...listing].map(([path, line]) => [
      path,
      line.startsWith("d ") ? line.replace(/mtime=\S+/, "") : line.replace(/user\.devbox\.device=0x[0-9a-f]+$/, ""),
    ]),
  );
}

test("directories keep the times that their layers give them", async () => {
  await home.ok(["pull", "-q", imageName("forty-layers")]);
  const listing = await pulled("forty-layers");
  expect(listing.get("./modes/sticky")).toContain("mtime=1700000000.0000000000");
  expect(listing.get("./implied/parent")).toContain("mode=1711 owner=3:4 mtime=1700000000.0000000000");
});

test("what is there already is not fetched again", async () => {
  const image = imageName("forty-layers");
  await home.ok(["pull", "-q", image]);
  // Inode and change time of every blob and every layer.
  const state = () =>
    $`stat -c ${"%n %i %Z"} ${home.store}/store/images/blobs/sha256/* ${home.store}/store/layers/*`.text();
  const before = await state();
  await home.ok(["pull", "-q", image]);
  expect(await state()).toBe(before);
});

test("pull prints the digest on stdout and progress on stderr", async () => {
  const { stdout, stderr, exitCode } = await home.run(["pull", imageName("busybox")]);
  expect(exitCode).toBe(0);
  expect(stdout).toMatch(/^\S*sha256:[0-9a-f]{64}\n$/);
  expect(stderr).not.toBe("");
});

test("--verbose says which devices became empty files", async () => {
  await using registry = await startFaultyRegistry();
  const devices = tar([{ path: "dev/null", type: "3", device: [1, 3] }]);
  registry.addImage("devices", "latest", { layers: [{ tar: devices, compression: "gzip" }] });
  const image = `${registry.host}/devices`;
  const { stderr } = await home.run(["pull", "-v", image]);
  expect(stderr).toContain("dev/null: an empty file stands for the device c ");
  await home.ok(["rmi", image]);
  await home.ok(["prune"]);
  expect((await home.run(["pull", image])).stderr).not.toContain("dev/null");
});

test("layers that were not on disk when the machine went down are applied again, without the registry", async () => {
  const registry = await startFaultyRegistry();
  registry.addImage("lost", "latest", {
    layers: [{ tar: tar([{ path: "file", content: "there" }]), compression: "gzip" }],
  });
  const image = `${registry.host}/lost`;
  await home.ok(["pull", image]);
  await registry[Symbol.asyncDispose]();
  const layers = join(home.store, "store/layers");
  for (const hex of readdirSync(layers)) {
    rmSync(join(layers, hex, "unsynced"), { force: true });
    symlinkSync("00000000-1111-2222-3333-444444444444", join(layers, hex, "unsynced"));
  }
  const { stderr } = await home.run(["run", "--network=none", image, "nothing"]);
  expect(stderr).toContain(`applying the layers of ${image}:latest again`);
  expect(await $`cat ${home.store}/store/layers/*/fs/file`.text()).toBe("there");
  expect((await home.run(["run", "--network=none", image, "nothing"])).stderr).not.toContain("again");
});

test("an image is run by its id", async () => {
  await home.ok(["pull", "-q", imageName("busybox")]);
  const images: readonly { name: string; id: string }[] = JSON.parse(await home.ok(["images", "--json"]));
  const id = images.find(({ name }) => name === imageName("busybox"))?.id ?? "";
  for (const text of [id, id.slice("sha256:".length, "sha256:".length + 12)]) {
    expect(await home.ok(["run", "--network=none", text, "echo", "by id"])).toBe("by id\n");
  }
});

test("pull by digest, and a digest that is not there", async () => {
  const digest = (await home.ok(["pull", "-q", imageName("busybox")])).match(/sha256:[0-9a-f]{64}/)?.[0] ?? "";
  const byDigest = imageName("busybox").replace(/:latest$/, `@${digest}`);
  expect(await home.ok(["run", "--network=none", byDigest, "echo", "by digest"])).toBe("by digest\n");
  const wrong = byDigest.replace(/[0-9a-f]{8}$/, "00000000");
  expect((await home.run(["pull", wrong])).exitCode).toBe(125);
});

test("of an index the platform of this machine is taken", async () => {
  expect(await home.ok(["run", "--network=none", imageName("platforms"), "echo", "mine"])).toBe("mine\n");
});

test("an image for other platforms only is an error that names them", async () => {
  const { exitCode, stderr } = await home.run(["pull", "--platform", "linux/riscv64", imageName("platforms")]);
  expect(exitCode).toBe(125);
  expect(stderr).toContain("linux/s390x");
});

test("the store is an OCI image layout that others can read", async () => {
  await home.ok(["pull", "-q", imageName("configured")]);
  const index = JSON.parse(readFileSync(join(home.store, "store/images/index.json"), "utf8"));
  expect(index.manifests.length).toBeGreaterThan(0);
  const names = index.manifests.map(
    (each: { annotations?: Record<string, string> }) => each.annotations?.["org.opencontainers.image.ref.name"],
  );
  const name = names.find((each: string | undefined) => each?.includes("configured"));
  const inspected = await $`skopeo inspect --config ${`oci:${home.store}/store/images:${name}`}`.json();
  expect(inspected.config.User).toBe("dev");
});

test("--json prints events that can be read", async () => {
  await home.ok(["rmi", imageName("busybox")]);
  await home.ok(["prune"]);
  const stdout = await home.ok(["pull", "--json", imageName("busybox")]);
  const events = stdout
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
  expect(events.length).toBeGreaterThan(0);
});
