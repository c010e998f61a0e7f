/** Content on its way into a socket: in small pieces, and watched. */
import type { HttpRequest } from "./http-client.ts";

/**
 * Bytes. Small enough that a slow line takes one before the watch calls it stalled (64 KiB in 30 s are 2 KB/s), large enough
 * that a fast one does not notice.
 */
const PIECE_BYTES = 64 * 1024;

export interface SentBody {
  readonly body: string | Uint8Array | AsyncIterable<Uint8Array>;
  readonly headers: Readonly<Record<string, string>>;
  /** Aborted when the other side takes nothing any more: to end the exchange with. */
  readonly stalled: AbortSignal;
}

/** What to give to undici for a body. `stallMs`: how long a piece may wait to be taken. */
export function openRequestBody(body: NonNullable<HttpRequest["body"]>, stallMs: number): SentBody {
  const stall = new AbortController();
  const { signal: stalled } = stall;
  if (typeof body === "string" || body instanceof Uint8Array) return { body, headers: {}, stalled };
  const onStall = (): void => stall.abort(stallError());
  return {
    body: inPieces(body.open(), stallMs, onStall),
    // undici sends an iterable of unknown length in chunked coding, which not all registries take.
    headers: { "content-length": String(body.length) },
    stalled,
  };
}

/** The time that the source needs for its next chunk does not count. */
async function* inPieces(
  stream: AsyncIterable<Uint8Array>,
  stallMs: number,
  onStall: () => void,
): AsyncGenerator<Uint8Array> {
  let watch: NodeJS.Timeout | undefined;
  try {
    for await (const chunk of stream) {
      for (let at = 0; at < chunk.byteLength; at += PIECE_BYTES) {
        watch = setTimeout(onStall, stallMs);
        yield chunk.subarray(at, at + PIECE_BYTES);
        clearTimeout(watch);
      }
    }
  } finally {
    clearTimeout(watch);
  }
}

function stallError(): Error {
  return Object.assign(new Error("nothing more is taken"), { code: "DEVBOX_SEND_STALLED" });
}
