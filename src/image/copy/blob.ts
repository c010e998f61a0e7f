/** Blobs of a copy on their way: each once, a bounded number at a time. */

import type { Context, ProgressTask } from "../../core/context.ts";
import { once } from "../../core/streams.ts";
import type { Descriptor, Digest } from "../../oci/descriptor.ts";
import { shortDigest } from "../../oci/digest.ts";
import { embeddedContent } from "../../oci/verify.ts";
import type { BlobContent, ImageDestination } from "../destinations/destination.ts";
import { fetchConfig } from "../sources/config.ts";
import type { ImageSource } from "../sources/source.ts";
import type { Cancellable } from "../workers/cancellable.ts";
import { createSemaphore } from "../workers/semaphore.ts";

export interface BlobCopier {
  /** As it is. `whole`: it is small, and of an image that the source may have to make up: its config. */
  copy(descriptor: Descriptor, whole?: "whole"): Promise<Descriptor>;
  /** Made by `make` from what stands at the source under `descriptor`; `label`: of the progress. */
  make(descriptor: Descriptor, make: (task: ProgressTask) => Promise<MadeBlob>): Promise<Descriptor>;
}

export interface MadeBlob extends Disposable {
  readonly descriptor: Descriptor;
  readonly open: BlobContent["open"];
}

export interface BlobWork extends Cancellable {
  readonly source: ImageSource;
  readonly destination: ImageDestination;
  readonly mountFrom: ((blob: Digest) => readonly string[]) | undefined;
}

/** When one fails, the context is cancelled, and with it the others. */
export function createBlobCopier(work: BlobWork): BlobCopier {
  const { context, destination, source } = work;
  const slots = createSemaphore(destination.form.blobsAtOnce);
  const started = new Map<Digest, Promise<Descriptor>>();
  const start = (descriptor: Descriptor, copy: () => Promise<Descriptor>): Promise<Descriptor> => {
    const before = started.get(descriptor.digest);
    if (before !== undefined) return before;
    const copied = slots.run(async () => {
      context.signal.throwIfAborted();
      return await copy();
    });
    copied.catch((error: unknown) => work.cancel(error));
    started.set(descriptor.digest, copied);
    return copied;
  };
  return {
    copy: (descriptor, whole) =>
      start(descriptor, async () => {
        const task = taskOf(context, descriptor);
        task.phase("copying");
        const open = whole === undefined ? openStream(context, source, descriptor) : openWhole(source, descriptor);
        const content = { descriptor, open, ...mounts(work, descriptor) };
        task.done(await destination.putBlob(content, task));
        return descriptor;
      }),
    make: (descriptor, make) =>
      start(descriptor, async () => {
        const task = taskOf(context, descriptor);
        using made = await make(task);
        task.phase("copying");
        const content = { descriptor: made.descriptor, open: made.open, ...mounts(work, made.descriptor) };
        task.done(await destination.putBlob(content, task));
        return made.descriptor;
      }),
  };
}

function taskOf(context: Context, { digest, size }: Descriptor) {
  return context.progress.task(shortDigest(digest), size);
}

function mounts({ mountFrom }: BlobWork, { digest }: Descriptor): Pick<BlobContent, "mountFrom"> {
  const repositories = mountFrom?.(digest) ?? [];
  return repositories.length === 0 ? {} : { mountFrom: repositories };
}

function openStream(context: Context, source: ImageSource, descriptor: Descriptor): BlobContent["open"] {
  return async (offset) => {
    // It need not be anywhere else (image-spec descriptor.md "Embedded Content").
    const embedded = embeddedContent(descriptor);
    if (embedded !== undefined) return { stream: once(embedded), offset: 0 };
    const { stream, offset: from } = await source.fetchBlob(descriptor, { offset });
    return { stream: untilAborted(context.signal, stream), offset: from };
  };
}

function openWhole(source: ImageSource, descriptor: Descriptor): BlobContent["open"] {
  return async () => ({ stream: once(await fetchConfig(source, descriptor)), offset: 0 });
}

/** A source or destination that knows nothing of the other blobs stops with them. */
export async function* untilAborted(
  signal: AbortSignal,
  chunks: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  for await (const chunk of chunks) {
    signal.throwIfAborted();
    yield chunk;
  }
}
