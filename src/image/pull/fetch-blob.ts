/**
 * One blob into the store: from the source if it is not there, from where an earlier download ended, by one devbox at a
 * time. Its readers follow it through the feed while it comes.
 */

import type { Context, ProgressTask } from "../../core/context.ts";
import { DevboxError } from "../../core/errors.ts";
import { beyond } from "../../core/streams.ts";
import type { Descriptor } from "../../oci/descriptor.ts";
import { type BlobIngest, openIngest } from "../../store/blobs.ts";
import { hasBlob } from "../../store/images.ts";
import { waitForLock } from "../../store/locks.ts";
import { blobLockPath, blobPath } from "../../store/paths.ts";
import type { Store } from "../../store/types.ts";
import type { ImageSource } from "../sources/source.ts";
import type { Semaphore } from "../workers/semaphore.ts";
import { type BlobFeed, openFeed } from "./blob-feed.ts";

export interface BlobFetch extends Disposable {
  /** All was there from the beginning. */
  readonly isHere: boolean;
  /** As soon as there is something to read or to wait for. */
  readonly opened: Promise<BlobFeed>;
  /** All is there, verified and stored. */
  readonly complete: Promise<void>;
}

/**
 * Start to fetch. After `complete` the growing file keeps its name until disposed, for readers that open it late.
 * @param slots how many downloads may run at a time
 */
export function fetchBlob(
  context: Context,
  store: Store,
  source: ImageSource,
  descriptor: Descriptor,
  task: ProgressTask,
  slots: Semaphore,
): BlobFetch {
  const opened = Promise.withResolvers<BlobFeed>();
  const held = new DisposableStack();
  const present = (): boolean => {
    if (!hasBlob(store, descriptor)) return false;
    const path = blobPath(store, descriptor.digest);
    opened.resolve(openFeed(path, descriptor.size, descriptor.size, Promise.resolve()).feed);
    return true;
  };
  const fetch = async (): Promise<void> => {
    if (present()) return;
    context.signal.throwIfAborted();
    const lock = await waitForLock(context, blobLockPath(store, descriptor.digest), "exclusive", () =>
      task.phase("waiting for another devbox"),
    );
    held.defer(() => lock.remove());
    if (present()) return;
    const ingest = held.use(await openIngest(store, descriptor));
    await download(source, descriptor, ingest, task, opened.resolve);
    // Now that the blob has its name, others need not wait until we are done with the rest.
    lock.remove();
  };
  const isHere = present();
  const complete = isHere ? Promise.resolve() : slots.run(fetch);
  complete.catch(opened.reject);
  opened.promise.catch(() => {});
  return { isHere, opened: opened.promise, complete, [Symbol.dispose]: () => held.dispose() };
}

async function download(
  source: ImageSource,
  descriptor: Descriptor,
  ingest: BlobIngest,
  task: ProgressTask,
  onOpen: (feed: BlobFeed) => void,
): Promise<void> {
  const stored = Promise.withResolvers<void>();
  const resumedAt = ingest.written;
  const { feed, advance } = openFeed(ingest.path, descriptor.size, resumedAt, stored.promise);
  onOpen(feed);
  task.update(resumedAt);
  task.phase("downloading");
  try {
    if (resumedAt < descriptor.size) await append(source, descriptor, ingest, task, advance);
    task.phase("storing");
    await ingest.seal();
    ingest.commit();
    stored.resolve();
  } catch (error) {
    const explained = explain(error, resumedAt);
    stored.reject(explained);
    throw explained;
  }
}

async function append(
  source: ImageSource,
  descriptor: Descriptor,
  ingest: BlobIngest,
  task: ProgressTask,
  advance: (availableBytes: number) => void,
): Promise<void> {
  const opened = await source.fetchBlob(descriptor, { offset: ingest.written });
  for await (const fresh of beyond(opened, ingest.written)) {
    ingest.append(fresh);
    task.update(ingest.written);
    advance(ingest.written);
  }
}

/** The file is deleted by now, so the next pull starts afresh; only say where the damage may come from. */
function explain(error: unknown, resumedAt: number): unknown {
  if (!(error instanceof DevboxError) || error.code !== "DIGEST_MISMATCH" || resumedAt === 0) return error;
  const because = `${error.because}; its first ${resumedAt} bytes were left by an earlier download`;
  return new DevboxError("DIGEST_MISMATCH", {
    step: error.step,
    because,
    cause: error,
    hint: "pull again: it starts afresh",
  });
}
