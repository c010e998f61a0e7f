/**
 * Lazy disk use: layers that have not been looked through yet share files with the other layers of the store (layer/share.ts).
 * It is done when images have been brought, never before a box that waits: what a `run` brings is left to the next pull or prune.
 *
 * Layers that a living box has mounted are left alone, too: overlayfs does not promise what is seen when a lower directory
 * changes (Documentation/filesystems/overlayfs.rst, "Changes to underlying filesystems"). A box that starts meanwhile sees
 * the same files before and after each is replaced.
 */
import { join } from "node:path";
import type { Context } from "../../core/context.ts";
import { DevboxError } from "../../core/errors.ts";
import type { HostFacts } from "../../host/facts.ts";
import type { SharedWith, WorkerRequest } from "../../layer/protocol.ts";
import type { Digest } from "../../oci/descriptor.ts";
import { shortDigest } from "../../oci/digest.ts";
import { isWatched } from "../../store/box-state.ts";
import { listBoxes } from "../../store/boxes.ts";
import { hasLayer, type LayerRecord, listLayers, readLayerRecord } from "../../store/layers.ts";
import { takeLease } from "../../store/leases.ts";
import { tryLock } from "../../store/locks.ts";
import { boxPaths, layerDirectory, layerLockPath } from "../../store/paths.ts";
import { isLookedThrough, type SharedPart, treeIdentity, writeShared } from "../../store/shared-files.ts";
import type { Store } from "../../store/types.ts";
import { markChanged } from "../../store/unsynced.ts";
import { openWorkerPool } from "../workers/open-worker-pool.ts";
import type { WorkerPool } from "../workers/worker-pool.ts";

/** Bytes of a layer's archive: there is little to gain in smaller ones, and images have many of them. */
const smallestLayer = 1024 * 1024;
/** A layer is compared with so many others: their names must fit into a message. */
const mostOthers = 200;

/**
 * Look all layers through that have not been. Another devbox that is at it already is not waited for. What goes wrong is
 * logged: the images are whole, and the next time it is tried again.
 */
export async function shareFiles(context: Context, store: Store, facts: HostFacts): Promise<void> {
  try {
    using lock = tryLock(join(store.locks, "sharing"), "exclusive");
    if (lock !== undefined) await shareLayers(context, store, facts);
  } catch (error) {
    context.log.debug(`files are not shared: ${error instanceof Error ? error.message : String(error)}`);
  }
}

async function shareLayers(context: Context, store: Store, facts: HostFacts): Promise<void> {
  if (listLayers(store).layers.every(({ chainId }) => isLookedThrough(store, chainId))) return;
  const layers = listLarge(store);
  const pending = layers.filter(({ chainId }) => !isLookedThrough(store, chainId));
  if (pending.length === 0) return;
  // A prune beside leaves what is being compared.
  using _lease = await takeLease(context, store, { blobs: [], chainIds: layers.map(({ chainId }) => chainId) });
  await using pool = openWorkerPool(facts);
  for (const layer of pending) {
    context.signal.throwIfAborted();
    await shareLayer(context, store, pool, layer, layers);
  }
}

/** Whole layers that are worth it, the newest first: images that are brought together are often alike. */
function listLarge(store: Store): readonly LayerRecord[] {
  return listLayers(store)
    .layers.filter(({ chainId }) => hasLayer(store, chainId))
    .flatMap(({ chainId }) => readIfWhole(store, chainId))
    .filter(({ bytes }) => bytes >= smallestLayer)
    .sort((a, b) => b.created.localeCompare(a.created));
}

/** Of a layer whose record is damaged others speak. */
function readIfWhole(store: Store, chainId: Digest): LayerRecord[] {
  try {
    return [readLayerRecord(store, chainId)];
  } catch (error) {
    if (error instanceof DevboxError) return [];
    throw error;
  }
}

async function shareLayer(
  context: Context,
  store: Store,
  pool: WorkerPool,
  { chainId }: LayerRecord,
  layers: readonly LayerRecord[],
): Promise<void> {
  // Whoever has it repairs the layer or makes it anew.
  using lock = tryLock(layerLockPath(store, chainId), "exclusive");
  if (lock === undefined) return;
  try {
    if (!hasLayer(store, chainId) || isInUse(store, chainId)) return;
    const others = layers.filter((other) => other.chainId !== chainId && hasLayer(store, other.chainId));
    const trees = new Map(
      others.slice(0, mostOthers).map((other) => [layerDirectory(store, other.chainId), other.chainId]),
    );
    if (trees.size === 0) return writeShared(store, chainId, []);
    const layer = layerDirectory(store, chainId);
    // A file of a layer that is not known to be on disk may become a part of one that is.
    markChanged(layer);
    const label = `layer ${shortDigest(chainId)}`;
    const shared = await shareInWorker(context, pool, { label, layer, others: [...trees.keys()] });
    const parts = shared.flatMap(({ layer: other, files, bytes }) => partOf(store, trees.get(other), files, bytes));
    writeShared(store, chainId, parts);
    const saved = parts.reduce((sum, { bytes }) => sum + bytes, 0);
    if (saved > 0) context.log.debug(`${label} shares files with others`, { saved });
  } finally {
    lock.remove();
  }
}

function isInUse(store: Store, chainId: Digest): boolean {
  // A box whose record is damaged does not run.
  const boxes = listBoxes(store, () => {}).filter(({ chainIds }) => chainIds.includes(chainId));
  return boxes.some(({ id }) => isWatched(boxPaths(store, id)));
}

function partOf(store: Store, chainId: Digest | undefined, files: number, bytes: number): SharedPart[] {
  const tree = chainId === undefined ? undefined : treeIdentity(store, chainId);
  return chainId === undefined || tree === undefined ? [] : [{ chainId, tree, files, bytes }];
}

type ShareRequest = Omit<Extract<WorkerRequest, { readonly kind: "share" }>, "kind">;

/** A worker that is given up ends with the pool, in the middle of it. */
async function shareInWorker(
  { signal }: Context,
  pool: WorkerPool,
  request: ShareRequest,
): Promise<readonly SharedWith[]> {
  return await pool.use(async (worker) => {
    // It may have taken a while to start.
    signal.throwIfAborted();
    using stack = new DisposableStack();
    const { promise: given, reject } = Promise.withResolvers<never>();
    const giveUp = (): void => reject(signal.reason);
    signal.addEventListener("abort", giveUp);
    stack.defer(() => signal.removeEventListener("abort", giveUp));
    worker.send({ kind: "share", ...request });
    const reply = await Promise.race([worker.reply(), given]);
    if (reply.kind === "shared") return reply.shared;
    throw new DevboxError("INTERNAL", {
      step: `share files of ${request.label}`,
      because: `the worker answered "${reply.kind}"`,
    });
  });
}
