/**
 * A blob that is coming in, as its readers see it: a file of which so many bytes are there. A blob that is complete
 * from the start is the same thing with all bytes there.
 */

export interface BlobFeed {
  /** The file now: the growing one, which stays until `close`, or the stored blob. */
  readonly path: string;
  /** undefined: known when it is complete. */
  readonly sizeBytes: number | undefined;
  readonly availableBytes: number;
  /** Resolves when all is there, verified and stored; rejects when it will never be. */
  readonly complete: Promise<void>;
  /** Hear of further bytes; the listener is called at once with what is there. */
  watch(listener: (availableBytes: number) => void): Disposable;
}

export interface OpenFeed {
  readonly feed: BlobFeed;
  advance(availableBytes: number): void;
}

/** @param complete of the one who writes */
export function openFeed(
  path: string,
  sizeBytes: number | undefined,
  availableBytes: number,
  complete: Promise<void>,
): OpenFeed {
  const listeners = new Set<(availableBytes: number) => void>();
  let available = availableBytes;
  // Whoever reads the feed learns of a failure; when nobody does, it must not end the process.
  complete.catch(() => {});
  return {
    feed: {
      path,
      sizeBytes,
      get availableBytes() {
        return available;
      },
      complete,
      watch(listener) {
        listeners.add(listener);
        listener(available);
        return { [Symbol.dispose]: () => listeners.delete(listener) };
      },
    },
    advance(bytes) {
      available = bytes;
      for (const listener of listeners) listener(bytes);
    },
  };
}
