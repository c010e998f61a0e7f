/**
 * A tar stream into a layer's blob, compressed block by block on all processors: gzip members (RFC 1952 section 2.2) or zstd
 * frames (RFC 8878 section 3.1) one after the other are a valid whole, to every reader. Equal input gives equal bytes: blocks
 * have a fixed size, and neither format's header says when or by whom.
 */
import { promisify } from "node:util";
import { gzip } from "node:zlib";
import type { Compression } from "./protocol.ts";

export interface Packing {
  readonly compression: Compression;
  /** gzip 1 to 9, zstd 1 to 19; undefined: `defaultLevels`. */
  readonly level?: number;
}

/** What docker and podman take. */
export const defaultLevels: Readonly<Record<Compression, number>> = { none: 0, gzip: 6, zstd: 3 };

export const levelLimits: Readonly<Record<Compression, readonly [number, number]>> = {
  none: [0, 0],
  gzip: [1, 9],
  zstd: [1, 19],
};

/** Uncompressed bytes of a block: larger ones pack 1 % better, and keep a small layer on one processor. */
const blockBytes = 1024 * 1024;

/** Blocks under way: enough that no processor waits for the reader. */
const blocksAtOnce = 2 + navigator.hardwareConcurrency;

/** @param chunks valid until the next is asked for */
export async function* compress(
  chunks: AsyncIterable<Uint8Array>,
  { compression, level = defaultLevels[compression] }: Packing,
): AsyncGenerator<Uint8Array> {
  if (compression === "none") return yield* chunks;
  const underWay: Promise<Uint8Array>[] = [];
  for await (const block of blocksOf(chunks)) {
    const packed = compression === "gzip" ? gzipBlock(block, { level }) : Bun.zstdCompress(block, { level });
    // It is awaited in its turn; until then a failure must not end the process.
    packed.catch(() => {});
    underWay.push(packed);
    const first = underWay.length < blocksAtOnce ? undefined : underWay.shift();
    if (first !== undefined) yield await first;
  }
  for (const packed of underWay) yield await packed;
}

const gzipBlock: (block: Uint8Array, options: { level: number }) => Promise<Uint8Array> = promisify(gzip);

/** Blocks of their own memory. Of nothing, one empty block: an empty file is no gzip file. */
async function* blocksOf(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let block = Buffer.allocUnsafeSlow(blockBytes);
  let fill = 0;
  let isFirst = true;
  for await (const chunk of chunks) {
    for (let taken = 0; taken < chunk.byteLength; ) {
      const part = chunk.subarray(taken, taken + blockBytes - fill);
      block.set(part, fill);
      fill += part.byteLength;
      taken += part.byteLength;
      if (fill < blockBytes) continue;
      yield block;
      isFirst = false;
      block = Buffer.allocUnsafeSlow(blockBytes);
      fill = 0;
    }
  }
  if (fill > 0 || isFirst) yield block.subarray(0, fill);
}
