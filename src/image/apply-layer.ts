/** One layer onto the disk: a worker reads the blob while it grows. */
import type { Context } from "../core/context.ts";
import { DevboxError } from "../core/errors.ts";
import type { Compression, WorkerReply } from "../layer/protocol.ts";
import type { Digest } from "../oci/descriptor.ts";
import type { BlobFeed } from "./blob-feed.ts";
import type { WorkerPool } from "./worker-pool.ts";

export type Applied = Extract<WorkerReply, { kind: "applied" }>;

export interface ApplyRequest {
  /** `layer 3 of 7 (sha256:1234…)`. */
  readonly label: string;
  readonly feed: BlobFeed;
  readonly compression: Compression;
  readonly diffId: Digest;
  /** Existing empty directory. */
  readonly target: string;
}

const GiB = 2 ** 30;

/** The worker is told of new bytes in steps: messages cost, and all of a layer's must fit into a pipe that nobody reads. */
function tellEvery(sizeBytes: number): number {
  return Math.max(256 * 1024, Math.ceil(sizeBytes / 500));
}

/**
 * How large the tar stream of a layer may grow, beside the worker's own limit of the ratio (layer/limits.ts). Real layers
 * are packed 2 : 1 to 20 : 1; one with a large file of zeros in it is legitimate too.
 */
export function maxUncompressedBytes(sizeBytes: number, compression: Compression): number {
  return compression === "none" ? sizeBytes : Math.max(4 * GiB, 200 * sizeBytes);
}

/**
 * Apply a layer in the next free worker.
 * @throws DevboxError LAYER_* as the worker says; that of the download when the content turns out to be wrong
 */
export async function applyLayer(context: Context, pool: WorkerPool, request: ApplyRequest): Promise<Applied> {
  try {
    return await applyInWorker(context, pool, request);
  } catch (error) {
    // Damaged content looks like a malformed archive before its digest is known: what the download says is the cause.
    await request.feed.complete;
    throw error;
  }
}

function applyInWorker(context: Context, pool: WorkerPool, request: ApplyRequest): Promise<Applied> {
  const { feed, label, compression, diffId, target } = request;
  return pool.use(async (worker) => {
    context.signal.throwIfAborted();
    const maxBytes = maxUncompressedBytes(feed.sizeBytes, compression);
    worker.send({
      kind: "apply",
      label,
      blob: feed.path,
      compression,
      target,
      diffId,
      sizeBytes: feed.sizeBytes,
      maxBytes,
    });
    using stack = new DisposableStack();
    const abort = onceUntil(stack, () => worker.send({ kind: "abort" }));
    context.signal.addEventListener("abort", abort);
    stack.defer(() => context.signal.removeEventListener("abort", abort));
    feed.complete.catch(abort);
    const step = tellEvery(feed.sizeBytes);
    let told = 0;
    stack.use(
      feed.watch((bytes) => {
        if (bytes - told < step && bytes !== feed.sizeBytes) return;
        told = bytes;
        worker.send({ kind: "available", bytes });
      }),
    );
    const reply = await worker.reply();
    if (reply.kind === "applied") return reply;
    throw new DevboxError("INTERNAL", { step: `apply ${label}`, because: `the worker answered "${reply.kind}"` });
  });
}

/** `action`, at most once, and not any more after the stack is disposed. */
function onceUntil(stack: DisposableStack, action: () => void): () => void {
  let isDue = true;
  stack.defer(() => {
    isDue = false;
  });
  return () => {
    if (isDue) action();
    isDue = false;
  };
}
