/** Layers that a power loss may have taken, applied again from their blobs: the registry is gone by then. */
import { expect, test } from "bun:test";
import {
  existsSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { readHostFacts } from "../../../src/host/read-facts.ts";
import { type EnsureOptions, ensureImage } from "../../../src/image/pull/ensure.ts";
import { listLayers } from "../../../src/store/layers.ts";
import { blobPath, layerDirectory } from "../../../src/store/paths.ts";
import type { StoredImage } from "../../../src/store/types.ts";
import { startFaultyRegistry } from "../../helpers/faulty-registry.ts";
import { pullHere, temporaryPullStore } from "../../helpers/pulling.ts";
import { failureOf } from "../../helpers/registry-client.ts";
import { tar } from "../../helpers/tar-builder.ts";
import type { TemporaryStore } from "../../helpers/temporary-store.ts";

const base = tar([
  { path: "bin/tool", content: "tool", mode: 0o755 },
  { path: "home/of/me", content: "mine", uid: 1000, gid: 1000 },
]);
const top = tar([
  { path: "bin/other", content: "other" },
  { path: "bin/same", type: "1", link: "bin/tool" },
  { path: "home/.wh.of" },
]);

const missing: EnsureOptions = { policy: "missing", platform: undefined, tlsVerify: true };

/** An image in a store, as it was when the registry still ran. */
async function pulledImage(temporary: TemporaryStore): Promise<{ image: StoredImage; name: string }> {
  await using registry = await startFaultyRegistry();
  registry.addImage("image", "latest", {
    layers: [
      { tar: base, compression: "gzip" },
      { tar: top, compression: "zstd" },
    ],
  });
  const name = `${registry.host}/image`;
  const { image } = await pullHere(temporary.context, temporary.store, name);
  return { image, name };
}

/** The machine went down, and what had been written last was not on disk: files are there, but empty. */
function losePower({ store }: TemporaryStore, { layers }: StoredImage): void {
  for (const { chainId } of layers) {
    const mark = join(layerDirectory(store, chainId), "unsynced");
    rmSync(mark);
    symlinkSync("00000000-1111-2222-3333-444444444444", mark);
  }
  truncateSync(join(layerDirectory(store, layers[0]?.chainId ?? "sha256:"), "fs/bin/tool"));
}

const ensure = ({ context, store }: TemporaryStore, name: string, options = missing) =>
  ensureImage({ context, store, facts: readHostFacts(process.env) }, name, options);

const treeOf = ({ store }: TemporaryStore, image: StoredImage, layer: number) =>
  join(store.root, image.layers[layer]?.path ?? "missing");

test("lost layers are applied again, without a registry", async () => {
  await using temporary = temporaryPullStore();
  const { image, name } = await pulledImage(temporary);
  losePower(temporary, image);
  expect(await ensure(temporary, name)).toEqual(image);
  expect(readFileSync(join(treeOf(temporary, image, 0), "bin/tool"), "utf8")).toBe("tool");
  expect(readFileSync(join(treeOf(temporary, image, 1), "bin/same"), "utf8")).toBe("tool");
  expect(existsSync(join(treeOf(temporary, image, 1), "bin/other"))).toBe(true);
  const { layers, builds, trash } = listLayers(temporary.store);
  expect([layers.length, builds, trash]).toEqual([2, [], []]);
  const boot = readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
  for (const { path } of layers) expect(readlinkSync(join(path, "unsynced"))).toBe(boot);
});

test("a base that is safe stays, and what is lost is settled on it", async () => {
  await using temporary = temporaryPullStore();
  const { image, name } = await pulledImage(temporary);
  losePower(temporary, { ...image, layers: image.layers.slice(0, 1) });
  writeFileSync(join(treeOf(temporary, image, 1), "untouched"), "");
  await ensure(temporary, name, { ...missing, policy: "never" });
  expect(readFileSync(join(treeOf(temporary, image, 0), "bin/tool"), "utf8")).toBe("tool");
  expect(readdirSync(treeOf(temporary, image, 1))).toContain("untouched");
});

test("a tree that somebody removed comes back too", async () => {
  await using temporary = temporaryPullStore();
  const { image, name } = await pulledImage(temporary);
  rmSync(treeOf(temporary, image, 1), { recursive: true });
  expect(await ensure(temporary, name)).toEqual(image);
  expect(readFileSync(join(treeOf(temporary, image, 1), "bin/other"), "utf8")).toBe("other");
});

test("without its blobs the image is not here", async () => {
  await using temporary = temporaryPullStore();
  const { image, name } = await pulledImage(temporary);
  losePower(temporary, image);
  rmSync(blobPath(temporary.store, image.manifest.layers[0]?.digest ?? "sha256:"));
  const { code } = await failureOf(ensure(temporary, name, { ...missing, policy: "never" }));
  expect(code).toBe("IMAGE_NOT_FOUND");
});

test("a pull repairs lost layers as well, and fetches none of their blobs", async () => {
  await using temporary = temporaryPullStore();
  await using registry = await startFaultyRegistry();
  registry.addImage("image", "latest", { layers: [{ tar: base, compression: "gzip" }] });
  const name = `${registry.host}/image`;
  const { image } = await pullHere(temporary.context, temporary.store, name);
  losePower(temporary, image);
  const before = registry.requests.length;
  await pullHere(temporary.context, temporary.store, name);
  expect(readFileSync(join(treeOf(temporary, image, 0), "bin/tool"), "utf8")).toBe("tool");
  const blob = `/v2/image/blobs/${image.manifest.layers[0]?.digest}`;
  expect(registry.requests.slice(before).map(({ path }) => path)).not.toContain(blob);
});

test("an image is found by its id, and nothing is pulled for it", async () => {
  await using temporary = temporaryPullStore();
  const { image } = await pulledImage(temporary);
  const id = image.manifest.config.digest;
  const hex = id.slice("sha256:".length);
  for (const text of [hex.slice(0, 12), hex, id, image.manifestDescriptor.digest]) {
    expect((await ensure(temporary, text)).manifestDescriptor).toEqual(image.manifestDescriptor);
  }
  await ensure(temporary, id, { ...missing, policy: "always" });
  const { code } = await failureOf(ensure(temporary, hex.slice(0, 11), { ...missing, policy: "never" }));
  expect(code).toBe("IMAGE_NOT_FOUND");
});
