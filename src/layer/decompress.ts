/** From the blob's bytes to the archive's, one chunk after another. */
import { Duplex } from "node:stream";
import { createGunzip, createZstdDecompress } from "node:zlib";
import type { Compression } from "./protocol.ts";
import { wholeFrames } from "./zstd-frames.ts";

/** Large chunks spare turns of the event loop; larger ones only cost memory (measured: 500 MB/s from 128 KiB on). */
const chunkSize = 256 * 1024;

/**
 * Streams to put in a row between blob and archive; none where nothing is compressed.
 * node:zlib reads several gzip members and ignores zeros after the last, as gzip(1) does; other garbage is an error.
 * It reads several zstd frames and skips skippable ones; whether they are whole is for us to see.
 */
export function decompressors(compression: Compression): Duplex[] {
  switch (compression) {
    case "gzip":
      return [createGunzip({ chunkSize })];
    case "zstd":
      return [Duplex.from(wholeFrames), createZstdDecompress({ chunkSize })];
    case "none":
      return [];
  }
}
