/**
 * How much room everything takes. Layers are not walked through, their records know their sizes; what boxes have written
 * and volumes are, by a worker in the user namespace where they are closed to the caller.
 */
import { join } from "node:path";
import type { Context } from "../../core/context.ts";
import { DevboxError } from "../../core/errors.ts";
import type { HostFacts } from "../../host/facts.ts";
import { measureTree } from "../../layer/measure.ts";
import type { Digest } from "../../oci/descriptor.ts";
import { boxState, isAlive } from "../../store/box-state.ts";
import { listBlobs, listPartials } from "../../store/collect.ts";
import { readEntries } from "../../store/index-file.ts";
import { layerBytes, listLayers } from "../../store/layers.ts";
import { tryLock } from "../../store/locks.ts";
import { blobLockPath, boxPaths } from "../../store/paths.ts";
import { readShared, type SharedFiles } from "../../store/shared-files.ts";
import type { BoxRecord, Store } from "../../store/types.ts";
import { volumeData } from "../../store/volume-paths.ts";
import { listVolumes, volumeUsers } from "../../store/volumes.ts";
import { boxesOf } from "../garbage/remove.ts";
import { openWorkerPool } from "../workers/open-worker-pool.ts";
import { type ImageParts, type ImageUsage, measureImages, partsOfImage, sumOf } from "./image-usage.ts";

/** All sizes in bytes. */
export interface DiskUsage {
  readonly images: Total & { readonly list: readonly ImageUsage[] };
  readonly boxes: Total & { readonly list: readonly BoxUsage[] };
  readonly volumes: Total & { readonly list: readonly VolumeUsage[] };
  /** Downloads that were begun; those under way are active. */
  readonly downloads: Total;
  /** What layers take less than their sizes say, since they share files. */
  readonly shared: SharedFiles;
}

export interface Total {
  readonly count: number;
  /** In use: by boxes, or running. */
  readonly active: number;
  readonly sizeBytes: number;
  /** What would be free if all that is not in use were removed. */
  readonly reclaimableBytes: number;
}

export interface BoxUsage {
  /** As it is now. */
  readonly record: BoxRecord;
  /** What it has written, on the disk. */
  readonly sizeBytes: number;
}

export interface VolumeUsage {
  readonly name: string;
  /** Boxes that mount it. */
  readonly links: number;
  readonly sizeBytes: number;
}

/** @param readFacts called where a worker is needed. @throws DevboxError STORE_DAMAGED; what starting a worker throws */
export async function diskUsage(
  context: Context,
  store: Store,
  readFacts: () => Promise<HostFacts>,
): Promise<DiskUsage> {
  const records = boxesOf(context, store).map((record) => boxState(store, record));
  const volumes = listVolumes(store, (error) =>
    context.log.warn(error instanceof Error ? error.message : String(error)),
  );
  const sizes = await measureAll(readFacts, [
    ...records.map(({ id }) => join(boxPaths(store, id).directory, "upper")),
    ...volumes.map(({ name }) => volumeData(store.root, name)),
  ]);
  const users = volumeUsers(store);
  const boxes = records.map((record, index) => ({ record, sizeBytes: sizes[index] ?? 0 }));
  const volumeList = volumes.map(({ name }, index) => ({
    name,
    links: users.get(name)?.length ?? 0,
    sizeBytes: sizes[records.length + index] ?? 0,
  }));
  return {
    images: usageOfImages(context, store, records),
    boxes: { ...totalOf(boxes, ({ record }) => isAlive(record)), list: boxes },
    volumes: { ...totalOf(volumeList, ({ links }) => links > 0), list: volumeList },
    downloads: totalOf(
      listPartials(store).map(({ digest, bytes }) => ({ digest, sizeBytes: bytes })),
      ({ digest }) => isUnderWay(store, digest),
    ),
    shared: readShared(store),
  };
}

function totalOf<T extends { readonly sizeBytes: number }>(list: readonly T[], isActive: (each: T) => boolean): Total {
  const idle = list.filter((each) => !isActive(each));
  return {
    count: list.length,
    active: list.length - idle.length,
    sizeBytes: list.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
    reclaimableBytes: idle.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
  };
}

/** Blobs and layers that no image has any more count as well: they are on the disk until a prune. */
function usageOfImages(context: Context, store: Store, boxes: readonly BoxRecord[]): DiskUsage["images"] {
  const parts = new Map<Digest, ImageParts>();
  for (const entry of readEntries(store)) {
    const known = parts.get(entry.descriptor.digest);
    const part = known ?? partsOfImage(context, store, entry);
    if (part !== undefined) {
      const names = [...(known?.names ?? []), ...(entry.name === undefined ? [] : [entry.name])];
      parts.set(entry.descriptor.digest, { ...part, names });
    }
  }
  const images = [...parts.values()];
  const users = (digest: Digest): number => boxes.filter(({ manifestDigest }) => manifestDigest === digest).length;
  const list = measureImages(images, users);
  const sizeBytes =
    listBlobs(store).reduce((sum, { bytes }) => sum + bytes, 0) +
    listLayers(store).layers.reduce((sum, { chainId }) => sum + layerBytes(store, chainId), 0);
  const used = new Map(images.filter(({ digest }) => users(digest) > 0).flatMap(({ sizes }) => [...sizes]));
  // A box keeps its layers when its image was removed by force.
  for (const { chainIds } of boxes) for (const id of chainIds) used.set(`layer ${id}`, layerBytes(store, id));
  return {
    list,
    count: list.length,
    active: list.filter((image) => image.boxes > 0).length,
    sizeBytes,
    reclaimableBytes: Math.max(0, sizeBytes - sumOf(used.values())),
  };
}

/** Whoever downloads holds the lock of the digest. */
function isUnderWay(store: Store, digest: Digest): boolean {
  const lock = tryLock(blobLockPath(store, digest), "exclusive");
  lock?.remove();
  return lock === undefined;
}

/** On the disk, in the order of the paths. */
async function measureAll(readFacts: () => Promise<HostFacts>, paths: readonly string[]): Promise<readonly number[]> {
  const sizes = paths.map((path) => measureTree(path));
  if (!sizes.some(({ isClosed }) => isClosed)) return sizes.map(({ bytes }) => bytes);
  await using pool = openWorkerPool(await readFacts());
  return await Promise.all(
    sizes.map(async ({ bytes, isClosed }, index) => {
      const path = paths[index];
      if (!isClosed || path === undefined) return bytes;
      return await pool.use(async (worker) => {
        worker.send({ kind: "measure", path });
        const reply = await worker.reply();
        if (reply.kind === "measured") return reply.bytes;
        throw new DevboxError("INTERNAL", { step: `measure ${path}`, because: `the worker answered "${reply.kind}"` });
      });
    }),
  );
}
