/**
 * Blobs (distribution-spec "Pulling blobs"): a stream that mends itself. A body that breaks off or stalls is asked for
 * again from where it was, by Range, inside the stream; the reader sees one run of bytes.
 *
 * The bytes of a stream are not verified here: whoever reads it hashes anyway, with the bytes of an earlier run that
 * only it has. That there are neither more nor fewer than announced is made sure.
 */

import { DevboxError } from "../../core/errors.ts";
import { once } from "../../core/streams.ts";
import type { Descriptor } from "../../oci/descriptor.ts";
import { embeddedContent, verifyContent } from "../../oci/verify.ts";
import { readAtMost } from "../http/body.ts";
import { interrupted, isTransient, TransportFailure, transportError } from "../http/transport-error.ts";
import { backoffMs, pause } from "../retry.ts";
import type { Session } from "../session.ts";
import { blobStep, type OpenBlob, openBlob } from "./blob-source.ts";

export interface BlobRequest {
  /** Bytes that the caller has from an earlier run. */
  readonly offset: number;
  /** The `validator` of that run: if the content behind the URL has changed since, the stream starts at 0. */
  readonly validator?: string;
}

export interface BlobStream {
  /** Chunks as they come, never empty, `totalBytes - offset` bytes together. To be iterated once. */
  readonly stream: AsyncIterable<Uint8Array>;
  /** Where the stream starts: as asked for, or 0 where the registry gives no ranges. */
  readonly offset: number;
  readonly totalBytes: number;
  /** To be kept with a partial download: a strong ETag. */
  readonly validator: string | undefined;
}

/** So many bytes between two failures, and the download is getting on: the count of failures starts anew. */
const PROGRESS_BYTES = 1024 * 1024;

/**
 * Open a blob. Its first response is there when this resolves.
 * @throws REGISTRY_NOT_FOUND, REGISTRY_AUTH, …; the stream throws REGISTRY_UNREACHABLE, SIZE_MISMATCH, INTERRUPTED.
 */
export async function fetchBlob(session: Session, descriptor: Descriptor, request: BlobRequest): Promise<BlobStream> {
  const totalBytes = descriptor.size;
  const embedded = embeddedContent(descriptor);
  const offset = request.offset > totalBytes ? 0 : request.offset;
  if (embedded !== undefined || offset === totalBytes) {
    const rest = embedded === undefined ? new Uint8Array() : embedded.subarray(offset);
    return { stream: once(rest), offset, totalBytes, validator: undefined };
  }
  const first = await openBlob(session, descriptor, { ...request, offset });
  return {
    stream: streamBlob(session, descriptor, first),
    offset: first.offset,
    totalBytes,
    validator: first.validator,
  };
}

/**
 * A small blob whole, verified: an image config.
 * @throws SIZE_MISMATCH, DIGEST_MISMATCH; REGISTRY_REFUSED where it is announced to be larger than `maxBytes`.
 */
export async function fetchSmallBlob(session: Session, descriptor: Descriptor, maxBytes: number): Promise<Uint8Array> {
  const step = blobStep(session, descriptor);
  if (descriptor.size > maxBytes) {
    const because = `its size is ${descriptor.size} bytes; at most ${maxBytes} are accepted`;
    throw new DevboxError("REGISTRY_REFUSED", { step, because });
  }
  const { stream } = await fetchBlob(session, descriptor, { offset: 0 });
  const bytes = (await readAtMost(stream, maxBytes)) ?? new Uint8Array();
  verifyContent(bytes, descriptor, step);
  return bytes;
}

async function* streamBlob(session: Session, descriptor: Descriptor, first: OpenBlob): AsyncGenerator<Uint8Array> {
  const { retry } = session.options;
  const { signal } = session.context;
  let position = first.offset;
  let failures = 0;
  let failedAt = position;
  for (let source = first; ; ) {
    try {
      for await (const chunk of exactly(session, descriptor, source, position)) {
        position += chunk.byteLength;
        yield chunk;
      }
      return;
    } catch (error) {
      if (!(error instanceof TransportFailure)) throw error;
      failures = position - failedAt >= PROGRESS_BYTES ? 1 : failures + 1;
      failedAt = position;
      const failure = transportError(error, blobStep(session, descriptor), signal, failures);
      if (signal.aborted || !isTransient(error) || failures >= retry.attempts) throw failure;
      await waitToResume(session, failure, position, failures);
    }
    source = await openBlob(session, descriptor, {
      offset: position,
      ...(first.validator === undefined ? {} : { validator: first.validator }),
    });
  }
}

/**
 * The bytes from `position` to the end. A source may start before: a registry without ranges sends all again.
 * Ends normally only at the announced size; a reader that stops early destroys the connection.
 */
async function* exactly(
  session: Session,
  descriptor: Descriptor,
  source: OpenBlob,
  position: number,
): AsyncGenerator<Uint8Array> {
  const chunks = source.body[Symbol.asyncIterator]();
  try {
    for (let at = source.offset; ; ) {
      const next = await chunks.next().catch((cause) => {
        throw new TransportFailure(source.url, cause);
      });
      if (next.done === true) {
        if (at < descriptor.size) throw new TransportFailure(source.url, shortBody());
        return;
      }
      const from = at;
      at += next.value.byteLength;
      if (at > descriptor.size) throw tooLong(session, descriptor, source.url);
      if (at > position) yield from >= position ? next.value : next.value.subarray(position - from);
    }
  } finally {
    await chunks.return?.();
  }
}

/** A body without Content-Length ends early without the transport noticing. */
function shortBody(): Error {
  return Object.assign(new Error("the body is shorter than announced"), { code: "UND_ERR_SOCKET" });
}

function tooLong(session: Session, descriptor: Descriptor, url: URL): DevboxError {
  const because = `${url.host} sent more than the announced ${descriptor.size} bytes`;
  return new DevboxError("SIZE_MISMATCH", { step: blobStep(session, descriptor), because });
}

async function waitToResume(session: Session, failure: DevboxError, position: number, failures: number): Promise<void> {
  const { context, options } = session;
  const waitMs = backoffMs(options.retry, failures);
  const fields = { step: failure.step, reason: failure.because, position, waitMs: Math.round(waitMs) };
  context.log.debug("download broke off and will be resumed", fields);
  await pause(waitMs, context.signal).catch(() => {
    throw interrupted(context.signal, failure.step);
  });
}
