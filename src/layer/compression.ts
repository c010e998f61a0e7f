/** How a layer's blob is compressed, by its first bytes; by its media type: oci/media-type.ts. */
import type { Compression } from "./protocol.ts";

/** RFC 1952 section 2.3.1. */
const gzipMagic = [0x1f, 0x8b];
/** RFC 8878 section 3.1.1. */
const zstdMagic = [0x28, 0xb5, 0x2f, 0xfd];
/** RFC 8878 section 3.1.2: a skippable frame may come first; the low half of the first byte is free. */
const zstdSkippableMagic = [0x50, 0x2a, 0x4d, 0x18];

/**
 * By the first bytes, 4 are enough: docker archives hold layers of any compression without a media type.
 * A tar never starts so: its first bytes are those of a name, and 0x1f is a control character, 0xb5 and 0x8b no UTF-8.
 */
export function sniffCompression(start: Uint8Array): Compression {
  const startsWith = (magic: readonly number[]): boolean => magic.every((byte, at) => start[at] === byte);
  if (startsWith(gzipMagic)) return "gzip";
  if (startsWith(zstdMagic)) return "zstd";
  const lowHalfCleared = [(start[0] ?? 0) & 0xf0, ...start.subarray(1, 4)];
  if (zstdSkippableMagic.every((byte, at) => lowHalfCleared[at] === byte)) return "zstd";
  return "none";
}
