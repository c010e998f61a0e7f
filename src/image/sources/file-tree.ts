/** Named files that an image is read from: a directory, or the members of an archive. */

export interface FileTree extends Disposable {
  /** For error texts: `oci:/path`. */
  readonly label: string;
  /** Bytes; undefined: no such file. */
  sizeOf(path: string): number | undefined;
  /** The content from `offset` on. @throws DevboxError when there is no such file */
  stream(path: string, offset: number): AsyncIterable<Uint8Array>;
}

/** Chunks that are read from files. */
export const chunkBytes = 256 * 1024;
