/**
 * A blob on its way out, read part after part and hashed while it is read: what is not what its descriptor says is never
 * completed. A source that cannot start in the middle is read on from one part to the next, not from its start again.
 */
import { DevboxError } from "../../core/errors.ts";
import type { Descriptor } from "../../oci/descriptor.ts";
import { digestAlgorithm } from "../../oci/digest.ts";
import type { StreamBody } from "../http/http-client.ts";
import type { UploadContent } from "./upload.ts";

/** Disposing closes the source. */
export interface CheckedContent extends AsyncDisposable {
  /** The bytes from `from` to `to`, exclusive. `onProgress`: how far the other side has taken them, absolute. */
  part(from: number, to: number, onProgress: (doneBytes: number) => void): StreamBody;
  /** Bytes from the start that were read and hashed. */
  readonly hashedBytes: number;
  /** What the source itself threw, or what is wrong with its content: no failure of the connection. */
  readonly failure: { readonly error: unknown } | undefined;
  /** All parts were read to their end. @throws DIGEST_MISMATCH */
  verify(): void;
}

/** A source that is open, and where it stands. */
interface Reader {
  readonly chunks: AsyncIterator<Uint8Array>;
  /** Of the next byte: that of `rest`, else the next chunk's. */
  position: number;
  rest: Uint8Array;
  /** Somebody reads, and may have been left in the middle: nobody else may go on. */
  isTaken: boolean;
}

export function checkContent(content: UploadContent, step: string): CheckedContent {
  const { descriptor } = content;
  const hasher = new Bun.CryptoHasher(digestAlgorithm(descriptor.digest));
  let hashed = 0;
  let failure: { readonly error: unknown } | undefined;
  let reader: Reader | undefined;
  let turn = 0;
  // By position, so that what is sent twice, or by a reader that was given up, counts once.
  const hash = (chunk: Uint8Array, position: number): void => {
    if (position > hashed || position + chunk.byteLength <= hashed) return;
    hasher.update(chunk.subarray(hashed - position));
    hashed = position + chunk.byteLength;
  };
  const readerAt = async (position: number): Promise<Reader> => {
    if (reader !== undefined && !reader.isTaken && reader.position === position) return reader;
    leave(reader);
    reader = undefined;
    const mine = ++turn;
    const { stream, offset } = await content.open(position);
    const opened = { chunks: stream[Symbol.asyncIterator](), position: offset, rest: new Uint8Array(), isTaken: false };
    if (mine === turn) reader = opened;
    return opened;
  };
  async function* read(from: number, to: number, onProgress: (doneBytes: number) => void): AsyncGenerator<Uint8Array> {
    let source: Reader | undefined;
    try {
      source = await readerAt(from);
      source.isTaken = true;
      for await (const { chunk, position } of chunksTo(source, to)) {
        hash(chunk, position);
        const wanted = position < from ? chunk.subarray(from - position) : chunk;
        if (wanted.byteLength > 0) yield wanted;
        onProgress(Math.max(from, position + chunk.byteLength));
      }
      if (source.position < to) throw wrongSize(descriptor, step, `it ends after ${source.position}`);
      if (to === descriptor.size && !(await isAtEnd(source))) throw wrongSize(descriptor, step, "there are more");
      source.isTaken = false;
    } catch (error) {
      // Of a reader that was given up with its connection, what it threw says nothing.
      if (source === reader) failure ??= { error };
      throw error;
    } finally {
      if (source !== reader) leave(source);
    }
  }
  return {
    part: (from, to, onProgress) => ({ length: to - from, open: () => read(from, to, onProgress) }),
    get hashedBytes() {
      return hashed;
    },
    get failure() {
      return failure;
    },
    verify() {
      const digest = `${digestAlgorithm(descriptor.digest)}:${hasher.copy().digest("hex")}`;
      if (digest === descriptor.digest) return;
      const because = `${descriptor.digest} was announced, the content is ${digest}`;
      throw new DevboxError("DIGEST_MISMATCH", { step, because });
    },
    [Symbol.asyncDispose]: async () => {
      leave(reader);
      reader = undefined;
    },
  };
}

/** What a source has up to `to`; a chunk that goes beyond is kept for who reads on. */
async function* chunksTo(
  source: Reader,
  to: number,
): AsyncGenerator<{ readonly chunk: Uint8Array; readonly position: number }> {
  while (source.position < to) {
    const next = source.rest.byteLength > 0 ? { value: source.rest, done: false } : await source.chunks.next();
    if (next.done === true) return;
    const position = source.position;
    const chunk: Uint8Array = next.value.subarray(0, to - position);
    source.rest = next.value.subarray(chunk.byteLength);
    source.position += chunk.byteLength;
    yield { chunk, position };
  }
}

async function isAtEnd(source: Reader): Promise<boolean> {
  while (source.rest.byteLength === 0) {
    const next = await source.chunks.next();
    if (next.done === true) return true;
    source.rest = next.value;
  }
  return false;
}

/** It may be in the middle of waiting for its next chunk, so nobody waits for its end. */
function leave(reader: Reader | undefined): void {
  reader?.chunks.return?.().catch(() => {});
}

function wrongSize({ size }: Descriptor, step: string, found: string): DevboxError {
  return new DevboxError("SIZE_MISMATCH", { step, because: `${size} bytes were announced, ${found}` });
}
