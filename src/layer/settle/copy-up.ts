/** Bring files and directories of the layers below up into the layer, with everything that belongs to them. */
import {
  chmodSync,
  constants,
  copyFileSync,
  lstatSync,
  mkdirSync,
  readlinkSync,
  symlinkSync,
  unlinkSync,
} from "node:fs";
import { AT_FDCWD, S_IFIFO } from "../../../ffi/constants.ts";
import { lchown, mknodat, utimensat } from "../../../ffi/libc.ts";
import { lgetxattr, llistxattr, lsetxattr } from "../../../ffi/xattr.ts";
import { errnoName } from "../../core/errors.ts";
import type { ByteString } from "../byte-string.ts";
import { opaqueAttribute, opaqueValue, overlayPrefix } from "../overlay.ts";
import { type Timestamp, toTimestamp } from "../tar/entry.ts";
import { impliedMode, impliedTime } from "../tree/lookup.ts";
import { isWhiteout } from "../tree/reach.ts";
import { type MergedDirectory, type MergedView, pathInTree } from "./merged.ts";

/** What settling knows: the trees, and the times of directories of the layer that it has changed something in. */
export interface Settling {
  readonly view: MergedView;
  /** Put back at the end: bringing a file up is not a change that the image knows of. */
  readonly times: Map<ByteString, Timestamp>;
}

/** Call before something is made or removed in a directory of the layer. */
export function keepTimes({ view, times }: Settling, path: ByteString): void {
  if (!times.has(path)) times.set(path, timeOf(pathInTree(view, 0, path)));
}

function timeOf(path: string | Buffer): Timestamp {
  return toTimestamp(lstatSync(path, { bigint: true }).mtimeNs);
}

export function restoreTimes({ view, times }: Settling): void {
  for (const [path, time] of times) {
    try {
      utimensat(AT_FDCWD, pathInTree(view, 0, path), time, time);
    } catch (error) {
      // It was moved away since, see parents.ts.
      if (errnoName(error) !== "ENOENT") throw error;
    }
  }
}

/** The same directory, now also in the layer itself. */
export function ensureInLayer(settling: Settling, directory: MergedDirectory): MergedDirectory {
  const { path, parent, trees } = directory;
  if (trees[0] === 0 || parent === undefined) return directory;
  ensureInLayer(settling, parent);
  keepTimes(settling, parent.path);
  makeDirectory(pathInTree(settling.view, 0, path));
  if (trees[0] === undefined) settling.times.set(path, impliedTime);
  else takeMetadata(settling, path, trees[0]);
  return { path, parent, trees: [0, ...trees] };
}

/** Where the layer hides what is below, the new directory goes on hiding it. */
function makeDirectory(path: string | Buffer): void {
  const there = lstatSync(path, { throwIfNoEntry: false });
  const isHiding = there !== undefined && isWhiteout(there);
  if (isHiding) unlinkSync(path);
  mkdirSync(path, impliedMode);
  if (isHiding) lsetxattr(path, opaqueAttribute, opaqueValue);
}

/** Give a directory of the layer what the same one has in a tree below. */
export function takeMetadata(settling: Settling, path: ByteString, tree: number): void {
  const source = pathInTree(settling.view, tree, path);
  copyMetadata(source, pathInTree(settling.view, 0, path));
  settling.times.set(path, timeOf(source));
}

/** Copy what is no directory, from a tree below to a path where nothing is. By reflink where the file system can. */
export function copyUp(source: string | Buffer, target: string | Buffer): void {
  const stats = lstatSync(source);
  if (stats.isSymbolicLink()) symlinkSync(readlinkSync(source, { encoding: "buffer" }), target);
  else if (stats.isFIFO()) mknodat(AT_FDCWD, target, S_IFIFO | (stats.mode & 0o777), 0);
  else copyFileSync(source, target, constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE);
  copyMetadata(source, target);
}

function copyMetadata(source: string | Buffer, target: string | Buffer): void {
  const stats = lstatSync(source);
  lchown(target, stats.uid, stats.gid);
  if (!stats.isSymbolicLink()) chmodSync(target, stats.mode & 0o7777);
  for (const name of llistxattr(source)) if (!name.startsWith(overlayPrefix)) copyXattr(source, target, name);
  const time = timeOf(source);
  utimensat(AT_FDCWD, target, time, time);
}

/** Some belong to the host (security.selinux): the new file has its own by now. */
function copyXattr(source: string | Buffer, target: string | Buffer, name: string): void {
  const value = lgetxattr(source, name);
  if (value === undefined) return;
  try {
    lsetxattr(target, name, value);
  } catch (error) {
    const errno = errnoName(error);
    if (errno !== "EPERM" && errno !== "EOPNOTSUPP") throw error;
  }
}
