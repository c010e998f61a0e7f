/**
 * The time of a directory in which files are replaced: put back at once, also by the next pass when this process is killed
 * in between. What it was stands meanwhile in a symbolic link beside the tree, which is made and read in one call each.
 */
import { readlinkSync, symlinkSync, unlinkSync } from "node:fs";
import { AT_FDCWD, UTIME_OMIT } from "../../../ffi/constants.ts";
import { utimensat } from "../../../ffi/libc.ts";
import { errnoName } from "../../core/errors.ts";
import { type ByteString, fromBase64, kernelPath, toBase64 } from "../byte-string.ts";
import { toTimestamp } from "../tar/entry.ts";
import { join, statOf } from "./paths.ts";

/** In the directory of the layer, beside `fs`. */
const noteName = "shared-times";

/** Files are about to be replaced in the directory `path` (relative to `tree`). Disposed: they have been, and the time is put back. */
export function keepTime(layer: ByteString, tree: ByteString, path: ByteString): Disposable {
  const note = kernelPath(`${layer}/${noteName}`);
  const time = statOf(`${tree}/${path}`)?.mtimeNs ?? 0n;
  symlinkSync(`${time} ${toBase64(path)}`, note);
  return {
    [Symbol.dispose]() {
      setTime(tree, path, time);
      unlinkSync(note);
    },
  };
}

/** Put back what a process that was killed has left. Its directory is still one: trees of the store do not change otherwise. */
export function restoreTime(layer: ByteString, tree: ByteString): void {
  const note = kernelPath(`${layer}/${noteName}`);
  let text: string;
  try {
    text = readlinkSync(note);
  } catch (error) {
    if (errnoName(error) === "ENOENT") return;
    throw error;
  }
  const [time = "", path = ""] = text.split(" ");
  setTime(tree, fromBase64(path), BigInt(time));
  unlinkSync(note);
}

function setTime(tree: ByteString, path: ByteString, time: bigint): void {
  const omitted = { seconds: 0, nanoseconds: UTIME_OMIT };
  utimensat(AT_FDCWD, kernelPath(join(tree, path)), omitted, toTimestamp(time));
}
