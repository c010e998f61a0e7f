/**
 * The fixed 512-byte header of v7, ustar, GNU and star archives: POSIX.1-2017 pax(1) "ustar Interchange Format",
 * GNU tar manual "Basic Tar Format".
 *
 * node-tar's `Header` checks the checksum and reads the numbers that all dialects share, octal or base-256. What it does
 * not do is read here: it decodes names as UTF-8, which loses bytes, joins prefixes by rules of its own, and knows the
 * device numbers of ustar headers only. Its pax reader drops extended attributes and values with line ends: see pax.ts.
 */
import { Header } from "tar/header";
import type { ByteString } from "../byte-string.ts";
import { invalidArchive } from "./invalid.ts";

export const blockSize = 512;

export interface RawHeader {
  /** The type flag, one byte; NUL for v7 files. */
  readonly flag: string;
  /** Prefix and name joined. */
  readonly path: ByteString;
  readonly linkTarget: ByteString;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly size: number;
  readonly mtimeSeconds: number;
  readonly deviceMajor: number;
  readonly deviceMinor: number;
  /** GNU header: what ustar uses for the prefix may describe a sparse file. */
  readonly gnu: boolean;
}

/** A field up to its NUL, byte for byte. */
export function readString(block: Buffer, offset: number, length: number): ByteString {
  const nul = block.indexOf(0, offset);
  const end = nul === -1 || nul > offset + length ? offset + length : nul;
  return block.toString("latin1", offset, end);
}

/** An octal or (GNU, first bit set) base-256 field; NaN if it is neither or beyond 2^53. */
export function readUnsigned(block: Buffer, offset: number, length: number): number {
  const first = block[offset] ?? 0;
  if ((first & 0x80) === 0) {
    const text = readString(block, offset, length).trim();
    return text === "" ? 0 : /^[0-7]+$/.test(text) ? Number.parseInt(text, 8) : Number.NaN;
  }
  let value = first & 0x7f;
  for (let at = offset + 1; at < offset + length; at++) value = value * 256 + (block[at] ?? 0);
  return Number.isSafeInteger(value) ? value : Number.NaN;
}

/** The end of an archive is made of such blocks. */
export function isZeroBlock(block: Buffer): boolean {
  return block[0] === 0 && block.every((byte) => byte === 0);
}

/** Read a header; `offset` is its place in the archive, for errors. Throws LAYER_INVALID. */
export function readHeader(block: Buffer, offset: number): RawHeader {
  const fields = decode(block, offset);
  const magic = block.toString("latin1", 257, 263);
  const gnu = magic === "ustar ";
  const extended = gnu || magic === "ustar\0";
  const name = readString(block, 0, 100);
  const prefix = magic === "ustar\0" ? readPrefix(block) : "";
  const number = (value: number | undefined): number => value ?? Number.NaN;
  return {
    flag: String.fromCharCode(block[156] ?? 0),
    path: prefix === "" ? name : `${prefix}/${name}`,
    linkTarget: readString(block, 157, 100),
    mode: number(fields.mode ?? 0),
    uid: number(fields.uid ?? 0),
    gid: number(fields.gid ?? 0),
    size: number(fields.size),
    mtimeSeconds: fields.mtime === undefined ? 0 : fields.mtime.getTime() / 1000,
    deviceMajor: extended ? readUnsigned(block, 329, 8) : 0,
    deviceMinor: extended ? readUnsigned(block, 337, 8) : 0,
    gnu,
  };
}

/** star keeps two times at the end of the prefix and signs with "tar\0" (star(5)). */
function readPrefix(block: Buffer): ByteString {
  return readString(block, 345, block.toString("latin1", 508, 512) === "tar\0" ? 131 : 155);
}

function decode(block: Buffer, offset: number): Header {
  let header: Header;
  try {
    header = new Header(block, 0);
  } catch (error) {
    throw invalidArchive(error instanceof Error ? error.message : String(error), offset);
  }
  if (!header.cksumValid && !signedChecksumMatches(block, header.cksum)) {
    throw invalidArchive("this is no tar header: its checksum is wrong", offset);
  }
  return header;
}

/** Sun's old tar summed signed characters; readers accept both (GNU tar manual "Basic Tar Format", chksum). */
function signedChecksumMatches(block: Buffer, expected: number | undefined): boolean {
  let sum = 8 * 0x20;
  for (let at = 0; at < blockSize; at++) if (at < 148 || at >= 156) sum += block.readInt8(at);
  return sum === expected;
}
