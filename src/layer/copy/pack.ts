/** A file or a tree as a tar archive: what `cp` takes out of a box or off this machine. */
import { type BigIntStats, fstatSync, lstatSync, readdirSync, readlinkSync, readSync } from "node:fs";
import { seekData, seekHole } from "../../../ffi/libc.ts";
import { lgetxattr, llistxattr } from "../../../ffi/xattr.ts";
import { DevboxError, errnoName } from "../../core/errors.ts";
import { type ByteString, byteString, byteStringOfText, display } from "../byte-string.ts";
import type { Notes } from "../notes.ts";
import { type EntryType, type Segment, type SparseMap, type TarEntry, toTimestamp } from "../tar/entry.ts";
import { archiveEnd, entryHeader, paddingOf } from "../tar/write.ts";
import { nameIn, type Opened, openDirectoryIn, openFileIn, reopen, resolveIn, splitAbsolute } from "./at.ts";
import { inPath } from "./failure.ts";
import type { PackRequest } from "./request.ts";

/** Where the archive goes; the bytes are valid during the call only. */
export type Emit = (chunk: Buffer) => void;

interface Packing {
  readonly emit: Emit;
  readonly notes: Notes;
  readonly buffer: Buffer;
  /** `dev:ino` of files with several names → the one under which they are in the archive. */
  readonly links: Map<string, ByteString>;
}

const bufferBytes = 256 * 1024;

/** @throws DevboxError COPY_FAILED naming the path */
export function pack(root: number, request: PackRequest, notes: Notes, emit: Emit): void {
  const packing: Packing = { emit, notes, buffer: Buffer.allocUnsafe(bufferBytes), links: new Map() };
  const path = byteStringOfText(request.path);
  inPath(`copy ${request.shown}`, () => packTop(packing, root, path, request));
  emit(archiveEnd);
}

function packTop(packing: Packing, root: number, path: ByteString, { follow, shown }: PackRequest): void {
  const isContent = path === "/" || path.endsWith("/.");
  const clean = path.replace(/\/\.?$/, "") || "/";
  const { parent, name } = splitAbsolute(clean);
  const entry = isContent ? "." : name;
  if (!follow && clean === path) {
    using directory = resolveIn(root, parent);
    packEntry(packing, directory.fd, name, entry);
    return;
  }
  using found = resolveIn(root, clean);
  const stats = fstatSync(found.fd, { bigint: true });
  if (!stats.isDirectory() && clean !== path)
    throw new DevboxError("COPY_FAILED", { step: `copy ${shown}`, because: "it is not a directory" });
  if (stats.isDirectory()) {
    using directory = reopen(found, "directory");
    packDirectory(packing, directory, entry, `/proc/self/fd/${directory.fd}/.`);
  } else if (stats.isFile()) {
    using file = reopen(found, "file");
    packFile(packing, file, entry, `/proc/self/fd/${file.fd}`);
  } else {
    using directory = resolveIn(root, parent);
    packEntry(packing, directory.fd, name, entry);
  }
}

/** `path`: in the archive. */
function packEntry(packing: Packing, directory: number, name: ByteString, path: ByteString): void {
  const own = nameIn(directory, name);
  const stats = lstatSync(own, { bigint: true });
  if (stats.isDirectory()) {
    using inner = openDirectoryIn(directory, name);
    packDirectory(packing, inner, path, own);
  } else if (isLink(packing, stats, path)) {
    emitEntry(packing, describe(stats, "hardlink", path, { linkTarget: packing.links.get(identity(stats)) ?? "" }));
  } else if (stats.isFile()) {
    using file = openFileIn(directory, name);
    packFile(packing, file, path, own);
  } else {
    packSpecial(packing, stats, path, own);
  }
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

function packDirectory(packing: Packing, directory: Opened, path: ByteString, own: string | Buffer): void {
  emitEntry(packing, describe(fstatSync(directory.fd, { bigint: true }), "directory", path, { xattrs: xattrsOf(own) }));
  const names = readdirSync(`/proc/self/fd/${directory.fd}`, { encoding: "buffer" }).map(byteString).sort();
  for (const name of names) {
    const inner = path === "." ? `./${name}` : `${path}/${name}`;
    try {
      inPath(display(inner), () => packEntry(packing, directory.fd, name, inner));
    } catch (error) {
      // It was removed between being listed and being looked at.
      if (!(error instanceof DevboxError && errnoName(error.cause) === "ENOENT")) throw error;
    }
  }
}

function packSpecial({ emit, notes }: Packing, stats: BigIntStats, path: ByteString, own: string | Buffer): void {
  if (stats.isSocket()) {
    notes.add("socket", `${display(path)}: a socket has no content and is left out`);
    return;
  }
  const device = { deviceMajor: major(stats.rdev), deviceMinor: minor(stats.rdev) };
  if (stats.isSymbolicLink()) {
    const linkTarget = byteString(readlinkSync(own, { encoding: "buffer" }));
    emit(entryHeader(describe(stats, "symlink", path, { linkTarget })));
  } else if (stats.isFIFO()) emit(entryHeader(describe(stats, "fifo", path, {})));
  else emit(entryHeader(describe(stats, stats.isBlockDevice() ? "block" : "character", path, device)));
}

function packFile(packing: Packing, file: Opened, path: ByteString, own: string | Buffer): void {
  const stats = fstatSync(file.fd, { bigint: true });
  if (!stats.isFile())
    throw new DevboxError("COPY_FAILED", { step: display(path), because: "it became something else meanwhile" });
  const size = Number(stats.size);
  const sparse = sparseMapOf(file.fd, stats);
  const segments = sparse?.segments ?? [{ offset: 0, length: size }];
  const dataSize = segments.reduce((sum, { length }) => sum + length, 0);
  emitEntry(packing, describe(stats, "file", path, { dataSize, sparse, xattrs: xattrsOf(own) }));
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
  if (left > 0) notes.add(`shrunk ${path}`, `${display(path)}: it became shorter while it was copied`);
  for (buffer.fill(0); left > 0; left -= Math.min(left, buffer.length))
    emit(buffer.subarray(0, Math.min(left, buffer.length)));
}

function emitEntry({ emit }: Packing, entry: TarEntry): void {
  emit(entryHeader(entry));
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

function xattrsOf(path: string | Buffer): TarEntry["xattrs"] {
  const names = listXattrs(path);
  if (names.length === 0) return noXattrs;
  const values = names.map((name) => [byteStringOfText(name), lgetxattr(path, name)] as const);
  return new Map(values.flatMap(([name, value]) => (value === undefined ? [] : [[name, byteString(value)] as const])));
}

/** Not all file systems have them. */
function listXattrs(path: string | Buffer): readonly string[] {
  try {
    return llistxattr(path);
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
