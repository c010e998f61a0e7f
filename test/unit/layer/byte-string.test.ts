import { expect, test } from "bun:test";
import fc from "fast-check";
import { byteString, bytesOf, display, fromBase64, kernelPath, toBase64 } from "../../../src/layer/byte-string.ts";

test("bytes come back, by every way", () => {
  fc.assert(
    fc.property(fc.uint8Array(), (bytes) => {
      const text = byteString(bytes);
      expect([...bytesOf(text)]).toEqual([...bytes]);
      expect(fromBase64(toBase64(text))).toBe(text);
      expect([...Buffer.from(kernelPath(text))]).toEqual([...bytes]);
    }),
  );
});

test("a part of a larger buffer is that part", () => {
  expect(byteString(Buffer.from("abcdef").subarray(2, 4))).toBe("cd");
});

test("messages show UTF-8, no control characters, and not too much", () => {
  expect(display(Buffer.from("naïve").toString("latin1"))).toBe("naïve");
  expect(display("a\x1b[31m\n")).toBe("a\\x1b[31m\\x0a");
  expect(display("x".repeat(1000))).toBe(`${"x".repeat(200)}…`);
});
