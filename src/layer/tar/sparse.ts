/** Where the data of sparse files lies: GNU tar manual "Storing Sparse Files", in its four dialects. */
import type { ByteString } from "../byte-string.ts";
import type { Segment, SparseMap } from "./entry.ts";
import { blockSize, readUnsigned } from "./header.ts";
import { type PaxRecord, parsePaxNumber } from "./pax.ts";

/** Numbers that a map may have: 1 MiB of map text holds no more. */
const maxNumbers = 1 << 19;

/** Check a map against the bytes that the archive holds for it; undefined: it is not a sane one. */
export function checkedMap(segments: readonly Segment[], realSize: number, dataSize: number): SparseMap | undefined {
  let end = 0;
  let total = 0;
  for (const { offset, length } of segments) {
    if (!Number.isSafeInteger(offset + length) || offset < end || length < 0) return undefined;
    end = offset + length;
    total += length;
  }
  const sane = Number.isSafeInteger(realSize) && end <= realSize && total === dataSize;
  return sane ? { segments: segments.filter(({ length }) => length > 0), realSize } : undefined;
}

/** Segments in an old GNU header (`S`, 4 at byte 386) or one of its extension blocks (21 at byte 0). */
export function readGnuSegments(block: Buffer, kind: "header" | "extension"): { segments: Segment[]; more: boolean } {
  const [start, count, flagAt] = kind === "header" ? [386, 4, 482] : [0, 21, 504];
  const segments: Segment[] = [];
  for (let index = 0; index < count; index++) {
    const at = start + index * 24;
    if (block[at] === 0) break;
    segments.push({ offset: readUnsigned(block, at, 12), length: readUnsigned(block, at + 12, 12) });
  }
  return { segments, more: block[flagAt] !== 0 };
}

export function readGnuRealSize(block: Buffer): number {
  return readUnsigned(block, 483, 12);
}

/** What the pax records say of a sparse file of format 0.0, 0.1 or 1.0. */
export interface PaxSparse {
  /** undefined: format 1.0, the map is at the start of the data. */
  readonly segments: readonly Segment[] | undefined;
  readonly realSize: number;
  readonly name: ByteString | undefined;
}

/** undefined: the records describe no sparse file. Numbers that are none come out as NaN, which `checkedMap` refuses. */
export function paxSparse(records: readonly PaxRecord[]): PaxSparse | undefined {
  const last = (key: string): ByteString | undefined => records.findLast((record) => record.key === key)?.value;
  const name = last("GNU.sparse.name");
  if (last("GNU.sparse.major") === "1" && last("GNU.sparse.minor") === "0") {
    return { segments: undefined, realSize: parsePaxNumber(last("GNU.sparse.realsize") ?? ""), name };
  }
  const size = last("GNU.sparse.size");
  if (size === undefined) return undefined;
  const map = last("GNU.sparse.map");
  const numbers = map === undefined ? pairs00(records) : map === "" ? [] : map.split(",").map(parsePaxNumber);
  return { segments: toSegments(numbers), realSize: parsePaxNumber(size), name };
}

/** Format 0.0: the two records of each segment, repeated. */
function pairs00(records: readonly PaxRecord[]): number[] {
  return records
    .filter(({ key }) => key === "GNU.sparse.offset" || key === "GNU.sparse.numbytes")
    .map(({ value }) => parsePaxNumber(value));
}

function toSegments(numbers: readonly number[]): Segment[] {
  const segments: Segment[] = [];
  for (let at = 0; at < numbers.length; at += 2) {
    segments.push({ offset: numbers[at] ?? Number.NaN, length: numbers[at + 1] ?? Number.NaN });
  }
  return segments;
}

/** Reads the map of format 1.0 out of the first blocks of the data: decimal numbers, a line each, the count first. */
export interface MapReader {
  /** true: the map is complete with this block. "invalid": these are no such lines. */
  push(block: Buffer): boolean | "invalid";
  segments(): Segment[];
}

export function createMapReader(): MapReader {
  const numbers: number[] = [];
  let text = "";
  const complete = (): boolean => numbers.length > 0 && numbers.length >= 1 + 2 * (numbers[0] ?? 0);
  return {
    push: (block) => {
      const lines = (text + block.toString("latin1", 0, blockSize)).split("\n");
      text = lines.pop() ?? "";
      for (const line of lines) {
        if (complete()) break;
        const number = parsePaxNumber(line);
        if (Number.isNaN(number) || (numbers.length === 0 && number > maxNumbers / 2)) return "invalid";
        numbers.push(number);
      }
      return complete() ? true : text.length > 16 ? "invalid" : false;
    },
    segments: () => toSegments(numbers.slice(1, 1 + 2 * (numbers[0] ?? 0))),
  };
}
