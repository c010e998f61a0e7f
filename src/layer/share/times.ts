/**
 * Times of directories in which files are replaced: put back at once, and by the next pass when this process is killed in
 * between. What they were stands meanwhile in a file beside the tree, a line each.
 */
import { closeSync, openSync, readFileSync, writeSync } from "node:fs";
import { AT_FDCWD, UTIME_OMIT } from "../../../ffi/constants.ts";
import { utimensat } from "../../../ffi/libc.ts";
import { errnoName } from "../../core/errors.ts";
import { type ByteString, fromBase64, kernelPath, toBase64 } from "../byte-string.ts";
import { toTimestamp } from "../tar/entry.ts";
import { removeIfThere, statOf } from "./paths.ts";

/** Disposed when the pass is over, and all times are put back. */
export interface KeptTimes extends Disposable {
  /** Files are about to be replaced in the directory `path` (relative to the tree). Disposed: they have been. */
  keep(path: ByteString): Disposable;
}

/** `note`: a free path beside the tree. */
export function keepTimes(note: ByteString, tree: ByteString): KeptTimes {
  const fd = openSync(kernelPath(note), "ax", 0o600);
  return {
    keep(path) {
      const directory = `${tree}/${path}`;
      const time = statOf(directory)?.mtimeNs ?? 0n;
      // Whole or not at all: a process that is killed ends between system calls.
      writeSync(fd, `${time} ${toBase64(path)}\n`);
      return { [Symbol.dispose]: () => setTime(directory, time) };
    },
    [Symbol.dispose]() {
      closeSync(fd);
      removeIfThere(note);
    },
  };
}

/** Put back what a process that was killed has left. */
export function restoreTimes(note: ByteString, tree: ByteString): void {
  // Without what follows the last complete line.
  for (const line of readIfThere(note).split("\n").slice(0, -1)) {
    const [, time, path] = /^(-?\d+) ([A-Za-z0-9+/=]*)$/.exec(line) ?? [];
    if (time !== undefined && path !== undefined) setTime(`${tree}/${fromBase64(path)}`, BigInt(time));
  }
  removeIfThere(note);
}

function readIfThere(path: ByteString): string {
  try {
    return readFileSync(kernelPath(path), "latin1");
  } catch (error) {
    if (errnoName(error) === "ENOENT") return "";
    throw error;
  }
}

function setTime(directory: ByteString, time: bigint): void {
  utimensat(AT_FDCWD, kernelPath(directory), { seconds: 0, nanoseconds: UTIME_OMIT }, toTimestamp(time));
}
