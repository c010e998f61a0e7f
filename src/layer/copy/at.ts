/**
 * Files by (directory descriptor, one name): what lies in a box may change while it is copied, and a name that was a
 * directory may be a symbolic link a moment later. A path of two parts or more is resolved by openat2(2) alone, which
 * cannot leave its root; everything else is done to one name in a pinned directory, through /proc/self/fd, with calls
 * that follow no symbolic link.
 */
import { closeSync, constants, openSync } from "node:fs";
import {
  O_DIRECTORY,
  O_PATH,
  RESOLVE_BENEATH,
  RESOLVE_IN_ROOT,
  RESOLVE_NO_MAGICLINKS,
  RESOLVE_NO_SYMLINKS,
} from "../../../ffi/constants.ts";
import { openat2 } from "../../../ffi/libc.ts";
import { errnoName } from "../../core/errors.ts";
import { type ByteString, kernelPath } from "../byte-string.ts";

/** An open directory or file; `using` closes it. */
export interface Opened extends Disposable {
  readonly fd: number;
}

function opened(fd: number): Opened {
  return { fd, [Symbol.dispose]: () => closeSync(fd) };
}

/** A name in a directory, for calls that do not follow it. "." is the directory itself. */
export function nameIn(directory: number, name: ByteString): string | Buffer {
  return kernelPath(`/proc/self/fd/${directory}/${name}`);
}

/** Renames elsewhere can make openat2(2) give up with EAGAIN, since it could not be sure of `..`. */
const attempts = 100;

/**
 * What a path means in a root, symbolic links followed inside of it; for looking at, and to be opened again by `reopen`.
 * Throws SyscallError.
 */
export function resolveIn(root: number, path: ByteString): Opened {
  for (let left = attempts; ; left--) {
    try {
      const resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;
      return opened(openat2(root, kernelPath(path), { flags: O_PATH, resolve }));
    } catch (error) {
      if (errnoName(error) !== "EAGAIN" || left === 0) throw error;
    }
  }
}

/** A directory below another one; no symbolic link on the way. Throws SyscallError. */
export function directoryBelow(directory: number, path: ByteString): Opened {
  const resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
  return opened(openat2(directory, kernelPath(path === "" ? "." : path), { flags: O_DIRECTORY, resolve }));
}

/** What `resolveIn` found, to be read. */
export function reopen({ fd }: Opened, kind: "directory" | "file"): Opened {
  const flags = kind === "directory" ? constants.O_RDONLY | constants.O_DIRECTORY : readFlags;
  return opened(openSync(`/proc/self/fd/${fd}`, flags));
}

/** O_NONBLOCK: a fifo that has taken the place of a file must not hold us up. */
const readFlags = constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY;

export function openFileIn(directory: number, name: ByteString): Opened {
  return opened(openSync(nameIn(directory, name), readFlags | constants.O_NOFOLLOW));
}

export function openDirectoryIn(directory: number, name: ByteString): Opened {
  return opened(openSync(nameIn(directory, name), constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW));
}

/** The last part of an absolute path and what is before it. "/" has the name ".". */
export function splitAbsolute(path: ByteString): { readonly parent: ByteString; readonly name: ByteString } {
  const slash = path.lastIndexOf("/");
  const name = path.slice(slash + 1);
  return { parent: path.slice(0, slash) || "/", name: name === "" ? "." : name };
}
