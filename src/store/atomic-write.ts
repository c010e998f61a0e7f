/** Files that are there wholly or not at all, also after kill -9 and power loss. */
import { closeSync, fsyncSync, openSync, renameSync, unlinkSync, writeFileSync, writeSync } from "node:fs";
import { dirname, join } from "node:path";
import { DevboxError, errnoName } from "../core/errors.ts";

/**
 * Write `content` beside (in `scratch`, on the same file system), fsync, rename to `path`, fsync the directory:
 * rename(2) alone does not promise that the new content is on disk when the new name is.
 * @throws DevboxError STORE_FULL, STORE_UNUSABLE
 */
export function atomicWrite(path: string, content: string | Uint8Array, scratch: string): void {
  replaceFile(path, content, scratch);
  syncDirectory(dirname(path));
}

/** As `atomicWrite`, but the name itself may be lost with the power until somebody calls `syncDirectory`. */
export function replaceFile(path: string, content: string | Uint8Array, scratch: string): void {
  const temporary = join(scratch, `.tmp-${randomHex(8)}`);
  try {
    const fd = openSync(temporary, "wx", 0o600);
    try {
      writeFileSync(fd, content);
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
    renameSync(temporary, path);
  } catch (error) {
    removeQuietly(temporary);
    throw storeError(error, `write ${path}`);
  }
}

/** fsync(2) a directory, so that the names in it survive power loss. */
export function syncDirectory(path: string): void {
  const fd = openSync(path, "r");
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

/** `bytes` random bytes as lower-case hex. */
export function randomHex(bytes: number): string {
  return Buffer.from(crypto.getRandomValues(new Uint8Array(bytes))).toString("hex");
}

/** The error of a file operation in the store as the user should read it; a DevboxError stays what it is. */
export function storeError(error: unknown, step: string): DevboxError {
  if (error instanceof DevboxError) return error;
  switch (errnoName(error)) {
    case "ENOSPC":
    case "EDQUOT":
      return new DevboxError("STORE_FULL", { step, cause: error });
    default:
      return new DevboxError("STORE_UNUSABLE", { step, cause: error });
  }
}

/** What an operation on files of the store gives. @throws DevboxError STORE_FULL, STORE_UNUSABLE in place of its errno */
export function inStore<T>(step: string, operation: () => T): T {
  try {
    return operation();
  } catch (error) {
    throw storeError(error, step);
  }
}

/** write(2) until all is written. */
export function writeAll(fd: number, bytes: Uint8Array): void {
  for (let done = 0; done < bytes.byteLength; ) done += writeSync(fd, bytes, done);
}

/** unlink(2) where a failure does not matter: the name is a temporary that prune collects. */
export function removeQuietly(path: string): void {
  try {
    unlinkSync(path);
  } catch {
    // Not there, or the disk refuses: either way there is a first error to report.
  }
}
