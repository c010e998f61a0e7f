import { expect, test } from "bun:test";
import { digestOf } from "../../../src/oci/digest.ts";
import { embeddedContent, verifyContent } from "../../../src/oci/verify.ts";
import { failureOf } from "../../helpers/failure.ts";

const content = new TextEncoder().encode("hello");
const descriptor = { mediaType: "x", digest: digestOf("hello"), size: 5 };

test("size first, then digest", () => {
  verifyContent(content, descriptor, "read");
  verifyContent(content, { ...descriptor, digest: digestOf("hello", "sha512") }, "read");
  expect(failureOf(() => verifyContent(content, { ...descriptor, size: 6 }, "read")).code).toBe("SIZE_MISMATCH");
  expect(failureOf(() => verifyContent(content, { ...descriptor, digest: digestOf("other") }, "read")).code).toBe(
    "DIGEST_MISMATCH",
  );
});

test("embedded content is verified", () => {
  expect(embeddedContent(descriptor)).toBeUndefined();
  expect(new TextDecoder().decode(embeddedContent({ ...descriptor, data: "aGVsbG8=" }))).toBe("hello");
  expect(failureOf(() => embeddedContent({ ...descriptor, data: "aGVsbG9v" })).code).toBe("SIZE_MISMATCH");
  expect(failureOf(() => embeddedContent({ ...descriptor, data: "aGVsbGE=" })).code).toBe("DIGEST_MISMATCH");
  expect(failureOf(() => embeddedContent({ ...descriptor, data: "aGVs bG8=" })).because).toContain("not base64");
});
