/** Layers packed block by block: every reader reads them, and equal input gives equal bytes. */
import { describe, expect, test } from "bun:test";
import { spawnSync } from "node:child_process";
import { Readable } from "node:stream";
import fc from "fast-check";
import { compress, defaultLevels, type Packing } from "../../../src/layer/compress.ts";
import { sniffCompression } from "../../../src/layer/compression.ts";
import { decompressors } from "../../../src/layer/decompress.ts";

const MiB = 1024 * 1024;

async function pack(chunks: readonly Uint8Array[], packing: Packing): Promise<Buffer> {
  const stream = (async function* () {
    // One buffer for all: a chunk is good until the next is asked for.
    const shared = Buffer.alloc(Math.max(1, ...chunks.map(({ byteLength }) => byteLength)));
    for (const chunk of chunks) {
      shared.set(chunk);
      yield shared.subarray(0, chunk.byteLength);
      shared.fill(0xee);
    }
  })();
  const parts: Buffer[] = [];
  for await (const part of compress(stream, packing)) parts.push(Buffer.from(part));
  return Buffer.concat(parts);
}

async function unpack(packed: Uint8Array, compression: Packing["compression"]): Promise<Buffer> {
  const [first, ...rest] = decompressors(compression);
  if (first === undefined) return Buffer.from(packed);
  const stages = [first, ...rest];
  let stream: NodeJS.ReadableStream = Readable.from([packed]);
  for (const stage of stages) stream = stream.pipe(stage);
  return Buffer.concat(await Array.fromAsync(stream as AsyncIterable<Buffer>));
}

const words = ["layer", "blob", "of", "the", "image", "digest", "\n", "index", "manifest", "0123", "a", "sha256:"];

/** Text of any length, the same each time (a xorshift chooses the words). */
function sample(length: number): Buffer {
  const bytes = Buffer.alloc(length);
  let state = 1;
  for (let at = 0; at < length; ) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    at += bytes.write(`${words[(state >>> 0) % words.length]} `, at, "latin1");
  }
  return bytes;
}

function filter(command: readonly string[], input: Uint8Array): Buffer {
  const [program = "", ...args] = command;
  const { status, stdout, stderr } = spawnSync(program, args, { input, maxBuffer: 64 * MiB });
  if (status !== 0) throw new Error(`${command.join(" ")}: ${stderr}`);
  return stdout;
}

const python = "import gzip,sys; sys.stdout.buffer.write(gzip.decompress(sys.stdin.buffer.read()))";
const readers = {
  gzip: [
    ["gzip", "-dc"],
    ["python3", "-c", python],
  ],
  zstd: [["zstd", "-dcq"]],
} as const;

describe.each(["gzip", "zstd"] as const)("%s", (compression) => {
  test.each([0, 1, MiB - 1, MiB, MiB + 1, 5 * MiB + 3])(
    "%i bytes: other programs and ours read them",
    async (length) => {
      const content = sample(length);
      const packed = await pack([content.subarray(0, 1000), content.subarray(1000)], { compression });
      expect(sniffCompression(packed)).toBe(compression);
      expect(Buffer.compare(await unpack(packed, compression), content)).toBe(0);
      for (const reader of readers[compression]) expect(Buffer.compare(filter(reader, packed), content)).toBe(0);
      if (length > MiB) expect(packed.length).toBeLessThan(length);
    },
  );

  test("how the content comes in makes no difference", async () => {
    const content = sample(2 * MiB + 17);
    const whole = await pack([content], { compression });
    await fc.assert(
      fc.asyncProperty(fc.array(fc.integer({ min: 0, max: content.length }), { maxLength: 8 }), async (cuts) => {
        const places = [0, ...cuts.sort((a, b) => a - b), content.length];
        const parts = places.slice(1).map((end, index) => content.subarray(places[index], end));
        expect(Buffer.compare(await pack(parts, { compression }), whole)).toBe(0);
      }),
      { numRuns: 10 },
    );
  });

  test("the level counts, and the default is docker's", async () => {
    const content = sample(MiB);
    const [least, most] = [
      await pack([content], { compression, level: 1 }),
      await pack([content], { compression, level: 9 }),
    ];
    expect(most.length).toBeLessThan(least.length);
    const level = defaultLevels[compression];
    expect(await pack([content], { compression })).toEqual(await pack([content], { compression, level }));
  });
});

test("none passes the chunks on", async () => {
  expect(await pack([Buffer.from("a"), Buffer.from("b")], { compression: "none" })).toEqual(Buffer.from("ab"));
});

test("an error of the source is thrown, whatever is under way", async () => {
  const source = (async function* () {
    yield sample(3 * MiB);
    throw new Error("torn");
  })();
  await expect(Array.fromAsync(compress(source, { compression: "gzip" }))).rejects.toThrow("torn");
});
