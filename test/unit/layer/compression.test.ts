import { expect, test } from "bun:test";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { sniffCompression } from "../../../src/layer/compression.ts";
import { tar } from "../../helpers/tar-builder.ts";

test.each([
  ["gzip", gzipSync("x")],
  ["zstd", zstdCompressSync("x")],
  ["zstd", Buffer.from([0x53, 0x2a, 0x4d, 0x18, 0, 0, 0, 0])],
  ["none", tar([{ path: "file" }])],
  ["none", Buffer.alloc(0)],
  ["none", Buffer.from([0x1f])],
] as const)("%s", (compression, bytes) => {
  expect(sniffCompression(bytes)).toBe(compression);
  expect(sniffCompression(bytes.subarray(0, 4))).toBe(compression);
});
