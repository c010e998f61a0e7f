/** Blobs of the store against their descriptors, and fetched again where they are damaged. */

import { open } from "node:fs/promises";
import type { ProgressTask } from "../../core/context.ts";
import { DevboxError, describeCause, errnoName } from "../../core/errors.ts";
import { beyond } from "../../core/streams.ts";
import type { Descriptor } from "../../oci/descriptor.ts";
import { digestAlgorithm, digestHex } from "../../oci/digest.ts";
import { storeError } from "../../store/atomic-write.ts";
import { openIngest, putBlob } from "../../store/blobs.ts";
import { waitForLock } from "../../store/locks.ts";
import { blobLockPath, blobPath } from "../../store/paths.ts";
import type { ImageSource } from "../sources/source.ts";
import type { Damage, Repair, VerifyWork } from "./damage.ts";

type BlobPart = "index" | "manifest" | "config" | "blob";

export interface BlobVerdict {
  readonly damage: Damage | undefined;
  /** It is whole, or has been mended. */
  readonly isUsable: boolean;
}

/** What to check, and under which names it can be fetched again. */
export interface BlobSubject {
  readonly part: BlobPart;
  readonly descriptor: Descriptor;
  readonly names: readonly string[];
}

export type BlobCheck = (subject: BlobSubject, task?: ProgressTask) => Promise<BlobVerdict>;

/** A check that reads each blob once, however many images have it. */
export function createBlobCheck(work: VerifyWork): BlobCheck {
  const verdicts = new Map<string, Promise<BlobVerdict>>();
  return (subject, task) => {
    const { digest, size } = subject.descriptor;
    const key = `${digest} ${size}`;
    const verdict = verdicts.get(key) ?? checkBlob(work, subject, task);
    verdicts.set(key, verdict);
    return verdict;
  };
}

async function checkBlob(work: VerifyWork, subject: BlobSubject, task?: ProgressTask): Promise<BlobVerdict> {
  const { part, descriptor } = subject;
  task?.phase("hashing");
  const because = await blobFault(work, descriptor, task);
  if (because === undefined) return { damage: undefined, isUsable: true };
  const repair = work.repair ? await refetch(work, subject, task) : ({ kind: "none" } as const);
  return { damage: { part, digest: descriptor.digest, because, repair }, isUsable: repair.kind === "mended" };
}

const chunkBytes = 1024 * 1024;

/** What is wrong with a blob, in words; undefined: nothing. */
async function blobFault(
  { context, store }: VerifyWork,
  { digest, size }: Descriptor,
  task: ProgressTask | undefined,
): Promise<string | undefined> {
  const path = blobPath(store, digest);
  const file = await open(path).catch((error: unknown) => {
    if (errnoName(error) === "ENOENT") return undefined;
    throw storeError(error, `read ${path}`);
  });
  if (file === undefined) return "missing";
  await using _file = file;
  try {
    const { size: there } = await file.stat();
    if (there !== size) return `it has ${there} bytes where ${size} were announced`;
    const hasher = new Bun.CryptoHasher(digestAlgorithm(digest));
    const buffer = Buffer.allocUnsafe(Math.min(chunkBytes, size));
    let done = 0;
    while (done < size) {
      context.signal.throwIfAborted();
      const { bytesRead } = await file.read(buffer, 0, buffer.length, done);
      if (bytesRead === 0) break;
      hasher.update(buffer.subarray(0, bytesRead));
      done += bytesRead;
      task?.update(done);
    }
    const hex = hasher.digest("hex");
    return hex === digestHex(digest) ? undefined : `its content has the digest ${hex}`;
  } catch (error) {
    context.signal.throwIfAborted();
    // A bad sector.
    return `it cannot be read: ${describeCause(error)}`;
  }
}

async function refetch(work: VerifyWork, subject: BlobSubject, task: ProgressTask | undefined): Promise<Repair> {
  task?.phase("downloading");
  try {
    await work.origins.fetch(subject.names, (source) => fetchInto(work, source, subject, task));
    return { kind: "mended" };
  } catch (error) {
    work.context.signal.throwIfAborted();
    // Without room nothing else will work either.
    if (error instanceof DevboxError && error.code === "STORE_FULL") throw error;
    return { kind: "failed", because: describeCause(error) };
  }
}

/** Larger ones are no manifests and no configs (oci/parse.ts has the limits by kind). */
const maxSmallBytes = 8 * 1024 * 1024;

async function fetchInto(
  work: VerifyWork,
  source: ImageSource,
  { part, descriptor }: BlobSubject,
  task: ProgressTask | undefined,
): Promise<void> {
  const { store } = work;
  if (part === "index") putBlob(store, descriptor.digest, await fetchIndex(source, descriptor));
  else if (part === "manifest") putBlob(store, descriptor.digest, (await source.fetchManifest(descriptor)).bytes);
  else if (part === "config") {
    putBlob(store, descriptor.digest, await source.fetchSmallBlob(descriptor, maxSmallBytes));
  } else await fetchLayer(work, source, descriptor, task);
}

/** Nothing but its digest is written down: whoever has the name can say the rest. */
async function fetchIndex(source: ImageSource, { digest }: Descriptor): Promise<Uint8Array> {
  const top = await source.resolve();
  if (top.digest === digest) return (await source.fetchManifest(top)).bytes;
  throw new DevboxError("IMAGE_NOT_FOUND", { step: `fetch ${digest}`, because: `the name means ${top.digest} now` });
}

/** As a pull does it (fetch-blob.ts), but that something of this name is there, which is replaced when the new one is whole. */
async function fetchLayer(
  { context, store }: VerifyWork,
  source: ImageSource,
  descriptor: Descriptor,
  task: ProgressTask | undefined,
): Promise<void> {
  using stack = new DisposableStack();
  const lock = await waitForLock(context, blobLockPath(store, descriptor.digest), "exclusive");
  stack.defer(() => lock.remove());
  const ingest = stack.use(await openIngest(store, descriptor));
  if (ingest.written < descriptor.size) {
    const opened = await source.fetchBlob(descriptor, { offset: ingest.written });
    for await (const fresh of beyond(opened, ingest.written)) {
      context.signal.throwIfAborted();
      ingest.append(fresh);
      task?.update(ingest.written);
    }
  }
  await ingest.seal();
  ingest.commit();
}
