import { expect, test } from "bun:test";
import { parsePacking } from "../../../src/image/make/packing.ts";

test("compression and level", () => {
  expect(parsePacking(undefined, undefined)).toBeUndefined();
  expect(parsePacking("zstd", undefined)).toEqual({ compression: "zstd" });
  expect(parsePacking(undefined, "9")).toEqual({ compression: "gzip", level: 9 });
  expect(parsePacking("zstd", "19")).toEqual({ compression: "zstd", level: 19 });
});

test.each([
  ["gzip", "0"],
  ["gzip", "10"],
  ["zstd", "20"],
  ["none", "1"],
  ["gzip", "best"],
] as const)("%s has no level %s", (compression, level) => {
  expect(() => parsePacking(compression, level)).toThrow(expect.objectContaining({ code: "USAGE" }));
});
