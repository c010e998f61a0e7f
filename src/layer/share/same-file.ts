/** Whether two regular files are the same: in all that their inodes say, and byte by byte. */
import { type BigIntStats, closeSync, constants, openSync, readSync } from "node:fs";
import { lgetxattr, llistxattr } from "../../../ffi/xattr.ts";
import { errnoName } from "../../core/errors.ts";
import { type ByteString, kernelPath } from "../byte-string.ts";

/** What one inode can hold only once: owner, mode and time. Sizes are compared before anything else. */
export function sameInode(a: BigIntStats, b: BigIntStats): boolean {
  return a.mtimeNs === b.mtimeNs && a.mode === b.mode && a.uid === b.uid && a.gid === b.gid;
}

/** Attributes of the host (security.selinux) count too: one inode has one of them. */
export function sameXattrs(a: ByteString, b: ByteString): boolean {
  const [pathA, pathB] = [kernelPath(a), kernelPath(b)];
  const names = listXattrs(pathA).sort();
  const others = listXattrs(pathB).sort();
  if (names.length !== others.length) return false;
  return names.every((name, index) => {
    const [mine, theirs] = [lgetxattr(pathA, name), lgetxattr(pathB, name)];
    return name === others[index] && mine !== undefined && theirs !== undefined && Buffer.compare(mine, theirs) === 0;
  });
}

/** Not all file systems have them. */
function listXattrs(path: string | Buffer): string[] {
  try {
    return llistxattr(path);
  } catch (error) {
    if (errnoName(error) === "EOPNOTSUPP") return [];
    throw error;
  }
}

const bufferBytes = 64 * 1024;
const buffers = [Buffer.allocUnsafe(bufferBytes), Buffer.allocUnsafe(bufferBytes)] as const;

/** Of equal size. */
export function sameContent(a: ByteString, b: ByteString, size: number): boolean {
  using fileA = openFile(a);
  using fileB = openFile(b);
  for (let at = 0; at < size; at += bufferBytes) {
    const length = Math.min(bufferBytes, size - at);
    if (readSync(fileA.fd, buffers[0], 0, length, at) !== length) return false;
    if (readSync(fileB.fd, buffers[1], 0, length, at) !== length) return false;
    if (buffers[0].compare(buffers[1], 0, length, 0, length) !== 0) return false;
  }
  return true;
}

/** A file of a layer, for reading. O_NONBLOCK: should it be something else by now, nobody waits for it. */
export function openFile(path: ByteString): Disposable & { readonly fd: number } {
  const fd = openSync(kernelPath(path), constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  return { fd, [Symbol.dispose]: () => closeSync(fd) };
}
