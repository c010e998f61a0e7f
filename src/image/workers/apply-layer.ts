/** One layer onto the disk: a worker reads the blob while it grows. */
import type { Context } from "../../core/context.ts";
import { DevboxError } from "../../core/errors.ts";
import type { Compression, WorkerReply } from "../../layer/protocol.ts";
import type { Digest } from "../../oci/descriptor.ts";
import type { BlobFeed } from "../pull/blob-feed.ts";
import type { Worker, WorkerPool } from "./worker-pool.ts";

export type Applied = Extract<WorkerReply, { kind: "applied" }>;

export interface ApplyRequest {
  /** `layer 3 of 7 (sha256:1234…)`. */
  readonly label: string;
  readonly feed: BlobFeed;
  readonly compression: Compression;
  /** undefined: it is new, and told what it is. */
  readonly diffId: Digest | undefined;
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

/** As `applyLayer`, of content that is made here: no download will say what was wrong. */
export function applyInWorker(context: Context, pool: WorkerPool, request: ApplyRequest): Promise<Applied> {
  const { feed, label, compression, diffId, target } = request;
  const { sizeBytes } = feed;
  return pool.use(async (worker) => {
    context.signal.throwIfAborted();
    const maxBytes = sizeBytes === undefined ? Number.MAX_SAFE_INTEGER : maxUncompressedBytes(sizeBytes, compression);
    worker.send({ kind: "apply", label, blob: feed.path, compression, target, diffId, sizeBytes, maxBytes });
    using stack = new DisposableStack();
    const abort = onceUntil(stack, () => worker.send({ kind: "abort" }));
    context.signal.addEventListener("abort", abort);
    stack.defer(() => context.signal.removeEventListener("abort", abort));
    feed.complete.catch(abort);
    let told = 0;
    const tell = (bytes: number): void => {
      told = bytes;
      worker.send({ kind: "available", bytes });
    };
    stack.use(
      feed.watch((bytes) => {
        if (bytes === sizeBytes || bytes - told >= tellEvery(sizeBytes ?? bytes)) tell(bytes);
      }),
    );
    if (sizeBytes === undefined) feed.complete.then(onceUntil(stack, () => tellAll(worker, feed))).catch(() => {});
    const reply = await worker.reply();
    if (reply.kind === "applied") return reply;
    throw new DevboxError("INTERNAL", { step: `apply ${label}`, because: `the worker answered "${reply.kind}"` });
  });
}

function tellAll(worker: Worker, { availableBytes }: BlobFeed): void {
  worker.send({ kind: "available", bytes: availableBytes });
  worker.send({ kind: "complete" });
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
