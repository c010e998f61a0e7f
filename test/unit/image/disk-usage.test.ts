import { expect, test } from "bun:test";
import { mkdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { diskUsage } from "../../../src/image/shown/disk-usage.ts";
import { createBox, leaveBox } from "../../../src/store/boxes.ts";
import { listBlobs } from "../../../src/store/collect.ts";
import { tryLock } from "../../../src/store/locks.ts";
import { blobLockPath, partialPath } from "../../../src/store/paths.ts";
import { volumeData } from "../../../src/store/volume-paths.ts";
import { makeVolume } from "../../../src/store/volumes.ts";
import { putImage, temporaryStore } from "../../helpers/temporary-store.ts";

/** Nothing in these stores is closed to us. */
const noFacts = () => Promise.reject(new Error("no worker is needed"));

test("nothing at all", async () => {
  using temporary = temporaryStore();
  const nothing = { count: 0, active: 0, sizeBytes: 0, reclaimableBytes: 0 };
  expect(await diskUsage(temporary.context, temporary.store, noFacts)).toEqual({
    images: { ...nothing, list: [] },
    boxes: { ...nothing, list: [] },
    volumes: { ...nothing, list: [] },
    downloads: nothing,
    shared: { files: 0, savedBytes: 0 },
  });
});

test("images and boxes, volumes and downloads, in use or not", async () => {
  using temporary = temporaryStore();
  const { store, context } = temporary;
  const used = await putImage(temporary, "used:1", ["base", "mine"]);
  await putImage(temporary, "idle:1", ["base", "other"]);
  await putImage(temporary, "also-idle:1", ["base", "other"]);
  const box = await createBox(context, store, {
    name: "user",
    image: "used:1",
    manifestDigest: used.manifest.digest,
    chainIds: used.chainIds,
    created: "2024-01-01T00:00:00Z",
    command: ["sh"],
    labels: {},
    ephemeral: false,
    volumes: ["data"],
  });
  const upper = join(box.paths.directory, "upper");
  mkdirSync(upper);
  writeFileSync(join(upper, "file"), "x".repeat(10_000));
  leaveBox(box);
  for (const name of ["data", "idle"]) makeVolume(store, { name, labels: {} }, new Date());
  writeFileSync(join(volumeData(store.root, "data"), "file"), "x".repeat(100_000));
  const [waiting, coming] = [`sha256:${"1".repeat(64)}`, `sha256:${"2".repeat(64)}`] as const;
  writeFileSync(partialPath(store, waiting), "123");
  writeFileSync(partialPath(store, coming), "12345");
  using _lock = tryLock(blobLockPath(store, coming), "exclusive");

  const { images, boxes, volumes, downloads } = await diskUsage(context, store, noFacts);
  const blobBytes = listBlobs(store).reduce((sum, { bytes }) => sum + bytes, 0);
  // Three layers of 100 bytes each; "other" and the documents of its image are what nobody uses.
  expect(images).toMatchObject({ count: 2, active: 1, sizeBytes: blobBytes + 300 });
  const [mine, idle] = images.list;
  expect(idle).toMatchObject({ boxes: 0, sharedBytes: 100 + "base".length });
  expect(idle?.names.toSorted()).toEqual(["docker.io/library/also-idle:1", "docker.io/library/idle:1"]);
  expect(mine).toMatchObject({ boxes: 1, names: ["docker.io/library/used:1"] });
  expect(images.reclaimableBytes).toBe(idle?.uniqueBytes ?? 0);
  const boxBytes = 512 * ((statSync(join(upper, "file")).blocks ?? 0) + statSync(upper).blocks);
  expect(boxes).toMatchObject({ count: 1, active: 0, sizeBytes: boxBytes, reclaimableBytes: boxBytes });
  expect(volumes.list.map(({ name, links }) => [name, links])).toEqual([
    ["data", 1],
    ["idle", 0],
  ]);
  expect(volumes).toMatchObject({ count: 2, active: 1 });
  expect(volumes.sizeBytes - volumes.reclaimableBytes).toBe(volumes.list[0]?.sizeBytes ?? 0);
  expect(volumes.list[0]?.sizeBytes).toBeGreaterThanOrEqual(100_000);
  expect(downloads).toEqual({ count: 2, active: 1, sizeBytes: 8, reclaimableBytes: 3 });
});
