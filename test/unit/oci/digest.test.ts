import { expect, test } from "bun:test";
import {
  digestAlgorithm,
  digestHex,
  digestOf,
  isDigest,
  parseDigest,
  sha256Digest,
  shortDigest,
} from "../../../src/oci/digest.ts";
import { failureOf } from "../../helpers/failure.ts";

const empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

test("computes and takes apart", () => {
  const digest = digestOf("");
  expect(digest).toBe(`sha256:${empty}`);
  expect(digestAlgorithm(digest)).toBe("sha256");
  expect(digestHex(digest)).toBe(empty);
  expect(shortDigest(digest)).toBe("e3b0c44298fc");
  expect(sha256Digest(empty)).toBe(digest);
  expect(parseDigest(digestOf("x", "sha512"))).toStartWith("sha512:");
  expect(digestAlgorithm(digestOf("x", "sha512"))).toBe("sha512");
});

test.each([
  ["", "looks like"],
  [empty, "looks like"],
  [`:${empty}`, "looks like"],
  [`sha256:${empty.toUpperCase()}`, "lower-case"],
  [`sha256:${empty}0`, "not 65"],
  [`sha512:${empty}`, "128 hex digits, not 64"],
  [`sha384:${"0".repeat(96)}`, '"sha384" is not supported'],
  [`toString:${empty}`, '"toString" is not supported'],
  [`sha256:${empty.slice(1)}\n`, "lower-case"],
])("%p is none", (text, reason) => {
  expect(isDigest(text)).toBe(false);
  const error = failureOf(() => parseDigest(text));
  expect(error.code).toBe("BAD_REFERENCE");
  expect(error.because).toContain(reason);
});
