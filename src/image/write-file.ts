/** Files outside the store that a copy writes: whole under their name, or not there. */
import { closeSync, fdatasync, openSync, renameSync, write, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { promisify } from "node:util";
import { DevboxError, errnoName } from "../core/errors.ts";
import type { Digest } from "../oci/descriptor.ts";
import { randomHex, removeQuietly, syncDirectory } from "../store/atomic-write.ts";

export interface NewFile extends AsyncDisposable {
  readonly fd: number;
  /** All is written: bring it to disk, then give it its name, instead of what has it now. */
  commit(): Promise<void>;
}

/**
 * Written beside its place; disposing without `commit` removes it. The name is safe from power loss after `syncDirectory`.
 * @param path absolute
 * @throws DevboxError COPY_FAILED, also by `commit`
 */
export function createFile(path: string): NewFile {
  const step = `write ${path}`;
  const temporary = join(dirname(path), `.${basename(path).slice(0, 100)}.tmp-${randomHex(8)}`);
  // As any new file: who may read it is for the umask to say.
  const fd = attempt(step, () => openSync(temporary, "wx", 0o666));
  let isNamed = false;
  return {
    fd,
    async commit() {
      await promisify(fdatasync)(fd).catch((error: unknown) => {
        throw copyError(error, step);
      });
      attempt(step, () => renameSync(temporary, path));
      isNamed = true;
    },
    async [Symbol.asyncDispose]() {
      closeSync(fd);
      if (!isNamed) removeQuietly(temporary);
    },
  };
}

/** A small file whole, under its name when it is on disk. */
export async function writeWhole(path: string, content: string | Uint8Array): Promise<void> {
  await using file = createFile(path);
  await writeAll(file.fd, typeof content === "string" ? Buffer.from(content) : content, `write ${path}`);
  await file.commit();
  syncDirectory(dirname(path));
}

/** As skopeo and podman do it: the digest, and no line end. @throws DevboxError COPY_FAILED */
export function writeDigest(path: string, digest: Digest): void {
  attempt(`write the digest to ${path}`, () => writeFileSync(path, digest));
}

const writeSome: (fd: number, bytes: Uint8Array) => Promise<{ bytesWritten: number }> = promisify(write);

/** All of it, off this thread: a pipe whose reader is slow must not stop what else is under way. */
export async function writeAll(fd: number, bytes: Uint8Array, step: string): Promise<void> {
  for (let rest = bytes; rest.byteLength > 0; ) {
    try {
      const { bytesWritten } = await writeSome(fd, rest);
      rest = rest.subarray(bytesWritten);
    } catch (error) {
      // The description is shared: another process may have made it non-blocking (ssh and many event loops do).
      if (errnoName(error) !== "EAGAIN") throw copyError(error, step);
      await Bun.sleep(1);
    }
  }
}

export function attempt<T>(step: string, action: () => T): T {
  try {
    return action();
  } catch (error) {
    throw copyError(error, step);
  }
}

/** A failure outside the store as the user should read it; a DevboxError stays what it is. */
export function copyError(error: unknown, step: string): DevboxError {
  if (error instanceof DevboxError) return error;
  if (errnoName(error) === "EPIPE") return new DevboxError("READER_GONE", { step, cause: error });
  const full = ["ENOSPC", "EDQUOT"].includes(errnoName(error) ?? "");
  return new DevboxError("COPY_FAILED", { step, cause: error, ...(full ? { hint: "free space there" } : {}) });
}
