/** Which layers of a store are looked through for files that others have, and which are left alone. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { existsSync, lstatSync, readdirSync, readlinkSync, unlinkSync } from "node:fs";
import { join } from "node:path";
import { readHostFacts } from "../../../src/host/read-facts.ts";
import { collectGarbage } from "../../../src/image/garbage/collect-garbage.ts";
import { shareFiles } from "../../../src/image/garbage/share-files.ts";
import { createBox, finishBox } from "../../../src/store/boxes.ts";
import { hasLayer, listLayers } from "../../../src/store/layers.ts";
import { tryLock } from "../../../src/store/locks.ts";
import { layerDirectory, layerLockPath } from "../../../src/store/paths.ts";
import { isLookedThrough, readShared } from "../../../src/store/shared-files.ts";
import type { StoredImage } from "../../../src/store/types.ts";
import { type FaultyRegistry, startFaultyRegistry } from "../../helpers/faulty-registry.ts";
import { pullHere, temporaryPullStore } from "../../helpers/pulling.ts";
import { tar } from "../../helpers/tar-builder.ts";
import type { TemporaryStore } from "../../helpers/temporary-store.ts";

let registry: FaultyRegistry;
beforeAll(async () => {
  registry = await startFaultyRegistry();
  const large = Buffer.alloc(1024 * 1024, "large");
  for (const name of ["first", "second"]) {
    const layer = tar([
      { path: "large", content: large, mode: 0o600, uid: 1000 },
      { path: "name", content: name },
    ]);
    registry.addImage(name, "latest", { layers: [{ tar: layer, compression: "gzip" }] });
  }
});
afterAll(() => registry[Symbol.asyncDispose]());

const facts = readHostFacts(process.env);

/** Two images that have a large file in common; `second` came last. */
async function twoImages(temporary: TemporaryStore): Promise<readonly [first: StoredImage, second: StoredImage]> {
  const { context, store } = temporary;
  const first = await pullHere(context, store, `${registry.host}/first`);
  await shareFiles(context, store, facts);
  const second = await pullHere(context, store, `${registry.host}/second`);
  return [first.image, second.image];
}

function chainIdOf({ layers }: StoredImage) {
  const [layer] = layers;
  if (layer === undefined) throw new Error("it has a layer");
  return layer.chainId;
}

test("a layer that came alone, and one that finds its like", async () => {
  await using temporary = temporaryPullStore();
  const { context, store } = temporary;
  const images = await twoImages(temporary);
  expect(images.map((image) => isLookedThrough(store, chainIdOf(image)))).toEqual([true, false]);
  expect(readShared(store)).toEqual({ files: 0, savedBytes: 0 });
  await shareFiles(context, store, facts);
  const { files, savedBytes } = readShared(store);
  expect(files).toBe(1);
  expect(savedBytes).toBeGreaterThanOrEqual(1024 * 1024);
  const [one, other] = images.map((image) => lstatSync(join(layerDirectory(store, chainIdOf(image)), "fs/large")));
  expect(one?.ino).toBe(other?.ino);
  // A lease and locks are for the time of the work.
  expect(readdirSync(store.locks).filter((name) => /^(lease|layer)-/.test(name))).toEqual([]);
});

test("what is shared with a layer that may not be on disk is not taken for being on disk itself", async () => {
  await using temporary = temporaryPullStore();
  const { context, store } = temporary;
  const [, second] = await twoImages(temporary);
  const mark = join(layerDirectory(store, chainIdOf(second)), "unsynced");
  const boot = readlinkSync(mark);
  unlinkSync(mark);
  await shareFiles(context, store, facts);
  expect(readlinkSync(mark)).toBe(boot);
});

test("left alone: while another devbox shares, or has the layer", async () => {
  await using temporary = temporaryPullStore();
  const { context, store } = temporary;
  const chainId = chainIdOf((await twoImages(temporary))[1]);
  for (const path of [join(store.locks, "sharing"), layerLockPath(store, chainId)]) {
    using _held = tryLock(path, "exclusive");
    await shareFiles(context, store, facts);
    expect(isLookedThrough(store, chainId)).toBe(false);
  }
  await shareFiles(context, store, facts);
  expect(isLookedThrough(store, chainId)).toBe(true);
});

test("left alone: while a box lives on the layer", async () => {
  await using temporary = temporaryPullStore();
  const { context, store } = temporary;
  const [, second] = await twoImages(temporary);
  const chainIds = [chainIdOf(second)];
  const about = { image: "second", chainIds, created: "2024-01-01T00:00:00Z", command: [], labels: {} };
  const box = await createBox(context, store, { ...about, name: "living", ephemeral: false });
  await shareFiles(context, store, facts);
  expect(isLookedThrough(store, chainIdOf(second))).toBe(false);
  finishBox(box, { ...about, version: 1, id: box.paths.id, name: "living", ephemeral: false, status: "exited" });
  await shareFiles(context, store, facts);
  expect(readShared(store).files).toBe(1);
});

test("when it is cancelled, nothing is left over, and nothing is recorded", async () => {
  await using temporary = temporaryPullStore();
  const { context, store } = temporary;
  const chainId = chainIdOf((await twoImages(temporary))[1]);
  const cancelled = new AbortController();
  const sharing = shareFiles({ ...context, signal: cancelled.signal }, store, facts);
  while (!existsSync(layerLockPath(store, chainId))) await new Promise(setImmediate);
  cancelled.abort();
  await sharing;
  expect(isLookedThrough(store, chainId)).toBe(false);
  expect(readdirSync(store.locks).filter((name) => /^(lease|layer)-/.test(name))).toEqual([]);
  await shareFiles(context, store, facts);
  expect(readShared(store).files).toBe(1);
});

test("a layer stays whole when the one that it shares with is removed", async () => {
  await using temporary = temporaryPullStore();
  const { context, store } = temporary;
  const [first, second] = await twoImages(temporary);
  await shareFiles(context, store, facts);
  const { removeImage } = await import("../../../src/image/garbage/remove.ts");
  await removeImage(context, store, facts, `${registry.host}/first`, { force: false });
  await collectGarbage(context, store, facts, { remains: true });
  expect(hasLayer(store, chainIdOf(first))).toBe(false);
  expect(lstatSync(join(layerDirectory(store, chainIdOf(second)), "fs/large")).size).toBe(1024 * 1024);
  expect(listLayers(store).layers).toHaveLength(1);
  expect(readShared(store)).toEqual({ files: 0, savedBytes: 0 });
  expect(existsSync(layerDirectory(store, chainIdOf(first)))).toBe(false);
});
