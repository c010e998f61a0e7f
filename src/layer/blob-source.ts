/** The compressed blob, read from a file that a download may still be writing, no further than is known to be there. */
import { readSync } from "node:fs";
import { DevboxError } from "../core/errors.ts";

const chunkBytes = 128 * 1024;

/** What the parent's messages move: how far the file may be read, or that nobody wants it any more. */
export interface Gate {
  /** The first `bytes` of the blob are on disk. */
  advance(bytes: number): void;
  /** There will be no more. */
  end(): void;
  abort(): void;
  /** Resolves, to the bytes on disk, as soon as they are more than `bytes` or all; rejects with INTERRUPTED when aborted. */
  beyond(bytes: number): Promise<number>;
}

export function createGate(): Gate {
  let onDisk = 0;
  let ended = false;
  let aborted = false;
  let wake: (() => void) | undefined;
  return {
    advance: (bytes) => {
      onDisk = Math.max(onDisk, bytes);
      wake?.();
    },
    end: () => {
      ended = true;
      wake?.();
    },
    abort: () => {
      aborted = true;
      wake?.();
    },
    beyond: async (bytes) => {
      for (;;) {
        if (aborted) throw new DevboxError("INTERRUPTED", { step: "apply the layer", because: "it was given up" });
        if (onDisk > bytes || ended) return onDisk;
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    },
  };
}

/**
 * All of the blob, in order. Throws LAYER_TRUNCATED if the file ends before what was announced.
 * @param sizeBytes undefined: until the gate ends
 */
export async function* readBlob(fd: number, sizeBytes: number | undefined, gate: Gate): AsyncGenerator<Buffer> {
  let position = 0;
  while (position !== sizeBytes) {
    const onDisk = Math.min(await gate.beyond(position), sizeBytes ?? Number.POSITIVE_INFINITY);
    if (onDisk === position && sizeBytes === undefined) return;
    const chunk = Buffer.allocUnsafeSlow(Math.min(chunkBytes, onDisk - position));
    const length = readSync(fd, chunk, 0, chunk.length, position);
    if (length === 0) {
      const because = `the file ends after ${position} of ${sizeBytes ?? onDisk} bytes`;
      throw new DevboxError("LAYER_TRUNCATED", { step: "read the blob", because });
    }
    position += length;
    yield chunk.subarray(0, length);
  }
}
