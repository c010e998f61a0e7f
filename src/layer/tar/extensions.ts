/** What the headers before an entry say about it (pax `x` and `g`, GNU `L` and `K`), and the entry that results. */
import { type ByteString, byteString, display } from "../byte-string.ts";
import type { EntryType, SparseMap, TarEntry, Timestamp } from "./entry.ts";
import type { RawHeader } from "./header.ts";
import { invalidArchive } from "./invalid.ts";
import { type PaxRecord, parsePaxNumber, parsePaxTime } from "./pax.ts";

/** Collected until the entry comes that they are about. */
export interface Extensions {
  pax: readonly PaxRecord[];
  longPath: ByteString | undefined;
  longLink: ByteString | undefined;
}

export const noExtensions = (): Extensions => ({ pax: [], longPath: undefined, longLink: undefined });

/** From global headers only what makes sense for many files is kept: names and sizes there could only confuse. */
const globalKeys = new Set(["uid", "gid", "mtime"]);

/** The global records after another `g` header: later ones win, an empty value takes a record back. */
export function mergeGlobals(before: readonly PaxRecord[], added: readonly PaxRecord[]): PaxRecord[] {
  const merged = new Map(before.map(({ key, value }) => [key, value]));
  for (const { key, value } of added) if (globalKeys.has(key)) merged.set(key, value);
  return [...merged].filter(([, value]) => value !== "").map(([key, value]) => ({ key, value }));
}

export interface Described {
  readonly header: RawHeader;
  readonly extensions: Extensions;
  readonly globals: readonly PaxRecord[];
  readonly offset: number;
}

/** The last value of a record, its own before global; an empty one means: as if there were none (pax(1)). */
function recordOf({ extensions, globals }: Described, key: string): ByteString | undefined {
  const value = (extensions.pax.findLast((r) => r.key === key) ?? globals.find((r) => r.key === key))?.value;
  return value === "" ? undefined : value;
}

export function pathOf(described: Described): ByteString {
  return recordOf(described, "path") ?? described.extensions.longPath ?? described.header.path;
}

/** Bytes of data that follow the header. Throws LAYER_INVALID if that is no size. */
export function sizeOf(described: Described): number {
  const { header, offset } = described;
  const record = recordOf(described, "size");
  const size = record === undefined ? header.size : parsePaxNumber(record);
  if (!(size >= 0)) throw invalidArchive("its size is not a number that can be", offset, display(pathOf(described)));
  return size;
}

export interface Body {
  readonly type: EntryType;
  readonly path: ByteString;
  readonly dataSize: number;
  readonly sparse: SparseMap | undefined;
}

/** Header and extensions as one entry. Throws LAYER_INVALID for an owner or a time that cannot be. */
export function describeEntry(described: Described, body: Body): TarEntry {
  const { header, extensions } = described;
  return {
    ...body,
    linkTarget: recordOf(described, "linkpath") ?? extensions.longLink ?? header.linkTarget,
    mode: header.mode & 0o7777,
    uid: ownerOf(described, "uid", header.uid),
    gid: ownerOf(described, "gid", header.gid),
    mtime: timeOf(described),
    deviceMajor: header.deviceMajor,
    deviceMinor: header.deviceMinor,
    xattrs: xattrsOf(extensions.pax),
  };
}

/** 2^32-1 means "leave as it is" to chown(2), so it is no owner. */
const maxId = 0xfffffffe;

function ownerOf(described: Described, key: "uid" | "gid", fromHeader: number): number {
  const record = recordOf(described, key);
  const id = record === undefined ? fromHeader : parsePaxNumber(record);
  if (id >= 0 && id <= maxId) return id;
  throw invalidArchive(`its ${key} is not a number from 0 to ${maxId}`, described.offset, display(pathOf(described)));
}

function timeOf(described: Described): Timestamp {
  const record = recordOf(described, "mtime");
  const time = record === undefined ? { seconds: described.header.mtimeSeconds, nanoseconds: 0 } : parsePaxTime(record);
  if (time !== undefined && Number.isSafeInteger(time.seconds)) return time;
  throw invalidArchive("its modification time is no time", described.offset, display(pathOf(described)));
}

const none: ReadonlyMap<ByteString, ByteString> = new Map();

/** star's records hold the raw value, libarchive's base64 under a percent-encoded name; star's wins if both are there. */
function xattrsOf(pax: readonly PaxRecord[]): ReadonlyMap<ByteString, ByteString> {
  if (!pax.some(({ key }) => key.includes(".xattr."))) return none;
  const xattrs = new Map<ByteString, ByteString>();
  for (const { key, value } of pax) {
    if (!key.startsWith("LIBARCHIVE.xattr.")) continue;
    xattrs.set(percentDecoded(key.slice("LIBARCHIVE.xattr.".length)), byteString(Buffer.from(value, "base64")));
  }
  for (const { key, value } of pax) {
    if (key.startsWith("SCHILY.xattr.")) xattrs.set(key.slice("SCHILY.xattr.".length), value);
  }
  xattrs.delete("");
  return xattrs;
}

function percentDecoded(text: ByteString): ByteString {
  return text.replace(/%([0-9a-fA-F]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
}
