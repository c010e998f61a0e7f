/**
 * A layer that is made here: a tar stream becomes the compressed blob and the tree in the store, side by side.
 *
 *     tar ─compress→ growing blob ─worker→ tree ─settle→ layers/<chainID>
 *
 * What it is called is known only when all has been read: until then it is built under a random chainID, whose lock keeps
 * it from prune.
 */
import { join } from "node:path";
import type { Context } from "../../core/context.ts";
import { DevboxError } from "../../core/errors.ts";
import { compress, type Packing } from "../../layer/compress.ts";
import { uncompressedLimit } from "../../layer/limits.ts";
import type { Compression } from "../../layer/protocol.ts";
import { chainIds } from "../../oci/chain-id.ts";
import { type Descriptor, type Digest, mediaTypes } from "../../oci/descriptor.ts";
import { digestOf } from "../../oci/digest.ts";
import { randomHex } from "../../store/atomic-write.ts";
import { beginLayer, finishLayer, hasLayer, type LayerBuild } from "../../store/layers.ts";
import { takeLease } from "../../store/leases.ts";
import { tryLock, waitForLock } from "../../store/locks.ts";
import { type NewBlob, openNewBlob } from "../../store/new-blob.ts";
import { layerLockPath } from "../../store/paths.ts";
import type { Store, StoredLayer } from "../../store/types.ts";
import { openFeed } from "../pull/blob-feed.ts";
import { type Applied, applyInWorker, maxUncompressedBytes } from "../workers/apply-layer.ts";
import { cancellable } from "../workers/cancellable.ts";
import { settleLayer } from "../workers/settle-layer.ts";
import { removeStaleLayers, removeTrees } from "../workers/trash.ts";
import type { WorkerPool } from "../workers/worker-pool.ts";

export interface NewLayerWork {
  readonly context: Context;
  readonly store: Store;
  readonly pool: WorkerPool;
}

export interface NewLayerRequest {
  /** For error texts and progress: `layer of web`. */
  readonly label: string;
  /**
   * The archive, uncompressed; a chunk is valid until the next is asked for. What it throws is thrown. It must not go on
   * waiting for more when the signal says that nobody wants it.
   */
  readonly tar: (signal: AbortSignal) => AsyncIterable<Uint8Array>;
  readonly packing: Packing;
  /** The layers below, base first, all of them in the store. */
  readonly below: readonly StoredLayer[];
}

/** Blob and tree are in the store; disposing gives up the lease on them, once an image names them. */
export interface NewLayer extends Disposable {
  /** OCI media type, digest and size of the blob. */
  readonly descriptor: Descriptor;
  readonly diffId: Digest;
  readonly chainId: Digest;
  /** Uncompressed bytes of the archive. */
  readonly bytes: number;
  readonly entries: number;
  /** What was not made as the archive says: devices that became empty files. */
  readonly notes: readonly string[];
}

const layerTypes: Readonly<Record<Compression, string>> = {
  none: mediaTypes.ociLayer,
  gzip: mediaTypes.ociLayerGzip,
  zstd: mediaTypes.ociLayerZstd,
};

/**
 * When it fails or is cancelled, nothing is left of it. Names are safe from power loss after `syncBlobs` and
 * `syncDirectory(store.layers)`.
 * @throws DevboxError LAYER_* when the archive is none or cannot be unpacked; STORE_FULL; INTERRUPTED; what `tar` throws
 */
export async function makeLayer(work: NewLayerWork, request: NewLayerRequest): Promise<NewLayer> {
  // From here on it pays to compile (scripts/build).
  Bun.unsafe.setJITPolicy(1);
  const { context, store, pool } = work;
  const { packing, below } = request;
  const chainsBelow = below.map(({ chainId }) => chainId);
  using _below = await takeLease(context, store, { blobs: [], chainIds: chainsBelow });
  requireLayers(store, request);
  using blob = openNewBlob(store);
  await using build = beginBuild(work);
  const { applied, digest, size } = await packAndApply(work, request, blob, build.tree);
  const { diffId, bytes, entries, notes, pending } = applied;
  refuseTooTight(request, bytes, size);
  const lowers = below.toReversed().map(({ path }) => join(store.root, path));
  await settleLayer(pool, { label: request.label, target: build.tree, lowers, pending });
  const chainId = chainIds([...below.map((layer) => layer.diffId), diffId]).at(-1) ?? diffId;
  const lease = await takeLease(context, store, { blobs: [digest], chainIds: [...chainsBelow, chainId] });
  try {
    blob.commit();
    const record = { chainId, diffId, bytes, entries, created: context.now().toISOString() };
    await nameLayer(work, { ...build, chainId }, record);
  } catch (error) {
    lease[Symbol.dispose]();
    throw error;
  }
  const descriptor = { mediaType: layerTypes[packing.compression], digest, size };
  return { descriptor, diffId, chainId, bytes, entries, notes, [Symbol.dispose]: () => lease[Symbol.dispose]() };
}

function requireLayers(store: Store, { label, below }: NewLayerRequest): void {
  const missing = below.find(({ chainId }) => !hasLayer(store, chainId));
  if (missing === undefined) return;
  const because = `the layer ${missing.diffId} below it is not in the store`;
  throw new DevboxError("IMAGE_NOT_FOUND", { step: `make ${label}`, because });
}

/** Disposing removes what has not got its name. */
function beginBuild({ store, pool }: NewLayerWork): LayerBuild & AsyncDisposable {
  const build = beginLayer(store, digestOf(randomHex(32)));
  const lock = tryLock(layerLockPath(store, build.chainId), "exclusive");
  return {
    ...build,
    async [Symbol.asyncDispose]() {
      await removeTrees(pool, [build.directory]).finally(() => lock?.remove());
    },
  };
}

interface Made {
  readonly applied: Applied;
  readonly digest: Digest;
  readonly size: number;
}

/** The worker unpacks what has been packed: what is in the store is what others will get. */
async function packAndApply(
  { context, pool }: NewLayerWork,
  { label, tar, packing }: NewLayerRequest,
  blob: NewBlob,
  target: string,
): Promise<Made> {
  const inner = cancellable(context);
  const stored = Promise.withResolvers<void>();
  const { feed, advance } = openFeed(blob.path, undefined, 0, stored.promise);
  const { compression } = packing;
  const pack = async () => {
    for await (const chunk of compress(watched(tar(inner.context.signal), inner.context, label), packing)) {
      blob.append(chunk);
      advance(blob.written);
    }
    stored.resolve();
    return await blob.seal();
  };
  const packed = pack();
  const applying = applyInWorker(inner.context, pool, { label, feed, compression, diffId: undefined, target });
  try {
    const [{ digest, size }, applied] = await Promise.all([packed, applying]);
    return { applied, digest, size };
  } catch (error) {
    stored.reject(error);
    inner.cancel(error);
    await Promise.allSettled([packed, applying]);
    throw error;
  }
}

/** Ends when nobody wants the rest any more, and shows how far it is. */
async function* watched(tar: AsyncIterable<Uint8Array>, context: Context, label: string): AsyncGenerator<Uint8Array> {
  const task = context.progress.task(label, undefined);
  task.phase("packing");
  let done = 0;
  for await (const chunk of tar) {
    context.signal.throwIfAborted();
    yield chunk;
    done += chunk.byteLength;
    task.update(done);
  }
  task.done("packed");
}

/** What pulls refuse as a decompression bomb must not be made: a layer of little but zeros, packed with zstd. */
function refuseTooTight({ label, packing }: NewLayerRequest, bytes: number, size: number): void {
  if (bytes <= uncompressedLimit(size, maxUncompressedBytes(size, packing.compression))) return;
  throw new DevboxError("LAYER_TOO_LARGE", {
    step: `make ${label}`,
    because: `its ${bytes} bytes were packed into ${size}: unpacking it would be refused as a decompression bomb`,
    hint: "leave it uncompressed: --compression none",
  });
}

/** Under the lock of its chainID, as every layer; the same one may be there already, or may be what a power loss left. */
async function nameLayer(
  { context, store, pool }: NewLayerWork,
  build: LayerBuild,
  record: Parameters<typeof finishLayer>[2],
): Promise<void> {
  const lock = await waitForLock(context, layerLockPath(store, build.chainId), "exclusive");
  try {
    if (hasLayer(store, build.chainId)) return;
    await removeStaleLayers(store, pool, [build.chainId]);
    finishLayer(store, build, record);
  } finally {
    lock.remove();
  }
}
