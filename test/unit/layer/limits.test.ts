import { expect, test } from "bun:test";
import { uncompressedLimit } from "../../../src/layer/limits.ts";

const MiB = 1024 ** 2;

test("what deflate can hold is never refused by the ratio, what only repetition gives is", () => {
  expect(uncompressedLimit(10 * MiB, 2 ** 50)).toBeGreaterThan(1032 * 10 * MiB);
  expect(uncompressedLimit(10 * MiB, 2 ** 50)).toBeLessThan(1200 * 10 * MiB);
});

test("small layers may be all zeros; the caller's limit holds always", () => {
  expect(uncompressedLimit(100, 2 ** 50)).toBe(256 * MiB);
  expect(uncompressedLimit(100, 5)).toBe(5);
});
