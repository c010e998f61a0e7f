/** Records of pax extended headers: POSIX.1-2017 pax(1) "pax Extended Header". */
import type { ByteString } from "../byte-string.ts";
import type { Timestamp } from "./entry.ts";
import { invalidArchive } from "./invalid.ts";

export interface PaxRecord {
  readonly key: ByteString;
  readonly value: ByteString;
}

/** The longest decimal length that can be meant: more digits than any header has bytes. */
const maxLengthDigits = 10;

/**
 * The records of one extended header, in order (GNU.sparse.offset repeats), bytes kept. `offset`: for errors.
 * Throws LAYER_INVALID if a record does not say its own length exactly.
 */
export function parsePax(data: Buffer, offset: number): PaxRecord[] {
  const records: PaxRecord[] = [];
  let at = 0;
  while (at < data.length) {
    const end = at + recordLength(data, at, offset);
    const space = data.indexOf(0x20, at);
    const equals = data.indexOf(0x3d, space);
    if (end > data.length || data[end - 1] !== 0x0a || equals === -1 || equals >= end || equals === space + 1) {
      throw invalidArchive("a pax record does not fit its length", offset + at);
    }
    const key = data.toString("latin1", space + 1, equals);
    const value = data.toString("latin1", equals + 1, end - 1);
    refuseNul(key, value, offset + at);
    records.push({ key, value });
    at = end;
  }
  return records;
}

function recordLength(data: Buffer, at: number, offset: number): number {
  let length = 0;
  for (let digits = 0; digits <= maxLengthDigits; digits++) {
    const byte = data[at + digits];
    if (byte === 0x20 && length > digits + 1) return length;
    if (byte === undefined || byte < 0x30 || byte > 0x39) break;
    length = length * 10 + byte - 0x30;
  }
  throw invalidArchive("a pax record has no length", offset + at);
}

/** A name that ends early for C programs and not for others is how scanners are fooled. Only attributes' values are binary. */
function refuseNul(key: ByteString, value: ByteString, offset: number): void {
  const binary = key.startsWith("SCHILY.xattr.");
  if (key.includes("\0") || (!binary && value.includes("\0"))) {
    throw invalidArchive("a pax record has a NUL where none may be", offset);
  }
}

/** `1700000000.123456789`, also negative, to the nanosecond (further digits are cut); undefined if it is no such number. */
export function parsePaxTime(text: string): Timestamp | undefined {
  const match = /^(-?)(\d{1,15})(?:\.(\d*))?$/.exec(text);
  if (match === null) return undefined;
  const [, sign, whole = "", fraction = ""] = match;
  const seconds = Number(whole);
  const nanoseconds = Number(fraction.slice(0, 9).padEnd(9, "0"));
  if (sign !== "-") return { seconds, nanoseconds };
  return nanoseconds === 0
    ? { seconds: 0 - seconds, nanoseconds }
    : { seconds: -seconds - 1, nanoseconds: 1e9 - nanoseconds };
}

/** A decimal number as pax writes it; NaN if it is not one or beyond 2^53. */
export function parsePaxNumber(text: string): number {
  const value = /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN;
  return Number.isSafeInteger(value) ? value : Number.NaN;
}
