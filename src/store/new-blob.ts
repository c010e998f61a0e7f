/**
 * A blob that is made here: its digest is known only when all of it is written. Whoever writes holds the lock of the file
 * itself, so prune knows at once which of them nobody writes any more.
 */
import { fdatasync, linkSync, mkdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { DevboxError, errnoName } from "../core/errors.ts";
import type { Digest } from "../oci/descriptor.ts";
import { sha256Digest } from "../oci/digest.ts";
import { inStore, randomHex, removeQuietly, storeError, writeAll } from "./atomic-write.ts";
import { tryLock } from "./locks.ts";
import { blobPath, newBlobPrefix } from "./paths.ts";
import type { Store } from "./types.ts";

export interface NewBlob extends Disposable {
  /** The growing file: it may be read while it grows. */
  readonly path: string;
  /** Bytes. */
  readonly written: number;
  /** @throws DevboxError STORE_FULL, STORE_UNUSABLE */
  append(chunk: Uint8Array): void;
  /** All is written: bring it to disk. The file keeps its temporary name. */
  seal(): Promise<{ readonly digest: Digest; readonly size: number }>;
  /** Give the sealed file its name in `images/blobs`, once something refers to it (a lease). Safe from power loss after `syncBlobs`. */
  commit(): void;
}

/** Disposing removes what has no name; prune removes what a killed process leaves. */
export function openNewBlob(store: Store): NewBlob {
  const path = join(store.ingest, `${newBlobPrefix}${randomHex(8)}`);
  const step = "store a new blob";
  const file = tryLock(path, "exclusive");
  if (file === undefined) throw new DevboxError("INTERNAL", { step, because: "its random name is taken" });
  const { fd } = file;
  const hasher = new Bun.CryptoHasher("sha256");
  let written = 0;
  let digest: Digest | undefined;
  return {
    path,
    get written() {
      return written;
    },
    append(chunk) {
      inStore(step, () => writeAll(fd, chunk));
      hasher.update(chunk);
      written += chunk.byteLength;
    },
    async seal() {
      await promisify(fdatasync)(fd).catch((error: unknown) => {
        throw storeError(error, step);
      });
      digest ??= sha256Digest(hasher.digest("hex"));
      return { digest, size: written };
    },
    commit() {
      if (digest !== undefined) giveName(path, blobPath(store, digest), step);
    },
    [Symbol.dispose]() {
      removeQuietly(path);
      file[Symbol.dispose]();
    },
  };
}

/** The same content may be there already. */
function giveName(temporary: string, final: string, step: string): void {
  inStore(step, () => {
    mkdirSync(dirname(final), { recursive: true, mode: 0o700 });
    try {
      linkSync(temporary, final);
    } catch (error) {
      if (errnoName(error) !== "EEXIST") throw error;
    }
  });
}
