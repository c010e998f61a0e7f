import { expect, test } from "bun:test";
import { mkdirSync, utimesSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { digestOf } from "../../../src/oci/digest.ts";
import { createBox } from "../../../src/store/boxes.ts";
import { findGarbage, listTrash } from "../../../src/store/collect.ts";
import { editEntries } from "../../../src/store/index-file.ts";
import { beginLayer } from "../../../src/store/layers.ts";
import { readLeases, takeLease } from "../../../src/store/leases.ts";
import { tryLock } from "../../../src/store/locks.ts";
import { openNewBlob } from "../../../src/store/new-blob.ts";
import { partialPath } from "../../../src/store/paths.ts";
import { failureOf } from "../../helpers/failure.ts";
import { putImage, temporaryStore } from "../../helpers/temporary-store.ts";

const now = new Date();

test("what an image refers to is kept, also what it shares with one that is gone", async () => {
  using temporary = temporaryStore();
  const { store, context } = temporary;
  const kept = await putImage(temporary, "kept:1", ["base", "mine"]);
  const gone = await putImage(temporary, "gone:1", ["base", "yours"]);
  expect(findGarbage(store, now)).toMatchObject({ blobs: [], layers: [] });
  await editEntries(context, store, (entries) => entries.filter(({ name }) => name?.includes("kept")));
  const garbage = findGarbage(store, now);
  const hexes = [gone.manifest.digest, gone.config, gone.layerBlobs[1]].map((digest) => digest?.slice(7));
  expect(garbage.blobs.map(({ path }) => basename(path)).sort()).toEqual(hexes.map(String).sort());
  expect(garbage.layers.map(({ chainId }) => chainId)).toEqual([gone.chainIds[1] ?? kept.manifest.digest]);
});

test("what a box or a living pull refers to is kept", async () => {
  using temporary = temporaryStore();
  const { store, context } = temporary;
  const image = await putImage(temporary, "a:1", ["x"]);
  await editEntries(context, store, () => []);
  expect(findGarbage(store, now).layers).toHaveLength(1);
  {
    using _lease = await takeLease(context, store, { blobs: image.layerBlobs, chainIds: image.chainIds });
    const garbage = findGarbage(store, now);
    expect(garbage.layers).toEqual([]);
    expect(garbage.blobs).toHaveLength(2);
  }
  expect(findGarbage(store, now).layers).toHaveLength(1);
  const box = await createBox(context, store, {
    name: undefined,
    image: "a:1",
    manifestDigest: image.manifest.digest,
    chainIds: image.chainIds,
    created: now.toISOString(),
    command: [],
    labels: {},
    ephemeral: true,
  });
  expect(findGarbage(store, now).layers).toEqual([]);
  box.lock[Symbol.dispose]();
});

test("the lease of a process that died is worth nothing", () => {
  using temporary = temporaryStore();
  const { store } = temporary;
  writeFileSync(join(store.locks, "lease-dead"), '{"blobs": ["half');
  expect(readLeases(store)).toEqual({ blobs: [], chainIds: [] });
});

test("partial downloads are garbage unless a living pull wants them; young temporary files are not", async () => {
  using temporary = temporaryStore();
  const { store, context } = temporary;
  const [mine, theirs] = [digestOf("mine"), digestOf("theirs")];
  for (const digest of [mine, theirs]) writeFileSync(partialPath(store, digest), "12345");
  const [young, old] = [join(store.ingest, ".tmp-young"), join(store.ingest, ".tmp-old")];
  for (const path of [young, old]) writeFileSync(path, "");
  utimesSync(old, 0, 0);
  writeFileSync(join(store.ingest, "not-ours"), "");
  using _lease = await takeLease(context, store, { blobs: [theirs], chainIds: [] });
  expect(findGarbage(store, now)).toMatchObject({
    partials: [{ path: partialPath(store, mine), digest: mine, bytes: 5 }],
    temporaries: [old],
  });
});

test("blobs that were being made are found; whoever makes one holds its lock", async () => {
  using temporary = temporaryStore();
  const { store } = temporary;
  using blob = openNewBlob(store);
  blob.append(Buffer.from("half"));
  expect(findGarbage(store, now)).toMatchObject({ unfinished: [{ path: blob.path, bytes: 4 }], temporaries: [] });
  expect(tryLock(blob.path, "exclusive")).toBeUndefined();
});

test("builds and trash are found", () => {
  using temporary = temporaryStore();
  const { store } = temporary;
  const build = beginLayer(store, digestOf("x"));
  mkdirSync(join(store.layers, ".trash-1"));
  mkdirSync(join(store.boxes, ".trash-2"));
  expect(findGarbage(store, now).builds).toEqual([{ path: build.directory, chainId: digestOf("x") }]);
  expect(listTrash(store)).toEqual([join(store.layers, ".trash-1"), join(store.boxes, ".trash-2")]);
});

test("nothing is garbage when it cannot be known what is referred to", async () => {
  using temporary = temporaryStore();
  const { store } = temporary;
  await putImage(temporary, "a:1", ["x"]);
  const broken = join(store.boxes, "a".repeat(64));
  mkdirSync(broken);
  writeFileSync(join(broken, "state.json"), "{}");
  expect(failureOf(() => findGarbage(store, now))).toMatchObject({ code: "STORE_DAMAGED" });
  writeFileSync(join(store.images, "index.json"), "");
  expect(failureOf(() => findGarbage(store, now))).toMatchObject({ code: "STORE_DAMAGED" });
});
