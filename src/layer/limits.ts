/** How much a layer may unpack to: decompression bombs end here. */

/**
 * Deflate cannot exceed 1032:1 (zlib's technical details), so nothing that a gzip layer holds is refused by the ratio: a
 * large file of zeros is legitimate. zstd has no such bound, and beyond this ratio holds nothing but repetition.
 */
const maxRatio = 1100;

/** Below this the ratio does not matter: small archives of zeros compress to nothing. */
const freeBytes = 256 * 1024 * 1024;

/** Uncompressed bytes after which a layer of `sizeBytes` compressed bytes is refused; `maxBytes`: what the caller allows. */
export function uncompressedLimit(sizeBytes: number, maxBytes: number): number {
  return Math.min(maxBytes, Math.max(freeBytes, maxRatio * sizeBytes));
}

/** Inodes cost more than bytes: no image has as many, and memory holds the directories. */
export const maxEntries = 10_000_000;
