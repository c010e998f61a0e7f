/** rmi and prune: what goes, what stays, and files of ids that are not ours. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { readHostFacts } from "../../../src/host/read-facts.ts";
import { prune } from "../../../src/image/garbage/prune.ts";
import { removeImage } from "../../../src/image/garbage/remove.ts";
import { emptyTrash } from "../../../src/image/workers/trash.ts";
import { createBox } from "../../../src/store/boxes.ts";
import { readEntries } from "../../../src/store/index-file.ts";
import { listLayers, moveToTrash } from "../../../src/store/layers.ts";
import { tryLock } from "../../../src/store/locks.ts";
import { blobPath, layerDirectory, partialPath } from "../../../src/store/paths.ts";
import type { StoredImage } from "../../../src/store/types.ts";
import { type FaultyRegistry, startFaultyRegistry } from "../../helpers/faulty-registry.ts";
import { pullHere, temporaryPullStore } from "../../helpers/pulling.ts";
import { tar } from "../../helpers/tar-builder.ts";
import type { TemporaryStore } from "../../helpers/temporary-store.ts";

let registry: FaultyRegistry;
const facts = readHostFacts(process.env);

/** A directory that its owner has closed, and he is not us: only the user namespace can remove it. */
const layer = (name: string) => ({
  tar: tar([
    { path: `${name}/`, mode: 0o500, uid: 1000, gid: 1000 },
    { path: `${name}/deep/`, mode: 0o500, uid: 1001, gid: 1001 },
    { path: `${name}/deep/file`, content: name, mode: 0, uid: 1002, gid: 1002 },
  ]),
  compression: "gzip" as const,
});

beforeAll(async () => {
  registry = await startFaultyRegistry();
  registry.addImage("one", "latest", { layers: [layer("base"), layer("one")] });
  registry.addImage("two", "latest", { layers: [layer("base"), layer("two")] });
  registry.addImage("also-one", "latest", { layers: [layer("base"), layer("one")] });
});
afterAll(() => registry[Symbol.asyncDispose]());

const pullOf = async ({ context, store }: TemporaryStore, name: string): Promise<StoredImage> =>
  (await pullHere(context, store, `${registry.host}/${name}`)).image;
const remove = ({ context, store }: TemporaryStore, name: string, force = false) =>
  removeImage(context, store, facts, name, { force });
const nameOf = (name: string) => `${registry.host}/${name}:latest`;
const blobCount = ({ store }: TemporaryStore) => readdirSync(join(store.images, "blobs/sha256")).length;
const layerNames = ({ store }: TemporaryStore) => readdirSync(store.layers).sort();

function boxOf({ context, store }: TemporaryStore, image: StoredImage) {
  return createBox(context, store, {
    name: "user",
    image: "an image",
    manifestDigest: image.manifestDescriptor.digest,
    chainIds: image.layers.map(({ chainId }) => chainId),
    created: "2024-01-01T00:00:00Z",
    command: [],
    labels: {},
    ephemeral: false,
  });
}

test("an image goes with what is its own, files of other ids too; what it shares stays", async () => {
  await using temporary = temporaryPullStore();
  const one = await pullOf(temporary, "one");
  const two = await pullOf(temporary, "two");
  expect(await remove(temporary, nameOf("one"))).toEqual({
    untagged: [nameOf("one")],
    deleted: one.manifestDescriptor.digest,
  });
  expect(layerNames(temporary)).toEqual(two.layers.map(({ chainId }) => chainId.slice(7)).sort());
  expect(blobCount(temporary)).toBe(4);
  expect((await pullHere(temporary.context, temporary.store, `${registry.host}/two`)).isNew).toBe(false);
});

test("a name that is not the last takes nothing along; an id with several names needs --force", async () => {
  await using temporary = temporaryPullStore();
  const one = await pullOf(temporary, "one");
  await pullOf(temporary, "also-one");
  const id = one.manifest.config.digest.slice(7, 19);
  await expect(remove(temporary, id)).rejects.toMatchObject({
    code: "IMAGE_IN_USE",
    because: `it has several names: ${nameOf("one")}, ${nameOf("also-one")}`,
  });
  expect(await remove(temporary, nameOf("one"))).toEqual({ untagged: [nameOf("one")], deleted: undefined });
  expect(layerNames(temporary)).toHaveLength(2);
  expect((await remove(temporary, id)).deleted).toBe(one.manifestDescriptor.digest);
  expect(layerNames(temporary)).toEqual([]);
  expect(blobCount(temporary)).toBe(0);
});

test("an image that a box uses stays; by force it loses its name, and the box keeps its blobs and layers", async () => {
  await using temporary = temporaryPullStore();
  const { context, store } = temporary;
  const one = await pullOf(temporary, "one");
  const box = await boxOf(temporary, one);
  await expect(remove(temporary, nameOf("one"))).rejects.toMatchObject({
    code: "IMAGE_IN_USE",
    because: "it is used by user (created)",
  });
  expect((await prune(context, store, facts, { all: true })).images).toEqual([]);
  const blobs = blobCount(temporary);
  await remove(temporary, nameOf("one"), true);
  expect(readEntries(store)).toEqual([]);
  expect(layerNames(temporary)).toHaveLength(2);
  expect(blobCount(temporary)).toBe(blobs);
  box.lock[Symbol.dispose]();
});

test("prune takes the nameless; with all, everything that no box uses; downloads that were given up in either case", async () => {
  await using temporary = temporaryPullStore();
  const { context, store } = temporary;
  const one = await pullOf(temporary, "one");
  registry.addImage("moving", "latest", { layers: [layer("old")] });
  const old = await pullOf(temporary, "moving");
  registry.addImage("moving", "latest", { layers: [layer("new")] });
  await pullOf(temporary, "moving");
  const [lost] = old.manifest.layers;
  if (lost === undefined) throw new Error("no layers");
  writeFileSync(partialPath(store, lost.digest), "half");
  const pruned = await prune(context, store, facts, { all: false });
  expect(pruned.images).toEqual([old.manifestDescriptor.digest]);
  expect(pruned.freedBytes).toBeGreaterThan(lost.size);
  expect(readdirSync(store.ingest)).toEqual([]);
  expect(layerNames(temporary)).toHaveLength(3);
  const all = await prune(context, store, facts, { all: true });
  expect([...all.images].sort()).toEqual([nameOf("moving"), nameOf("one")]);
  expect(listLayers(store)).toEqual({ layers: [], builds: [], trash: [] });
  expect(blobCount(temporary)).toBe(0);
  expect(one.layers).toHaveLength(2);
});

test("a removal that was interrupted is finished by the next prune", async () => {
  await using temporary = temporaryPullStore();
  const { context, store } = temporary;
  const one = await pullOf(temporary, "one");
  const [base] = one.layers;
  if (base === undefined) throw new Error("no layers");
  moveToTrash(layerDirectory(store, base.chainId), store.layers);
  mkdirSync(join(store.boxes, ".trash-1/upper"), { recursive: true });
  {
    using _other = tryLock(join(store.locks, "trash"), "exclusive");
    await emptyTrash(store, facts);
    expect(listLayers(store).trash).toHaveLength(1);
  }
  await prune(context, store, facts, { all: false });
  expect(listLayers(store).trash).toEqual([]);
  expect(readdirSync(store.boxes).filter((name) => name.startsWith(".trash"))).toEqual([]);
  // And what was taken from the image is brought again, without asking for the other layer.
  const before = registry.requests.length;
  await pullOf(temporary, "one");
  const asked = registry.requests.slice(before).filter(({ path }) => path.includes("/blobs/"));
  expect(asked).toHaveLength(1);
  expect(readdirSync(blobPath(store, base.diffId).replace(/[^/]*$/, ""))).toHaveLength(4);
});
