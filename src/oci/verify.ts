/** Content against its descriptor: size first, then digest. */
import { DevboxError } from "../core/errors.ts";
import type { Descriptor } from "./descriptor.ts";
import { digestAlgorithm, digestOf } from "./digest.ts";

/** @throws SIZE_MISMATCH or DIGEST_MISMATCH, saying what was expected and what is there. */
export function verifyContent(
  content: Uint8Array,
  descriptor: Pick<Descriptor, "digest" | "size">,
  step: string,
): void {
  if (content.byteLength !== descriptor.size) {
    const because = `${descriptor.size} bytes were announced, ${content.byteLength} are there`;
    throw new DevboxError("SIZE_MISMATCH", { step, because });
  }
  const actual = digestOf(content, digestAlgorithm(descriptor.digest));
  if (actual !== descriptor.digest) {
    const because = `${descriptor.digest} was announced, the content is ${actual}`;
    throw new DevboxError("DIGEST_MISMATCH", { step, because });
  }
}

/** The content embedded in a descriptor, verified (image-spec descriptor.md "Embedded Content"); undefined: none is. */
export function embeddedContent(descriptor: Descriptor): Uint8Array | undefined {
  if (descriptor.data === undefined) return undefined;
  const step = `read the content embedded in descriptor ${descriptor.digest}`;
  // Buffer.from skips what is not base64, so what it read is compared with what was written.
  const content = Buffer.from(descriptor.data, "base64");
  if (content.toString("base64") !== descriptor.data) {
    throw new DevboxError("BAD_MANIFEST", { step, because: "data: not base64" });
  }
  verifyContent(content, descriptor, step);
  return content;
}
