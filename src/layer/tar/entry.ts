/** One file of an archive, whatever dialect of tar described it. */
import type { ByteString } from "../byte-string.ts";

export type EntryType = "file" | "directory" | "symlink" | "hardlink" | "character" | "block" | "fifo";

/** A part of a sparse file that has data: bytes [offset, offset + length). */
export interface Segment {
  readonly offset: number;
  readonly length: number;
}

export interface SparseMap {
  /** Ascending, not overlapping; what lies between are holes. */
  readonly segments: readonly Segment[];
  /** Size of the file, holes included. */
  readonly realSize: number;
}

export interface Timestamp {
  /** Since the epoch; may be negative. */
  readonly seconds: number;
  /** 0 to 999,999,999, always forward from `seconds`. */
  readonly nanoseconds: number;
}

const perSecond = 1_000_000_000n;

/** A time in nanoseconds, as lstat(2) gives it. */
export function toTimestamp(nanosecondsSinceEpoch: bigint): Timestamp {
  const nanoseconds = ((nanosecondsSinceEpoch % perSecond) + perSecond) % perSecond;
  return { seconds: Number((nanosecondsSinceEpoch - nanoseconds) / perSecond), nanoseconds: Number(nanoseconds) };
}

export interface TarEntry {
  readonly type: EntryType;
  /** As the archive spells it, neither cleaned nor checked. */
  readonly path: ByteString;
  /** Of symlinks and hard links. */
  readonly linkTarget: ByteString;
  /** Permission, setuid, setgid and sticky bits. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly mtime: Timestamp;
  readonly deviceMajor: number;
  readonly deviceMinor: number;
  /** Bytes of data that follow in the archive; 0 for all but files. */
  readonly dataSize: number;
  readonly sparse: SparseMap | undefined;
  /** Name to value, raw. */
  readonly xattrs: ReadonlyMap<ByteString, ByteString>;
}
