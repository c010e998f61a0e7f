import { expect, test } from "bun:test";
import { constants, zstdCompressSync } from "node:zlib";
import fc from "fast-check";
import { DevboxError } from "../../../src/core/errors.ts";
import { wholeFrames } from "../../../src/layer/zstd-frames.ts";

/** How a stream ends, given in pieces: `whole`, or the code of the error. */
async function ending(stream: Buffer, pieceSize: number): Promise<string> {
  async function* pieces(): AsyncGenerator<Buffer> {
    for (let at = 0; at < stream.length; at += pieceSize) yield stream.subarray(at, at + pieceSize);
  }
  const passed: Buffer[] = [];
  try {
    for await (const chunk of wholeFrames(pieces())) passed.push(chunk);
  } catch (error) {
    if (error instanceof DevboxError) return error.code;
    throw error;
  }
  expect(Buffer.concat(passed).equals(stream)).toBe(true);
  return "whole";
}

const skippable = Buffer.from([0x5f, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3]);
const checksummed = { params: { [constants.ZSTD_c_checksumFlag]: 1 } };
/** Compressed, raw and repeated blocks; sizes from none to several blocks; with and without a checksum. */
const frames = [
  zstdCompressSync(Buffer.alloc(0)),
  zstdCompressSync(Buffer.from("text ".repeat(100)), checksummed),
  zstdCompressSync(Buffer.alloc(300_000)),
  zstdCompressSync(crypto.getRandomValues(Buffer.alloc(60_000)), checksummed),
  zstdCompressSync(Buffer.concat(Array.from({ length: 6 }, () => crypto.getRandomValues(Buffer.alloc(60_000))))),
  skippable,
];
const stream = fc
  .array(fc.constantFrom(...frames), { minLength: 1, maxLength: 4 })
  .map((parts) => Buffer.concat(parts));
const pieceSize = fc.integer({ min: 1, max: 5000 });

test("whole frames in pieces of any size", async () => {
  await fc.assert(
    fc.asyncProperty(stream, pieceSize, async (bytes, size) => expect(await ending(bytes, size)).toBe("whole")),
    { numRuns: 30 },
  );
});

test("a cut at any place within a frame is seen", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(...frames),
      stream,
      fc.double({ min: 0, max: 0.999, noNaN: true }),
      async (frame, before, part) => {
        const cut = Math.max(1, Math.floor(frame.length * part));
        expect(await ending(Buffer.concat([before, frame.subarray(0, cut)]), 4096)).toBe("LAYER_TRUNCATED");
      },
    ),
    { numRuns: 60 },
  );
});

test("nothing is no stream, and what follows the last frame must be one", async () => {
  expect(await ending(Buffer.alloc(0), 1)).toBe("LAYER_TRUNCATED");
  expect(await ending(Buffer.concat([...frames, Buffer.alloc(4)]), 100)).toBe("LAYER_INVALID");
});
