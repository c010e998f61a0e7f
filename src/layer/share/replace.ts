/**
 * One file that two layers have: let them share it.
 *
 * Where the file system can share blocks (btrfs, xfs), the kernel compares the two and shares them, whatever their owners
 * and times are. Elsewhere the file of the layer becomes another name of the other layer's: then everything must agree.
 */
import { type BigIntStats, linkSync, renameSync, writeFileSync } from "node:fs";
import { dedupe } from "../../../ffi/dedupe.ts";
import { SyscallError } from "../../../ffi/errno.ts";
import { errnoName } from "../../core/errors.ts";
import { type ByteString, kernelPath } from "../byte-string.ts";
import { removeIfThere } from "./paths.ts";
import { openFile, sameContent, sameInode, sameXattrs } from "./same-file.ts";

export type Method = "blocks" | "links";

/** Smaller files lie in their inodes (btrfs), and cannot be shared. */
const blockBytes = 4096;

export interface SharedPath {
  readonly path: ByteString;
  readonly stats: BigIntStats;
}

/** What the file system of a directory can, found by doing it. `temporary`: a path in it that is free, with any ending. */
export function chooseMethod(temporary: ByteString): Method {
  const [first, second] = [`${temporary}-1`, `${temporary}-2`];
  try {
    for (const file of [first, second]) writeFileSync(kernelPath(file), Buffer.alloc(blockBytes));
    return shareBlocks(first, second, blockBytes) ? "blocks" : "links";
  } catch (error) {
    // EOPNOTSUPP, ENOTTY, EINVAL: file systems say it in many ways.
    if (error instanceof SyscallError) return "links";
    throw error;
  } finally {
    for (const file of [first, second]) removeIfThere(file);
  }
}

/** Have the kernel compare two files of `size` bytes and share their blocks. @returns whether they were the same */
export function shareBlocks(theirs: ByteString, ours: ByteString, size: number): boolean {
  using source = openFile(theirs);
  using target = openFile(ours);
  return dedupe(source.fd, target.fd, size);
}

/** Whether one inode can stand for both. */
export function isSameFile(theirs: SharedPath, ours: SharedPath): boolean {
  if (!sameInode(theirs.stats, ours.stats) || !sameXattrs(theirs.path, ours.path)) return false;
  return sameContent(theirs.path, ours.path, Number(ours.stats.size));
}

/** EMLINK: the file has as many names as it can have. EPERM: the file system has no hard links, or the file takes none. */
const cannotLink: ReadonlySet<string | undefined> = new Set(["EMLINK", "EPERM", "EACCES", "EXDEV", "EOPNOTSUPP"]);

/**
 * Put a link to `theirs` in the place of `ours`, at once: whoever has `ours` open keeps it.
 * @param temporary a name on the same file system that is free
 * @returns false: the file system refuses
 */
export function replaceByLink(theirs: ByteString, ours: ByteString, temporary: ByteString): boolean {
  try {
    linkSync(kernelPath(theirs), kernelPath(temporary));
  } catch (error) {
    if (cannotLink.has(errnoName(error))) return false;
    throw error;
  }
  try {
    renameSync(kernelPath(temporary), kernelPath(ours));
    return true;
  } catch (error) {
    removeIfThere(temporary);
    throw error;
  }
}
