/**
 * The layers of an image into the store: all downloads and applies side by side, the largest first; then, base upwards,
 * what needs the layers below (`Pending` in layer/protocol.ts), and the final name.
 *
 * Locks. The chainIDs that are missing are locked base upwards before anything is fetched. A chainID stands for all
 * layers below it as well, so two images that share one share all below, and everyone locks in the same order: no
 * deadlock, and whoever waits finds the work done. A blob is locked only while it is downloaded.
 */
import { join } from "node:path";
import type { Context, ProgressTask } from "../../core/context.ts";
import { DevboxError } from "../../core/errors.ts";
import type { Descriptor, Digest } from "../../oci/descriptor.ts";
import { shortDigest } from "../../oci/digest.ts";
import { layerFormat } from "../../oci/media-type.ts";
import { beginLayer, finishLayer, hasLayer, type LayerBuild } from "../../store/layers.ts";
import { type Lock, waitForLock } from "../../store/locks.ts";
import { layerLockPath } from "../../store/paths.ts";
import type { Store, StoredImage, StoredLayer } from "../../store/types.ts";
import type { ImageSource } from "../sources/source.ts";
import { type Applied, applyLayer } from "../workers/apply-layer.ts";
import { createSemaphore } from "../workers/semaphore.ts";
import { settleLayer } from "../workers/settle-layer.ts";
import { removeStaleLayers, removeTrees } from "../workers/trash.ts";
import type { WorkerPool } from "../workers/worker-pool.ts";
import { type BlobFetch, fetchBlob } from "./fetch-blob.ts";

/** Connections to a registry at a time: more gain little, and cost those who share it. */
const downloadsAtOnce = 4;

export interface LayerWork {
  readonly context: Context;
  readonly store: Store;
  readonly source: ImageSource;
  readonly pool: WorkerPool;
  /** Ends the work that is under way, when a part of it has failed. */
  readonly cancel: (reason: unknown) => void;
}

interface Layer {
  readonly stored: StoredLayer;
  readonly descriptor: Descriptor;
  /** `layer 3 of 7 (1234…)`. */
  readonly label: string;
  readonly task: ProgressTask;
}

/** A layer that this process builds. */
interface Job extends Layer {
  readonly build: LayerBuild;
  readonly lock: Lock;
  readonly fetch: BlobFetch;
  readonly applied: Promise<Applied>;
}

/**
 * Bring what is missing. When it fails or is cancelled, no half layers are left; what was downloaded stays, to go on with.
 * @throws the first failure
 */
export async function pullLayers(work: LayerWork, image: StoredImage): Promise<void> {
  // From here on it pays to compile (scripts/build).
  Bun.unsafe.setJITPolicy(1);
  using held = new DisposableStack();
  const layers = describeLayers(work.context, image);
  const missing = await lockMissing(work, layers, held);
  const stale = removeStaleLayers(
    work.store,
    work.pool,
    missing.map(({ layer }) => layer.stored.chainId),
  );
  const fetches = startFetches(work, layers, held);
  const present = layers.filter((layer) => !missing.some((each) => each.layer === layer));
  for (const layer of present) if (fetchOf(fetches, layer).isHere) layer.task.done("already there");
  const jobs = missing.map(({ layer, lock }) => startJob(work, layer, lock, fetchOf(fetches, layer)));
  const finished = finishInOrder(work, image, jobs);
  const all = [...fetches.values()].map(({ complete }) => complete);
  try {
    await Promise.all([...all, finished, stale]);
  } catch (error) {
    work.cancel(error);
    await Promise.allSettled([...all, ...jobs.map(({ applied }) => applied), finished, stale]);
    await removeTrees(
      work.pool,
      jobs.map(({ build }) => build.directory),
    );
    throw error;
  }
  for (const layer of present) if (!fetchOf(fetches, layer).isHere) layer.task.done("pulled");
}

function describeLayers(context: Context, image: StoredImage): readonly Layer[] {
  const count = image.layers.length;
  return image.layers.flatMap((stored, index) => {
    const descriptor = image.manifest.layers[index];
    if (descriptor === undefined) return [];
    const name = shortDigest(descriptor.digest);
    return [
      {
        stored,
        descriptor,
        label: `layer ${index + 1} of ${count} (${name})`,
        task: context.progress.task(name, descriptor.size),
      },
    ];
  });
}

/** Lock the chainIDs that are not there, base upwards; those that another devbox has made meanwhile are there then. */
async function lockMissing(
  { context, store }: LayerWork,
  layers: readonly Layer[],
  held: DisposableStack,
): Promise<readonly { layer: Layer; lock: Lock }[]> {
  const missing: { layer: Layer; lock: Lock }[] = [];
  for (const layer of layers) {
    const { chainId } = layer.stored;
    if (hasLayer(store, chainId)) continue;
    const lock = await waitForLock(context, layerLockPath(store, chainId), "exclusive", () =>
      layer.task.phase("waiting for another devbox"),
    );
    held.defer(() => lock.remove());
    if (hasLayer(store, chainId)) lock.remove();
    else missing.push({ layer, lock });
  }
  return missing;
}

/**
 * A fetch for each blob; an image may name the same one several times. The largest first, and the applies follow in the
 * order in which the blobs begin to come: a large layer that starts last would keep one worker busy and the others idle.
 */
function startFetches(work: LayerWork, layers: readonly Layer[], held: DisposableStack): Map<Digest, BlobFetch> {
  const slots = createSemaphore(downloadsAtOnce);
  const fetches = new Map<Digest, BlobFetch>();
  for (const { descriptor, task } of [...layers].sort((a, b) => b.descriptor.size - a.descriptor.size)) {
    if (fetches.has(descriptor.digest)) continue;
    const fetch = held.use(fetchBlob(work.context, work.store, work.source, descriptor, task, slots));
    fetches.set(descriptor.digest, fetch);
  }
  return fetches;
}

/** Begin to apply a missing layer as soon as its blob comes in. */
function startJob({ context, store, pool }: LayerWork, layer: Layer, lock: Lock, fetch: BlobFetch): Job {
  const build = beginLayer(store, layer.stored.chainId);
  const apply = async (): Promise<Applied> => {
    const feed = await fetch.opened;
    const { compression } = layerFormat(layer.descriptor.mediaType);
    const request = { label: layer.label, feed, compression, diffId: layer.stored.diffId, target: build.tree };
    return await applyLayer(context, pool, request);
  };
  const applied = apply();
  fetch.complete.then(() => showApplying(layer)).catch(() => {});
  // `finishInOrder` comes to it later; until then a failure must not end the process.
  applied.catch(() => {});
  return { ...layer, lock, fetch, build, applied };
}

/** The blob is all there, whoever has brought it. */
function showApplying({ task, descriptor }: Layer): void {
  task.update(descriptor.size);
  task.phase("applying");
}

function fetchOf(fetches: ReadonlyMap<Digest, BlobFetch>, { descriptor, label }: Layer): BlobFetch {
  const fetch = fetches.get(descriptor.digest);
  if (fetch !== undefined) return fetch;
  throw new DevboxError("INTERNAL", { step: `apply ${label}`, because: "its blob is not being fetched" });
}

/** Base upwards: when a layer gets its name, all below have theirs. */
async function finishInOrder(work: LayerWork, image: StoredImage, jobs: readonly Job[]): Promise<void> {
  for (const job of jobs) {
    const applied = await job.applied;
    await job.fetch.complete;
    const below = image.layers.slice(0, image.layers.indexOf(job.stored)).reverse();
    await settleLayer(work.pool, {
      label: job.label,
      target: job.build.tree,
      lowers: below.map(({ path }) => join(work.store.root, path)),
      pending: applied.pending,
    });
    const { chainId, diffId } = job.stored;
    const { bytes, entries, notes } = applied;
    finishLayer(work.store, job.build, { chainId, diffId, bytes, entries, created: work.context.now().toISOString() });
    job.lock.remove();
    for (const note of notes) work.context.log.debug(`${job.label}: ${note}`);
    job.task.done(job.fetch.isHere ? "applied" : "pulled");
  }
}
