/** What differs between one path of two trees, in words: type, mode, owner, time, content, attributes. */
import { type BigIntStats, closeSync, constants, openSync, readlinkSync, readSync } from "node:fs";
import { lgetxattr, llistxattr } from "../../ffi/xattr.ts";
import { describeCause, errnoName } from "../core/errors.ts";
import { type ByteString, kernelPath } from "./byte-string.ts";

/** Where the kernel finds the two. */
export interface EntryPaths {
  readonly actual: ByteString;
  readonly expected: ByteString;
}

/** Of entries that are there in both trees; empty when they are the same. */
export function describeChanges(paths: EntryPaths, actual: BigIntStats, expected: BigIntStats): readonly string[] {
  if (typeOf(actual) !== typeOf(expected)) return [`is ${nameOf(actual)}, not ${nameOf(expected)}`];
  // Nothing of a whiteout shows in a box, and its time is that of the apply.
  if (isWhiteout(actual) && isWhiteout(expected)) return [];
  const changes = [...metadataChanges(actual, expected)];
  try {
    if (hasOtherContent(paths, actual, expected)) changes.push(actual.isSymbolicLink() ? "target" : "content");
    changes.push(...xattrChanges(paths));
  } catch (error) {
    // A bad sector, or an owner beyond the ids that are mapped.
    changes.push(`cannot be read: ${describeCause(error)}`);
  }
  return changes;
}

function typeOf({ mode }: BigIntStats): number {
  return Number(mode) & constants.S_IFMT;
}

const typeNames: Readonly<Record<number, string>> = {
  [constants.S_IFREG]: "a file",
  [constants.S_IFDIR]: "a directory",
  [constants.S_IFLNK]: "a symbolic link",
  [constants.S_IFCHR]: "a character device",
  [constants.S_IFBLK]: "a block device",
  [constants.S_IFIFO]: "a fifo",
  [constants.S_IFSOCK]: "a socket",
};

function nameOf(stats: BigIntStats): string {
  return typeNames[typeOf(stats)] ?? "unknown";
}

function metadataChanges(actual: BigIntStats, expected: BigIntStats): readonly string[] {
  const changes: string[] = [];
  const [mode, wanted] = [Number(actual.mode) & 0o7777, Number(expected.mode) & 0o7777];
  if (mode !== wanted) changes.push(`mode ${octal(mode)}, not ${octal(wanted)}`);
  if (actual.uid !== expected.uid || actual.gid !== expected.gid) {
    changes.push(`owner ${actual.uid}:${actual.gid}, not ${expected.uid}:${expected.gid}`);
  }
  if (actual.mtimeNs !== expected.mtimeNs) changes.push("modification time");
  if (isDevice(actual) && actual.rdev !== expected.rdev) changes.push("device number");
  return changes;
}

function octal(mode: number): string {
  return `0${mode.toString(8)}`;
}

function isWhiteout(stats: BigIntStats): boolean {
  return stats.isCharacterDevice() && stats.rdev === 0n;
}

function isDevice(stats: BigIntStats): boolean {
  return stats.isCharacterDevice() || stats.isBlockDevice();
}

function hasOtherContent({ actual, expected }: EntryPaths, stats: BigIntStats, wanted: BigIntStats): boolean {
  if (stats.isSymbolicLink()) return !readlinkBytes(actual).equals(readlinkBytes(expected));
  if (!stats.isFile()) return false;
  if (stats.size !== wanted.size) return true;
  return stats.size > 0n && !haveSameBytes(actual, expected);
}

function readlinkBytes(path: ByteString): Buffer {
  return readlinkSync(kernelPath(path), { encoding: "buffer" });
}

const chunkBytes = 512 * 1024;
/** One pair for all files: allocating them anew would cost more than reading small ones. */
const [left, right] = [Buffer.allocUnsafe(chunkBytes), Buffer.allocUnsafe(chunkBytes)];

/** Holes read as zeros: whether a file is sparse is no difference. */
function haveSameBytes(actual: ByteString, expected: ByteString): boolean {
  const flags = constants.O_RDONLY | constants.O_NOFOLLOW;
  using stack = new DisposableStack();
  const [one, other] = [actual, expected].map((path) => {
    const fd = openSync(kernelPath(path), flags);
    stack.defer(() => closeSync(fd));
    return fd;
  });
  if (one === undefined || other === undefined) return false;
  for (;;) {
    const count = fill(one, left);
    if (count !== fill(other, right)) return false;
    if (left.compare(right, 0, count, 0, count) !== 0) return false;
    if (count < chunkBytes) return true;
  }
}

/** read(2) may return less than there is. */
function fill(fd: number, buffer: Buffer): number {
  let done = 0;
  while (done < buffer.length) {
    const got = readSync(fd, buffer, done, buffer.length - done, null);
    if (got === 0) break;
    done += got;
  }
  return done;
}

/** Attributes that the host gives to files by their place or on its own account (xattr(7), "Extended security attributes"). */
const ofHost: ReadonlySet<string> = new Set(["security.selinux", "security.ima", "security.evm", "security.SMACK64"]);

function xattrChanges({ actual, expected }: EntryPaths): readonly string[] {
  const [there, wanted] = [xattrNames(actual), xattrNames(expected)];
  const names = [...new Set([...there, ...wanted])].sort();
  return names.filter((name) => isOther(actual, expected, name)).map((name) => `attribute ${name}`);
}

function xattrNames(path: ByteString): readonly string[] {
  try {
    return llistxattr(kernelPath(path)).filter((name) => !ofHost.has(name));
  } catch (error) {
    // A file system without extended attributes has none.
    if (errnoName(error) === "EOPNOTSUPP") return [];
    throw error;
  }
}

function isOther(actual: ByteString, expected: ByteString, name: string): boolean {
  const [is, should] = [lgetxattr(kernelPath(actual), name), lgetxattr(kernelPath(expected), name)];
  return is === undefined || should === undefined ? is !== should : !Buffer.from(is).equals(should);
}
