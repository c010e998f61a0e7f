/** A stream that is what its descriptor says, or ends in an error. */
import { DevboxError } from "../../core/errors.ts";
import type { Descriptor } from "../../oci/descriptor.ts";
import { digestAlgorithm } from "../../oci/digest.ts";

/**
 * The same chunks. Whoever has read to the end without an error has read the right content.
 * @param step for errors: `copy blob 1234…`
 * @throws DevboxError SIZE_MISMATCH, DIGEST_MISMATCH at the end, or as soon as there is more than was announced
 */
export async function* verified(
  chunks: AsyncIterable<Uint8Array>,
  { digest, size }: Pick<Descriptor, "digest" | "size">,
  step: string,
): AsyncGenerator<Uint8Array> {
  const algorithm = digestAlgorithm(digest);
  const hasher = new Bun.CryptoHasher(algorithm);
  let read = 0;
  for await (const chunk of chunks) {
    read += chunk.byteLength;
    if (read > size) throw mismatch("SIZE_MISMATCH", step, `more than the announced ${size} bytes arrive`);
    hasher.update(chunk);
    yield chunk;
  }
  if (read !== size) throw mismatch("SIZE_MISMATCH", step, `${size} bytes were announced, ${read} arrived`);
  const actual = `${algorithm}:${hasher.digest("hex")}`;
  if (actual !== digest) throw mismatch("DIGEST_MISMATCH", step, `${digest} was announced, the content is ${actual}`);
}

/** The same chunks; `onProgress` is told how many bytes there were so far, `from` included. */
export async function* counted(
  chunks: AsyncIterable<Uint8Array>,
  onProgress: (doneBytes: number) => void,
  from = 0,
): AsyncGenerator<Uint8Array> {
  let done = from;
  for await (const chunk of chunks) {
    done += chunk.byteLength;
    onProgress(done);
    yield chunk;
  }
}

function mismatch(code: "SIZE_MISMATCH" | "DIGEST_MISMATCH", step: string, because: string): DevboxError {
  const hint = "the content was altered or damaged where it comes from, or on its way; copy again";
  return new DevboxError(code, { step, because, hint });
}
