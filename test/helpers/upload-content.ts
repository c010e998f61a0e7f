/** Content to push in tests, that tells how it was read. */
import { digestOf } from "../../src/oci/digest.ts";
import type { UploadContent } from "../../src/registry/push/upload.ts";

export interface TestContent extends UploadContent {
  readonly bytes: Uint8Array;
  /** Offsets at which it was opened. */
  readonly opened: readonly number[];
}

/** `seekable` false: it starts at 0 whatever is asked for, as a compressed source does. */
export function contentOf(
  bytes: Uint8Array,
  options: { readonly seekable?: boolean; readonly mountFrom?: readonly string[]; readonly algorithm?: "sha512" } = {},
): TestContent {
  const opened: number[] = [];
  const { algorithm = "sha256", mountFrom = [], seekable = true } = options;
  return {
    descriptor: {
      mediaType: "application/octet-stream",
      digest: digestOf(bytes, algorithm),
      size: bytes.byteLength,
    },
    bytes,
    opened,
    mountFrom,
    open: async (wanted) => {
      const offset = seekable ? wanted : 0;
      opened.push(offset);
      return { stream: inChunks(bytes.subarray(offset)), offset };
    },
  };
}

/** Of a length that divides nothing. */
const CHUNK_BYTES = 99_991;

async function* inChunks(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.byteLength; at += CHUNK_BYTES) yield bytes.subarray(at, at + CHUNK_BYTES);
}
