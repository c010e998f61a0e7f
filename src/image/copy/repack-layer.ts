/** A layer packed otherwise: unpacked, checked against its diffID, packed into a temporary file of the store. */
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { Context } from "../../core/context.ts";
import { DevboxError } from "../../core/errors.ts";
import { compress, type Packing } from "../../layer/compress.ts";
import { decompressors } from "../../layer/decompress.ts";
import { explainFailure } from "../../layer/failure.ts";
import { uncompressedLimit } from "../../layer/limits.ts";
import type { Descriptor, Digest } from "../../oci/descriptor.ts";
import { digestAlgorithm } from "../../oci/digest.ts";
import { layerFormat } from "../../oci/media-type.ts";
import { openNewBlob } from "../../store/new-blob.ts";
import type { Store } from "../../store/types.ts";
import { maxUncompressedBytes } from "../workers/apply-layer.ts";
import { verified } from "./verified.ts";

export interface RepackedLayer extends Disposable {
  /** Of the temporary file, which goes at disposal. */
  readonly path: string;
  readonly digest: Digest;
  readonly size: number;
}

/**
 * @param content of `layer`, from its beginning
 * @param label for errors: `layer 3 of 7`
 * @throws DevboxError DIGEST_MISMATCH, SIZE_MISMATCH, LAYER_INVALID, LAYER_TRUNCATED, LAYER_TOO_LARGE, STORE_FULL
 */
export async function repackLayer(
  context: Context,
  store: Store,
  layer: Descriptor,
  content: AsyncIterable<Uint8Array>,
  diffId: Digest,
  packing: Packing,
  label: string,
): Promise<RepackedLayer> {
  const { compression } = layerFormat(layer.mediaType);
  const step = `unpack ${label}`;
  const limit = uncompressedLimit(layer.size, maxUncompressedBytes(layer.size, compression));
  const blob = openNewBlob(store);
  try {
    await pipeline(
      Readable.from(verified(content, layer, step)),
      ...decompressors(compression),
      async (plain: AsyncIterable<Uint8Array>) => {
        for await (const chunk of compress(checked(plain, diffId, limit, step), packing)) blob.append(chunk);
      },
      { signal: context.signal },
    );
    return { path: blob.path, ...(await blob.seal()), [Symbol.dispose]: () => blob[Symbol.dispose]() };
  } catch (error) {
    blob[Symbol.dispose]();
    throw error instanceof DevboxError || context.signal.aborted ? error : explainFailure(step, error);
  }
}

/** The archive, which is what the image's config says, and no longer than real ones are. */
async function* checked(
  chunks: AsyncIterable<Uint8Array>,
  diffId: Digest,
  limit: number,
  step: string,
): AsyncGenerator<Uint8Array> {
  const algorithm = digestAlgorithm(diffId);
  const hasher = new Bun.CryptoHasher(algorithm);
  let bytes = 0;
  for await (const chunk of chunks) {
    bytes += chunk.byteLength;
    if (bytes > limit)
      throw new DevboxError("LAYER_TOO_LARGE", { step, because: `it unpacks to more than ${limit} bytes` });
    hasher.update(chunk);
    yield chunk;
  }
  const actual = `${algorithm}:${hasher.digest("hex")}`;
  if (actual === diffId) return;
  const because = `the config of the image says ${diffId}, the layer unpacks to ${actual}`;
  throw new DevboxError("DIGEST_MISMATCH", {
    step,
    because,
    hint: "the image is malformed: have it built or pushed again",
  });
}
