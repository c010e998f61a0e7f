/** Files outside the store that a copy writes: whole under their name, or not there. */
import { closeSync, fdatasync, openSync, renameSync, write, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { promisify } from "node:util";
import { O_TMPFILE, O_WRONLY } from "../../../ffi/constants.ts";
import { linkUnnamed } from "../../../ffi/libc.ts";
import type { Context } from "../../core/context.ts";
import { DevboxError, errnoName } from "../../core/errors.ts";
import type { Digest } from "../../oci/descriptor.ts";
import { randomHex, removeQuietly, syncDirectory } from "../../store/atomic-write.ts";
import { type Lock, waitForLock } from "../../store/locks.ts";

export interface NewFile extends AsyncDisposable {
  readonly fd: number;
  /** All is written: bring it to disk, then give it its name, instead of what has it now. */
  commit(): Promise<void>;
}

/**
 * Written without a name where the file system can, so that nothing is left of it whenever this process is killed; else
 * beside its place. Disposing without `commit` removes it. The name is safe from power loss after `syncDirectory`.
 * @param path absolute
 * @throws DevboxError COPY_FAILED, also by `commit`
 */
export function createFile(path: string): NewFile {
  const step = `write ${path}`;
  const temporary = join(dirname(path), `.${basename(path).slice(0, 100)}.tmp-${randomHex(8)}`);
  const unnamed = attempt(step, () => openUnnamed(dirname(path)));
  const fd = unnamed ?? attempt(step, () => openSync(temporary, "wx", newFileMode));
  let isTemporary = unnamed === undefined;
  return {
    fd,
    async commit() {
      await promisify(fdatasync)(fd).catch((error: unknown) => {
        throw copyError(error, step);
      });
      attempt(step, () => {
        if (!isTemporary && linkIfFree(fd, path)) return;
        // link(2) does not replace a file, rename(2) does.
        if (!isTemporary) linkUnnamed(fd, temporary);
        isTemporary = true;
        renameSync(temporary, path);
        isTemporary = false;
      });
    },
    async [Symbol.asyncDispose]() {
      closeSync(fd);
      if (isTemporary) removeQuietly(temporary);
    },
  };
}

/** As any new file: who may read it is for the umask to say. */
const newFileMode = 0o666;

/** undefined: the file system has no files without a name. */
function openUnnamed(directory: string): number | undefined {
  try {
    return openSync(directory, O_TMPFILE | O_WRONLY, newFileMode);
  } catch (error) {
    // open(2): EOPNOTSUPP; EISDIR where the kernel does not know the flag.
    if (errnoName(error) === "EOPNOTSUPP" || errnoName(error) === "EISDIR") return undefined;
    throw error;
  }
}

function linkIfFree(fd: number, path: string): boolean {
  try {
    linkUnnamed(fd, path);
    return true;
  } catch (error) {
    if (errnoName(error) === "EEXIST") return false;
    throw error;
  }
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

/** One copy after the other into a place that a file stands for. @throws DevboxError COPY_FAILED, INTERRUPTED */
export async function lockPlace(context: Context, path: string, label: string): Promise<Lock> {
  const onWait = (): void => context.log.info(`waiting for another devbox that copies to ${label}`);
  try {
    return await waitForLock(context, path, "exclusive", onWait);
  } catch (error) {
    // It is not the store that cannot be used.
    if (error instanceof DevboxError && error.code === "STORE_UNUSABLE") throw copyError(error.cause, `write ${label}`);
    throw error;
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
