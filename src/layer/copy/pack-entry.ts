/** One file of a tree as an entry of a tar archive, its content behind it: by its directory, which is open, and its name. */
import { type BigIntStats, fstatSync, lstatSync, readlinkSync, readSync } from "node:fs";
import { seekData, seekHole } from "../../../ffi/libc.ts";
import { fgetxattr, flistxattr, lgetxattr, llistxattr } from "../../../ffi/xattr.ts";
import { DevboxError, errnoName } from "../../core/errors.ts";
import { type ByteString, byteString, byteStringOfText, display } from "../byte-string.ts";
import type { Notes } from "../notes.ts";
import { type EntryType, type Segment, type SparseMap, type TarEntry, toTimestamp } from "../tar/entry.ts";
import { entryHeader, paddingOf } from "../tar/write.ts";
import { nameIn, type Opened, openFileIn } from "./at.ts";

/** Where the archive goes; the bytes are valid during the call only. */
export type Emit = (chunk: Buffer) => void;

export interface Packing {
  readonly emit: Emit;
  readonly notes: Notes;
  readonly buffer: Buffer;
  /** `dev:ino` of files with several names → the one under which they are in the archive. */
  readonly links: Map<string, ByteString>;
  /** What the archive says of a file, from what the file system says. Of a file with content its type and size must stay. */
  readonly adapt: (entry: TarEntry) => TarEntry;
}

const bufferBytes = 256 * 1024;

export function beginPacking(emit: Emit, notes: Notes, adapt: Packing["adapt"] = (entry) => entry): Packing {
  return { emit, notes, buffer: Buffer.allocUnsafe(bufferBytes), links: new Map(), adapt };
}

/** A name in an open directory. */
export interface Named {
  readonly directory: number;
  readonly name: ByteString;
  /** Of the name itself (lstat(2)). */
  readonly stats: BigIntStats;
}

export function lookAt(directory: number, name: ByteString): Named {
  return { directory, name, stats: lstatSync(nameIn(directory, name), { bigint: true }) };
}

/** What is no directory. `path`: in the archive. */
export function packOther(packing: Packing, { directory, name, stats }: Named, path: ByteString): void {
  const own = nameIn(directory, name);
  if (isLink(packing, stats, path)) {
    emitEntry(packing, describe(stats, "hardlink", path, { linkTarget: packing.links.get(identity(stats)) ?? "" }));
  } else if (stats.isFile()) {
    using file = openFileIn(directory, name);
    packFile(packing, file, path);
  } else {
    packSpecial(packing, stats, path, own);
  }
}

/** The entry of a directory alone. */
export function packDirectoryEntry(packing: Packing, { fd }: Opened, path: ByteString): void {
  emitEntry(packing, describe(fstatSync(fd, { bigint: true }), "directory", path, { xattrs: xattrsOf(fd) }));
}

function identity({ dev, ino }: BigIntStats): string {
  return `${dev}:${ino}`;
}

/** Whether the file is in the archive under another name; remembers the first. */
function isLink({ links }: Packing, stats: BigIntStats, path: ByteString): boolean {
  if (stats.nlink < 2n || stats.isSymbolicLink()) return false;
  if (links.has(identity(stats))) return true;
  links.set(identity(stats), path);
  return false;
}

function packSpecial(packing: Packing, stats: BigIntStats, path: ByteString, own: string | Buffer): void {
  if (stats.isSocket()) {
    packing.notes.add("socket", `${display(path)}: a socket has no content and is left out`);
    return;
  }
  const xattrs = xattrsOf(own);
  if (stats.isSymbolicLink()) {
    const linkTarget = byteString(readlinkSync(own, { encoding: "buffer" }));
    emitEntry(packing, describe(stats, "symlink", path, { linkTarget, xattrs }));
  } else if (stats.isFIFO()) emitEntry(packing, describe(stats, "fifo", path, { xattrs }));
  else {
    const device = { deviceMajor: major(stats.rdev), deviceMinor: minor(stats.rdev), xattrs };
    emitEntry(packing, describe(stats, stats.isBlockDevice() ? "block" : "character", path, device));
  }
}

export function packFile(packing: Packing, file: Opened, path: ByteString): void {
  const stats = fstatSync(file.fd, { bigint: true });
  if (!stats.isFile())
    throw new DevboxError("COPY_FAILED", { step: display(path), because: "it became something else meanwhile" });
  const size = Number(stats.size);
  const sparse = sparseMapOf(file.fd, stats);
  const segments = sparse?.segments ?? [{ offset: 0, length: size }];
  const dataSize = segments.reduce((sum, { length }) => sum + length, 0);
  emitEntry(packing, describe(stats, "file", path, { dataSize, sparse, xattrs: xattrsOf(file.fd) }));
  for (const segment of segments) packData(packing, file.fd, path, segment);
  packing.emit(paddingOf(dataSize));
}

/** A file with more segments is packed as if it had no holes: its map would be larger than readers take. */
const maxSegments = 10_000;

/** undefined: it has no holes. */
function sparseMapOf(fd: number, { size, blocks }: BigIntStats): SparseMap | undefined {
  const realSize = Number(size);
  if (blocks * 512n >= size) return undefined;
  const segments: Segment[] = [];
  for (let at = seekData(fd, 0); at !== undefined && at < realSize; ) {
    const end = Math.min(seekHole(fd, at), realSize);
    segments.push({ offset: at, length: end - at });
    if (segments.length > maxSegments) return undefined;
    at = end < realSize ? seekData(fd, end) : undefined;
  }
  // The end is told by a segment that is empty, as GNU tar does.
  return { segments: [...segments, { offset: realSize, length: 0 }], realSize };
}

/** A file that shrinks meanwhile is completed with zeros, one that grows is cut: the archive has told its size before. */
function packData(packing: Packing, fd: number, path: ByteString, { offset, length: size }: Segment): void {
  const { buffer, emit, notes } = packing;
  let left = size;
  while (left > 0) {
    const length = readSync(fd, buffer, 0, Math.min(left, buffer.length), offset + size - left);
    if (length === 0) break;
    emit(buffer.subarray(0, length));
    left -= length;
  }
  if (left === 0) return;
  notes.add(`shrunk ${path}`, `${display(path)}: it became shorter while it was copied`);
  for (buffer.fill(0); left > 0; left -= Math.min(left, buffer.length))
    emit(buffer.subarray(0, Math.min(left, buffer.length)));
}

function emitEntry({ emit, adapt }: Packing, entry: TarEntry): void {
  emit(entryHeader(adapt(entry)));
}

const noXattrs: TarEntry["xattrs"] = new Map();

function describe(
  stats: BigIntStats,
  type: EntryType,
  path: ByteString,
  more: Partial<Pick<TarEntry, "linkTarget" | "dataSize" | "sparse" | "xattrs" | "deviceMajor" | "deviceMinor">>,
): TarEntry {
  return {
    type,
    path,
    linkTarget: "",
    mode: Number(stats.mode) & 0o7777,
    uid: Number(stats.uid),
    gid: Number(stats.gid),
    mtime: toTimestamp(stats.mtimeNs),
    deviceMajor: 0,
    deviceMinor: 0,
    dataSize: 0,
    sparse: undefined,
    xattrs: noXattrs,
    ...more,
  };
}

/** All that the caller may see, of an open file, or of what a path names itself. */
export function xattrsOf(file: number | string | Buffer): TarEntry["xattrs"] {
  const names = listXattrs(file);
  if (names.length === 0) return noXattrs;
  const readValue = (name: string) => (typeof file === "number" ? fgetxattr(file, name) : lgetxattr(file, name));
  const values = names.map((name) => [byteStringOfText(name), readValue(name)] as const);
  return new Map(values.flatMap(([name, value]) => (value === undefined ? [] : [[name, byteString(value)] as const])));
}

/** Not all file systems have them. */
function listXattrs(file: number | string | Buffer): readonly string[] {
  try {
    return typeof file === "number" ? flistxattr(file) : llistxattr(file);
  } catch (error) {
    if (["EOPNOTSUPP", "ENOTSUP", "EPERM", "EACCES"].includes(errnoName(error) ?? "")) return [];
    throw error;
  }
}

/** makedev(3). */
function major(device: bigint): number {
  return Number(((device >> 8n) & 0xfffn) | ((device >> 32n) & 0xfffff000n));
}

function minor(device: bigint): number {
  return Number((device & 0xffn) | ((device >> 12n) & 0xffffff00n));
}
