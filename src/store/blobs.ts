/**
 * Blobs on their way into the store. What has arrived lies in `ingest/` under its digest and stays there when the
 * process dies, so the next one goes on where it ended. Only content that has the right size and digest, and is on disk,
 * gets its name in `images/blobs`.
 *
 * Whoever writes holds the lock of the digest (`blobLockPath`).
 */
import {
  closeSync,
  fdatasync,
  fstatSync,
  ftruncateSync,
  linkSync,
  mkdirSync,
  openSync,
  readdirSync,
  readSync,
  unlinkSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { setImmediate as nextTurn } from "node:timers/promises";
import { promisify } from "node:util";
import { DevboxError, errnoName } from "../core/errors.ts";
import type { Descriptor, Digest } from "../oci/descriptor.ts";
import { digestAlgorithm, digestHex, shortDigest } from "../oci/digest.ts";
import { inStore, removeQuietly, replaceFile, storeError, syncDirectory, writeAll } from "./atomic-write.ts";
import { blobPath, partialPath } from "./paths.ts";
import type { Store } from "./types.ts";

export interface BlobIngest extends Disposable {
  /** The growing file. */
  readonly path: string;
  /** Bytes that are in the file and in the hash. */
  readonly written: number;
  /** @throws DevboxError STORE_FULL, STORE_UNUSABLE; SIZE_MISMATCH when more comes than was announced */
  append(chunk: Uint8Array): void;
  /** All is there: check size and digest, bring it to disk. A mismatch deletes the file. */
  seal(): Promise<void>;
  /**
   * Give the sealed file its name. It keeps the old one too until disposed, for readers that were told of it and open it
   * late. The new name is safe from power loss after `syncBlobs`.
   */
  commit(): void;
}

type Wanted = Pick<Descriptor, "digest" | "size">;

/** Open the partial file of a blob, hashing what an earlier process has left in it. */
export async function openIngest(store: Store, wanted: Wanted): Promise<BlobIngest> {
  const path = partialPath(store, wanted.digest);
  const step = `store blob ${shortDigest(wanted.digest)}`;
  const fd = inStore(step, () => openSync(path, "a+", 0o600));
  const hasher = new Bun.CryptoHasher(digestAlgorithm(wanted.digest));
  try {
    return createIngest({ store, wanted, path, step, fd, hasher }, await rehash(fd, wanted.size, hasher));
  } catch (error) {
    closeSync(fd);
    throw storeError(error, step);
  }
}

interface Opened {
  readonly store: Store;
  readonly wanted: Wanted;
  readonly path: string;
  readonly step: string;
  readonly fd: number;
  readonly hasher: Bun.CryptoHasher;
}

function createIngest(opened: Opened, alreadyWritten: number): BlobIngest {
  const { store, wanted, path, step, fd, hasher } = opened;
  let written = alreadyWritten;
  let committed = false;
  return {
    path,
    get written() {
      return written;
    },
    append(chunk) {
      if (written + chunk.byteLength > wanted.size) {
        refuse(opened, "SIZE_MISMATCH", `more than the announced ${wanted.size} bytes arrive`);
      }
      inStore(step, () => writeAll(fd, chunk));
      hasher.update(chunk);
      written += chunk.byteLength;
    },
    async seal() {
      check(opened, written);
      await promisify(fdatasync)(fd).catch((error: unknown) => {
        throw storeError(error, step);
      });
    },
    commit() {
      inStore(step, () => giveName(path, blobPath(store, wanted.digest)));
      committed = true;
    },
    [Symbol.dispose]() {
      closeSync(fd);
      if (committed) removeQuietly(path);
    },
  };
}

function check(opened: Opened, written: number): void {
  const { digest, size } = opened.wanted;
  if (written !== size) refuse(opened, "SIZE_MISMATCH", `${size} bytes were announced, ${written} arrived`);
  const hex = opened.hasher.digest("hex");
  if (hex === digestHex(digest)) return;
  refuse(opened, "DIGEST_MISMATCH", `the digest should be ${digestHex(digest)}, the content has ${hex}`);
}

/** What is wrong is deleted: the next pull must not go on with it. */
function refuse({ path, step }: Opened, code: "SIZE_MISMATCH" | "DIGEST_MISMATCH", because: string): never {
  removeQuietly(path);
  throw new DevboxError(code, { step, because });
}

/** link(2) refuses to replace; what is there has not the right size, or nobody would have asked for the blob. */
function giveName(partial: string, final: string): void {
  mkdirSync(dirname(final), { recursive: true, mode: 0o700 });
  try {
    linkSync(partial, final);
  } catch (error) {
    if (errnoName(error) !== "EEXIST") throw error;
    unlinkSync(final);
    linkSync(partial, final);
  }
}

/** Make the names of committed blobs safe from power loss. */
export function syncBlobs(store: Store): void {
  for (const algorithm of readdirSync(join(store.images, "blobs"))) {
    syncDirectory(join(store.images, "blobs", algorithm));
  }
}

/** A small blob that is in memory and verified. */
export function putBlob(store: Store, digest: Digest, content: Uint8Array): void {
  const path = blobPath(store, digest);
  inStore(`store blob ${shortDigest(digest)}`, () => mkdirSync(dirname(path), { recursive: true, mode: 0o700 }));
  replaceFile(path, content, store.ingest);
}

const rehashChunk = 1024 * 1024;
/** Chunks hashed between two turns of the event loop: about 15 ms. */
const chunksPerTurn = 16;

/** Hash what is there; what is longer than the blob can only be rubbish and is cut to nothing. */
async function rehash(fd: number, sizeBytes: number, hasher: Bun.CryptoHasher): Promise<number> {
  const there = fstatSync(fd).size;
  if (there > sizeBytes) {
    ftruncateSync(fd, 0);
    return 0;
  }
  const buffer = new Uint8Array(Math.min(rehashChunk, there));
  let done = 0;
  for (let chunks = 1; done < there; chunks++) {
    const got = readSync(fd, buffer, 0, Math.min(buffer.length, there - done), done);
    if (got === 0) break;
    hasher.update(buffer.subarray(0, got));
    done += got;
    if (chunks % chunksPerTurn === 0) await nextTurn();
  }
  return done;
}
