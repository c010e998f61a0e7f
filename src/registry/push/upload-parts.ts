/**
 * An upload from its opening to its end, over a connection that may break and a registry that may be ill: what the registry
 * has is asked for, and sent on from there.
 *
 * - Up to 1 MiB: one PUT with all of it. It saves a round trip, and to send that much again costs little.
 * - More: one PATCH with all of it, then an empty PUT, as docker and skopeo send it. That is the form that every registry
 *   takes (some know no chunks), and the fastest.
 * - Chunks where they are needed: where the registry announces their least length, where it or a proxy before it takes no
 *   request of this size (413), and where a connection broke and nothing of what had been sent was kept.
 */

import { DevboxError } from "../../core/errors.ts";
import { once } from "../../core/streams.ts";
import type { Descriptor } from "../../oci/descriptor.ts";
import { verifyContent } from "../../oci/verify.ts";
import { readAtMost } from "../http/body.ts";
import type { HttpResponse } from "../http/http-client.ts";
import { interrupted, isTransient, TransportFailure, transportError } from "../http/transport-error.ts";
import { backoffMs, isTransientStatus, parseRetryAfter, pause } from "../retry.ts";
import type { Session } from "../session.ts";
import { pushError } from "./push-error.ts";
import type { UploadContent } from "./upload.ts";
import { type CheckedContent, checkContent } from "./upload-content.ts";
import { completionUrl, readLocation, readUploadedBytes } from "./upload-location.ts";
import {
  cancelUpload,
  checkReportedDigest,
  hasBlob,
  type OpenUpload,
  openUpload,
  pushStep,
  uploadState,
} from "./upload-session.ts";

/** Bytes: up to here an upload is one request. */
const ONE_REQUEST_BYTES = 1024 * 1024;
/** Bytes. Under the limits of the proxies that have one (100 MB is common), and few enough to send again. */
const CHUNK_BYTES = 32 * 1024 * 1024;
/** So many bytes between two failures, and the upload is getting on: the count of failures starts anew. */
const PROGRESS_BYTES = 1024 * 1024;

/** What came of one request. */
type Outcome =
  | { readonly kind: "stored" }
  | { readonly kind: "accepted"; readonly upload: OpenUpload }
  | { readonly kind: "failed"; readonly error: DevboxError; readonly retryAfterMs: number; readonly next: Recovery };

/**
 * Before the next try. ask: how far it is. agree: the same, and the upload is of no use where the answer is what was believed
 * and refused. anew: open another upload. smaller: ask, and send less in one request.
 */
type Recovery = "ask" | "agree" | "anew" | "smaller";

/**
 * Send the content to the upload that is open, and complete it. @throws as `pushBlob`; the upload is cancelled then where the
 * registry can still be asked.
 */
export async function uploadParts(
  session: Session,
  content: UploadContent,
  opened: OpenUpload,
  onProgress: (doneBytes: number) => void,
): Promise<void> {
  const { descriptor } = content;
  const step = pushStep(session, descriptor);
  let upload = opened;
  try {
    const source = descriptor.size <= ONE_REQUEST_BYTES ? await inMemory(content, step) : content;
    await using checked = checkContent(source, step);
    const failures = countFailures(session);
    let chunkBytes = opened.chunkMinimum === undefined ? undefined : Math.max(opened.chunkMinimum, CHUNK_BYTES);
    for (;;) {
      const outcome = await advance(session, descriptor, { content: checked, upload, chunkBytes, onProgress });
      if (outcome.kind === "stored") return;
      let next: OpenUpload | "stored";
      if (outcome.kind === "accepted") next = outcome.upload;
      else {
        if (outcome.next === "smaller") chunkBytes = CHUNK_BYTES;
        else await failures.add(outcome.error, upload.offset, outcome.retryAfterMs);
        next = await recover(session, descriptor, { content: checked, upload, recovery: outcome.next });
        if (next === "stored") return;
        const isLost = next.offset <= upload.offset && checked.hashedBytes - upload.offset > CHUNK_BYTES;
        if (isLost) chunkBytes ??= CHUNK_BYTES;
      }
      upload = next;
      onProgress(upload.offset);
    }
  } catch (error) {
    const isCutOff = error instanceof DevboxError && error.code === "REGISTRY_UNREACHABLE";
    if (!isCutOff && !session.context.signal.aborted) await cancelUpload(session, descriptor, upload);
    throw error;
  }
}

/** Content that is one request is read and verified before any of it is sent: its last byte completes it. */
async function inMemory(content: UploadContent, step: string): Promise<UploadContent> {
  const { descriptor } = content;
  const { stream } = await content.open(0);
  const bytes = await readAtMost(stream, descriptor.size);
  if (bytes === undefined) {
    const because = `${descriptor.size} bytes were announced, there are more`;
    throw new DevboxError("SIZE_MISMATCH", { step, because });
  }
  verifyContent(bytes, descriptor, step);
  return { descriptor, open: async (from) => ({ stream: once(bytes.subarray(from)), offset: from }) };
}

interface Position {
  readonly content: CheckedContent;
  readonly upload: OpenUpload;
  /** undefined: all of the rest in one request. */
  readonly chunkBytes: number | undefined;
  readonly onProgress: (doneBytes: number) => void;
}

/** Send the next part, or complete what is there. */
async function advance(
  session: Session,
  descriptor: Descriptor,
  { chunkBytes, content, onProgress, upload }: Position,
): Promise<Outcome> {
  const { offset } = upload;
  const { size } = descriptor;
  const step = pushStep(session, descriptor);
  const isLast = size <= ONE_REQUEST_BYTES || offset === size;
  const to = isLast ? size : Math.min(size, offset + (chunkBytes ?? size));
  // The registry has all of it: the last moment to find out that it must not be completed.
  if (offset === size) content.verify();
  const range = to === offset ? {} : { "content-range": `${offset}-${to - 1}` };
  try {
    const response = await session.sendOnce({
      method: isLast ? "PUT" : "PATCH",
      target: (isLast ? completionUrl(upload.location, descriptor.digest) : upload.location).href,
      headers: { "content-type": "application/octet-stream", ...range },
      body: to === offset ? "" : content.part(offset, to, onProgress),
      step,
    });
    const canBeSmaller = !isLast && to - offset > CHUNK_BYTES;
    return isSuccess(response)
      ? await readAccepted(session, descriptor, { response, upload, to, isLast })
      : await readRefused(session, descriptor, response, canBeSmaller);
  } catch (error) {
    if (content.failure !== undefined) throw content.failure.error;
    if (!(error instanceof TransportFailure)) throw error;
    const failure = transportError(error, step, session.context.signal);
    if (session.context.signal.aborted || !isTransient(error)) throw failure;
    return { kind: "failed", error: failure, retryAfterMs: 0, next: "ask" };
  }
}

function isSuccess({ status }: HttpResponse): boolean {
  return status >= 200 && status < 300;
}

async function readAccepted(
  session: Session,
  descriptor: Descriptor,
  sent: { readonly response: HttpResponse; readonly upload: OpenUpload; readonly to: number; readonly isLast: boolean },
): Promise<Outcome> {
  const { isLast, response, to, upload } = sent;
  const step = pushStep(session, descriptor);
  await response.discard();
  if (isLast) {
    checkReportedDigest(response, descriptor, step);
    return { kind: "stored" };
  }
  const location = readLocation(response, session.options.tlsVerify, step) ?? upload.location;
  // Some registries answer 0-0 to every part: that it was accepted says enough, and the digest is checked at the end.
  const offset = readUploadedBytes(response.header("range")) || to;
  if (offset > upload.offset && offset <= to) return { kind: "accepted", upload: { ...upload, location, offset } };
  const because = `${response.url.host} has ${offset} bytes where ${to} were sent`;
  const error = new DevboxError("REGISTRY_REFUSED", { step, because });
  return { kind: "failed", error, retryAfterMs: 0, next: "anew" };
}

async function readRefused(
  session: Session,
  descriptor: Descriptor,
  response: HttpResponse,
  canBeSmaller: boolean,
): Promise<Outcome> {
  const { status } = response;
  const retryAfterMs = parseRetryAfter(response.header("retry-after"), session.context.now()) ?? 0;
  const error = await pushError(session, response, pushStep(session, descriptor));
  if (status === 413 && canBeSmaller) return { kind: "failed", error, retryAfterMs, next: "smaller" };
  if (status === 404) return { kind: "failed", error, retryAfterMs, next: "anew" };
  if (status === 416) return { kind: "failed", error, retryAfterMs, next: "agree" };
  if (isTransientStatus(status)) return { kind: "failed", error, retryAfterMs, next: "ask" };
  throw error;
}

/**
 * Where to go on after a failure. "stored": the blob is there after all, and only the answer got lost. docker-registry (2.8)
 * throws an upload away that broke off in the middle of a request, and answers 404: there it is begun anew.
 */
async function recover(
  session: Session,
  descriptor: Descriptor,
  failed: { readonly content: CheckedContent; readonly upload: OpenUpload; readonly recovery: Recovery },
): Promise<OpenUpload | "stored"> {
  const { content, recovery, upload } = failed;
  const state = recovery === "anew" ? undefined : await uploadState(session, descriptor, upload);
  const isRefused = recovery === "agree" && state?.offset === upload.offset;
  // More than was sent is not ours.
  if (state !== undefined && !isRefused && state.offset <= content.hashedBytes) return state;
  if (state !== undefined) await cancelUpload(session, descriptor, upload);
  if (await hasBlob(session, descriptor)) return "stored";
  return openUpload(session, descriptor);
}

interface FailureCount {
  /** Wait before the next try. @throws `error` when there have been too many without progress, or the wait would be too long. */
  add(error: DevboxError, offset: number, retryAfterMs: number): Promise<void>;
}

function countFailures({ context, options }: Session): FailureCount {
  const { retry } = options;
  let failures = 0;
  // The furthest that any upload got: one that starts anew time after time is getting nowhere.
  let furthest = 0;
  return {
    add: async (error, offset, retryAfterMs) => {
      failures = offset - furthest >= PROGRESS_BYTES ? 1 : failures + 1;
      furthest = Math.max(furthest, offset);
      if (failures >= retry.attempts || retryAfterMs > retry.retryAfterMaxMs) throw error;
      const waitMs = Math.max(backoffMs(retry, failures), retryAfterMs);
      const fields = { step: error.step, reason: error.because, offset, waitMs: Math.round(waitMs) };
      context.log.debug("upload broke off and goes on", fields);
      await pause(waitMs, context.signal).catch(() => {
        throw interrupted(context.signal, error.step);
      });
    },
  };
}
