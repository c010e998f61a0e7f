/**
 * Headers of tar archives, in the ustar format where it holds all there is to say, with a pax header before it where it
 * does not (POSIX.1-2017 pax(1)): long names, large numbers, fractions of seconds, extended attributes.
 */
import { type ByteString, bytesOf } from "../byte-string.ts";
import type { EntryType, SparseMap, TarEntry, Timestamp } from "./entry.ts";
import { blockSize } from "./header.ts";

/** Two zero blocks. */
export const archiveEnd: Buffer = Buffer.alloc(2 * blockSize);

const flags: Readonly<Record<EntryType, string>> = {
  file: "0",
  hardlink: "1",
  symlink: "2",
  character: "3",
  block: "4",
  directory: "5",
  fifo: "6",
};

/** What ustar's octal fields hold: seven and eleven digits. */
const maxSmall = 0o7777777;
const maxLarge = 0o77777777777;
const maxName = 100;

/**
 * All that comes before the data of an entry. The data is `entry.dataSize` bytes, of a sparse file its segments one after
 * the other, which `paddingOf` completes.
 */
export function entryHeader(entry: TarEntry): Buffer {
  if (entry.sparse !== undefined) return sparseHeader(entry, entry.sparse);
  const path = entry.type === "directory" && !entry.path.endsWith("/") ? `${entry.path}/` : entry.path;
  return headerOf(entry, path, []);
}

/** GNU tar manual "PAX Format, Version 1.0": the map stands before the data, in blocks of its own. */
function sparseHeader(entry: TarEntry, { segments, realSize }: SparseMap): Buffer {
  const numbers = [segments.length, ...segments.flatMap(({ offset, length }) => [offset, length])];
  const map = Buffer.from(numbers.map((number) => `${number}\n`).join(""));
  const padded = Buffer.concat([map, paddingOf(map.length)]);
  const records = [
    paxRecord("GNU.sparse.major", "1"),
    paxRecord("GNU.sparse.minor", "0"),
    paxRecord("GNU.sparse.name", entry.path),
    paxRecord("GNU.sparse.realsize", String(realSize)),
  ];
  // A name that nobody takes for the whole file, for programs that know no sparse ones.
  const stored = { ...entry, dataSize: padded.length + entry.dataSize };
  return Buffer.concat([headerOf(stored, `GNUSparseFile.0/${entry.path}`, records), padded]);
}

function headerOf(entry: TarEntry, path: ByteString, further: readonly Buffer[]): Buffer {
  const records = [...paxRecords(entry, path), ...further];
  const own = ustarHeader(entry, path, flags[entry.type]);
  if (records.length === 0) return own;
  const body = Buffer.concat(records);
  const about = { ...entry, mode: 0o644, uid: 0, gid: 0, mtime: epoch, dataSize: body.length, linkTarget: "" };
  return Buffer.concat([ustarHeader(about, "././@PaxHeader", "x"), body, paddingOf(body.length), own]);
}

const epoch: Timestamp = { seconds: 0, nanoseconds: 0 };

/** The zeros that complete the last block. */
export function paddingOf(size: number): Buffer {
  return archiveEnd.subarray(0, (blockSize - (size % blockSize)) % blockSize);
}

function paxRecords(entry: TarEntry, path: ByteString): Buffer[] {
  const { linkTarget, uid, gid, dataSize, mtime } = entry;
  const records: Buffer[] = [];
  if (path.length > maxName) records.push(paxRecord("path", path));
  if (linkTarget.length > maxName) records.push(paxRecord("linkpath", linkTarget));
  if (uid > maxSmall) records.push(paxRecord("uid", String(uid)));
  if (gid > maxSmall) records.push(paxRecord("gid", String(gid)));
  if (dataSize > maxLarge) records.push(paxRecord("size", String(dataSize)));
  if (mtime.nanoseconds !== 0 || mtime.seconds < 0 || mtime.seconds > maxLarge)
    records.push(paxRecord("mtime", timeText(mtime)));
  // star's records, as GNU tar, bsdtar and docker write them: the value raw.
  for (const [name, value] of entry.xattrs) records.push(paxRecord(`SCHILY.xattr.${name}`, value));
  return records;
}

/** `LENGTH KEY=VALUE\n`; the length counts its own digits. */
function paxRecord(key: ByteString, value: ByteString): Buffer {
  const rest = ` ${key}=${value}\n`;
  let length = rest.length + 1;
  while (String(length).length + rest.length !== length) length = String(length).length + rest.length;
  return bytesOf(`${length}${rest}`);
}

/** Decimal, to the nanosecond; before the epoch the fraction counts backwards. */
function timeText({ seconds, nanoseconds }: Timestamp): string {
  const fraction = (value: number): string => (value === 0 ? "" : `.${String(value).padStart(9, "0")}`);
  if (seconds >= 0 || nanoseconds === 0) return `${seconds}${fraction(nanoseconds)}`;
  return `-${-seconds - 1}${fraction(1_000_000_000 - nanoseconds)}`;
}

function ustarHeader(entry: TarEntry, path: ByteString, flag: string): Buffer {
  const block = Buffer.alloc(blockSize);
  const text = (value: ByteString, offset: number, length: number): void =>
    void block.write(value.slice(0, length), offset, "latin1");
  const number = (value: number, offset: number, digits: number): void => {
    const fits = value >= 0 && value < 8 ** digits;
    text((fits ? value : 0).toString(8).padStart(digits, "0"), offset, digits);
  };
  text(path, 0, maxName);
  number(entry.mode, 100, 7);
  number(entry.uid, 108, 7);
  number(entry.gid, 116, 7);
  number(entry.dataSize, 124, 11);
  number(entry.mtime.seconds, 136, 11);
  text(flag, 156, 1);
  text(entry.linkTarget, 157, maxName);
  text("ustar\x0000", 257, 8);
  number(entry.deviceMajor, 329, 7);
  number(entry.deviceMinor, 337, 7);
  // The checksum is that of the block with spaces in its own place.
  text("        ", 148, 8);
  let sum = 0;
  // By index: an iterator costs a fifth of all that packing a small file does.
  for (let at = 0; at < blockSize; at++) sum += block[at] ?? 0;
  text(`${sum.toString(8).padStart(6, "0")}\0 `, 148, 8);
  return block;
}
