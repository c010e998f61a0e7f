/**
 * Tar archives byte by byte, also malformed and hostile ones that no tool would write. It shares no code with the reader
 * under test. Names and values are text (UTF-8) or raw bytes.
 */

export type Bytes = string | Uint8Array;

export interface TarItem {
  readonly path: Bytes;
  /** Type flag; default: `5` if the path ends with a slash, else `0`. */
  readonly type?: string;
  readonly content?: Bytes;
  readonly link?: Bytes;
  readonly mode?: number;
  readonly uid?: number;
  readonly gid?: number;
  /** Seconds; fractions and what octal cannot hold need `pax`. */
  readonly mtime?: number;
  readonly device?: readonly [major: number, minor: number];
  /** What the size field says, if not the length of `content`. */
  readonly size?: number;
  /** Records of a pax header before it. */
  readonly pax?: Readonly<Record<string, Bytes>>;
  /** `ustar` (default), `gnu`, or `v7` without magic and device numbers. */
  readonly format?: "ustar" | "gnu" | "v7";
  /** Last change of the header's block; the checksum follows it. */
  readonly mutate?: (block: Buffer) => void;
  /** Leave the checksum wrong. */
  readonly badChecksum?: boolean;
}

const blockSize = 512;

/** A whole archive; `end` false leaves out the two zero blocks. */
export function tar(items: readonly TarItem[], end = true): Buffer {
  return Buffer.concat([...items.map(tarItem), end ? Buffer.alloc(2 * blockSize) : Buffer.alloc(0)]);
}

/** Header, data and padding of one item, its pax header before it. */
export function tarItem(item: TarItem): Buffer {
  const content = toBytes(item.content ?? "");
  const own = Buffer.concat([header(item, content.length), padded(content)]);
  return item.pax === undefined ? own : Buffer.concat([extension("x", paxRecords(Object.entries(item.pax))), own]);
}

/** An extended header (`x`, `g`, `L`, `K`) with this content. */
export function extension(type: string, content: Bytes): Buffer {
  const bytes = toBytes(content);
  return Buffer.concat([header({ path: "././@PaxHeader", type }, bytes.length), padded(bytes)]);
}

/** `LENGTH KEY=VALUE\n` for each, in order. */
export function paxRecords(records: readonly (readonly [string, Bytes])[]): Buffer {
  return Buffer.concat(records.map(([key, value]) => paxRecord(key, toBytes(value))));
}

function paxRecord(key: string, value: Buffer): Buffer {
  const rest = Buffer.concat([toBytes(` ${key}=`), value, toBytes("\n")]);
  // The length counts its own digits.
  let length = rest.length + 1;
  while (String(length).length + rest.length !== length) length = String(length).length + rest.length;
  return Buffer.concat([toBytes(String(length)), rest]);
}

function header(item: TarItem, contentSize: number): Buffer {
  const block = Buffer.alloc(blockSize);
  const path = toBytes(item.path);
  const format = item.format ?? "ustar";
  path.copy(block, 0, 0, 100);
  octal(block, 100, 8, item.mode ?? (isDirectory(item) ? 0o755 : 0o644));
  octal(block, 108, 8, item.uid ?? 0);
  octal(block, 116, 8, item.gid ?? 0);
  octal(block, 124, 12, item.size ?? contentSize);
  octal(block, 136, 12, item.mtime ?? 1_700_000_000);
  block.write(item.type ?? (isDirectory(item) ? "5" : "0"), 156, 1, "latin1");
  toBytes(item.link ?? "").copy(block, 157, 0, 100);
  if (format === "ustar") block.write("ustar\x0000", 257, "latin1");
  if (format === "gnu") block.write("ustar  \0", 257, "latin1");
  if (format !== "v7") {
    octal(block, 329, 8, item.device?.[0] ?? 0);
    octal(block, 337, 8, item.device?.[1] ?? 0);
  }
  item.mutate?.(block);
  checksum(block, item.badChecksum === true);
  return block;
}

function isDirectory(item: TarItem): boolean {
  return item.type === undefined && toBytes(item.path).at(-1) === 0x2f;
}

/** Octal with a NUL, or GNU's base-256 where that does not fit. */
function octal(block: Buffer, offset: number, length: number, value: number): void {
  const text = value.toString(8);
  if (value >= 0 && text.length < length) {
    block.write(text.padStart(length - 1, "0"), offset, "latin1");
    return;
  }
  let rest = BigInt.asUintN(length * 8 - 1, BigInt(value)) | (1n << BigInt(length * 8 - 1));
  for (let at = offset + length - 1; at >= offset; at--) {
    block[at] = Number(rest & 0xffn);
    rest >>= 8n;
  }
}

function checksum(block: Buffer, wrong: boolean): void {
  block.fill(0x20, 148, 156);
  const sum = block.reduce((total, byte) => total + byte, wrong ? 1 : 0);
  block.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148, "latin1");
}

function padded(content: Buffer): Buffer {
  return Buffer.concat([content, Buffer.alloc((blockSize - (content.length % blockSize)) % blockSize)]);
}

function toBytes(value: Bytes): Buffer {
  return typeof value === "string" ? Buffer.from(value, "utf8") : Buffer.from(value);
}
