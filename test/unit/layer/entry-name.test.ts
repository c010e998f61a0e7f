import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { DevboxError } from "../../../src/core/errors.ts";
import { cleanPath, type EntryName, parseEntryName } from "../../../src/layer/entry-name.ts";

function codeOf(path: string): string {
  try {
    parseEntryName(path);
  } catch (error) {
    if (error instanceof DevboxError) return error.code;
  }
  return "accepted";
}

describe("names", () => {
  test.each<[string, EntryName]>([
    ["", { kind: "root" }],
    [".", { kind: "root" }],
    ["./", { kind: "root" }],
    ["///", { kind: "root" }],
    ["a", { kind: "plain", directory: "", name: "a" }],
    ["./a//b/./c/", { kind: "plain", directory: "a/b", name: "c" }],
    ["/etc/passwd", { kind: "plain", directory: "etc", name: "passwd" }],
    ["a/.wh.b", { kind: "whiteout", directory: "a", name: "b" }],
    [".wh..hidden", { kind: "whiteout", directory: "", name: ".hidden" }],
    ["a/.wh..wh..opq", { kind: "opaque", directory: "a" }],
    [".wh..wh..opq", { kind: "opaque", directory: "" }],
    [".wh..wh.plnk/1.2", { kind: "ignored" }],
    ["a/.wh..wh.aufs", { kind: "ignored" }],
    ["a/x.wh.y", { kind: "plain", directory: "a", name: "x.wh.y" }],
    ["x.wh.y/a", { kind: "plain", directory: "x.wh.y", name: "a" }],
    ["...", { kind: "plain", directory: "", name: "..." }],
    ["a..b/..c", { kind: "plain", directory: "a..b", name: "..c" }],
  ])("%j", (path, meaning) => {
    expect(parseEntryName(path)).toEqual(meaning);
  });

  test.each(["..", "../a", "a/..", "a/../b", "/../a", "./a/../../b", ".wh.a/.."])("%s wants out", (path) => {
    expect(codeOf(path)).toBe("LAYER_ESCAPE");
  });

  test.each([".wh.", "a/.wh.", ".wh..", ".wh...", ".wh.a/b", "a/.wh.b/c/d", "n/".repeat(40_000)])(
    "%.20s is no name",
    (path) => {
      expect(codeOf(path)).toBe("LAYER_INVALID");
    },
  );

  test("a clean path has no empty, dot or dot-dot component and stays as it is", () => {
    const part = fc.constantFrom("a", "b.", ".", "", ".wh.x", "...");
    fc.assert(
      fc.property(fc.array(part), (parts) => {
        const cleaned = cleanPath(parts.join("/"));
        expect(cleaned).toBe(parts.filter((each) => each !== "" && each !== ".").join("/"));
        expect(cleanPath(cleaned)).toBe(cleaned);
      }),
    );
  });
});
