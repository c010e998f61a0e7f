/** Streams of bytes. */

/** What is in memory, as a stream: of nothing, no chunk. */
export async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  if (bytes.byteLength > 0) yield bytes;
}

/**
 * What is new to who has the bytes before `position`: a source that cannot start in the middle sends all again, from an
 * `offset` that is earlier.
 */
export async function* beyond(
  { stream, offset }: { readonly stream: AsyncIterable<Uint8Array>; readonly offset: number },
  position: number,
): AsyncGenerator<Uint8Array> {
  let known = position - offset;
  for await (const chunk of stream) {
    const fresh = chunk.subarray(Math.min(known, chunk.byteLength));
    known -= chunk.byteLength - fresh.byteLength;
    if (fresh.byteLength > 0) yield fresh;
  }
}
