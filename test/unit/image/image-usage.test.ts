import { expect, test } from "bun:test";
import fc from "fast-check";
import { type ImageParts, measureImages, sumOf } from "../../../src/image/shown/image-usage.ts";

const imageOf = (index: number, parts: readonly string[]): ImageParts => ({
  names: [],
  digest: `sha256:${index}`,
  id: `sha256:${index}`,
  created: undefined,
  // Each part has a size of its own, the same wherever it is.
  sizes: new Map(parts.map((part) => [part, 2 ** part.charCodeAt(0) % 97])),
});

test("what is shared and what is not", () => {
  const images = [imageOf(0, ["a", "b"]), imageOf(1, ["a", "c"]), imageOf(2, ["d"])];
  const size = (part: string): number => 2 ** part.charCodeAt(0) % 97;
  const usage = measureImages(images, (digest) => (digest === "sha256:1" ? 2 : 0));
  expect(usage.map(({ sharedBytes, uniqueBytes, boxes }) => [sharedBytes, uniqueBytes, boxes])).toEqual([
    [size("a"), size("b"), 0],
    [size("a"), size("c"), 2],
    [0, size("d"), 0],
  ]);
});

test("law: removing an image frees what it has alone", () => {
  const parts = fc.uniqueArray(fc.constantFrom("a", "b", "c", "d", "e"));
  const onDisk = (images: readonly ImageParts[]): number =>
    sumOf(new Map(images.flatMap(({ sizes }) => [...sizes])).values());
  fc.assert(
    fc.property(fc.array(parts, { minLength: 1, maxLength: 5 }), (all) => {
      const images = all.map((each, index) => imageOf(index, each));
      for (const [index, usage] of measureImages(images, () => 0).entries()) {
        expect(usage.sharedBytes + usage.uniqueBytes).toBe(usage.sizeBytes);
        expect(onDisk(images) - onDisk(images.toSpliced(index, 1))).toBe(usage.uniqueBytes);
      }
    }),
  );
});
