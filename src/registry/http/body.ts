/** Reading small bodies whole, within a limit. */

import { DevboxError } from "../../core/errors.ts";
import { once } from "../../core/streams.ts";
import type { HttpResponse } from "./http-client.ts";
import { TransportFailure } from "./transport-error.ts";

/** All of a body, or undefined where it is longer than `maxBytes`; what is beyond the limit is not read. */
export async function readAtMost(body: AsyncIterable<Uint8Array>, maxBytes: number): Promise<Uint8Array | undefined> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of body) {
    length += chunk.byteLength;
    // Leaving the loop early destroys the stream, and with it the connection.
    if (length > maxBytes) return undefined;
    chunks.push(chunk);
  }
  const [only] = chunks;
  return chunks.length === 1 && only !== undefined ? only : Buffer.concat(chunks, length);
}

/** All of a body that is known to be small: buffered, or embedded. */
export async function readAll(body: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  return (await readAtMost(body, Number.MAX_SAFE_INTEGER)) ?? new Uint8Array();
}

/**
 * The response with its body read, so that a body that breaks off breaks the exchange and can be tried again.
 * @throws TransportFailure; REGISTRY_REFUSED where the body is longer than `maxBytes`.
 */
export async function bufferBody(response: HttpResponse, maxBytes: number, step: string): Promise<HttpResponse> {
  let bytes: Uint8Array | undefined;
  try {
    bytes = await readAtMost(response.body, maxBytes);
  } catch (cause) {
    throw new TransportFailure(response.url, cause);
  }
  if (bytes === undefined) {
    const because = `the answer of ${response.url.host} is longer than ${maxBytes} bytes`;
    throw new DevboxError("REGISTRY_REFUSED", { step, because });
  }
  return { ...response, body: once(bytes), discard: async () => {} };
}
