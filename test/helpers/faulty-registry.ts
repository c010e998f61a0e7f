/**
 * A registry for what a real one does not do on demand: bodies that are cut or stall, in both directions, wrong bytes, wrong
 * lengths, ignored ranges, uploads that are lost, redirects, 429 and 503, and the authentication dances in all their variants.
 *
 *     await using registry = await startFaultyRegistry();
 *     const image = registry.addImage("library/busybox", "latest", { layers: [{ tar, compression: "gzip" }] });
 *     registry.fault(/blobs/, { kind: "cut", afterBytes: 1000 }, 2);
 *     … devbox pull ${registry.host}/library/busybox …
 *     expect(registry.requests.filter((request) => request.headers.authorization)).toEqual([]);
 *
 * It serves from memory, on loopback, in this process: programs that a test starts can use it as well.
 * On node:http rather than Bun.serve, which sends no Content-Length with a stream, so that a cut body would be no fault.
 */
import * as http from "node:http";
import * as https from "node:https";
import type { AddressInfo } from "node:net";

export type { FaultyAuthOptions } from "./faulty-registry-auth.ts";

import { type Answer, errorAnswer, type RecordedRequest } from "./faulty-registry-answers.ts";
import { createFaultyAuth, type FaultyAuth, type FaultyAuthOptions } from "./faulty-registry-auth.ts";
import { createFaultyUploads, type FaultyUploads } from "./faulty-registry-uploads.ts";
import { createImageShelf, type ImageShelf } from "./image-shelf.ts";

export type Fault =
  /** Close the connection after so many bytes of the body. */
  | { readonly kind: "cut"; readonly afterBytes: number }
  /** Send no more after so many bytes, and keep the connection open. */
  | { readonly kind: "stall"; readonly afterBytes: number }
  /** End normally after so many bytes, without Content-Length. */
  | { readonly kind: "short"; readonly bytes: number }
  /** Announce this Content-Length; the connection is closed where the body ends. */
  | { readonly kind: "length"; readonly contentLength: number }
  /** More bytes than the blob has, without Content-Length. */
  | { readonly kind: "long"; readonly extraBytes: number }
  /** One bit of the first byte is wrong. */
  | { readonly kind: "corrupt" }
  /** The whole body with 200, whatever range is asked for. */
  | { readonly kind: "ignore-range" }
  /** Close the connection instead of an answer. */
  | { readonly kind: "reset" }
  /** Never answer. */
  | { readonly kind: "silence" }
  /** So many bytes every so many milliseconds. */
  | { readonly kind: "slow"; readonly chunkBytes: number; readonly everyMs: number }
  /** Other headers of an otherwise good answer; undefined removes one. */
  | { readonly kind: "headers"; readonly headers: Readonly<Record<string, string | undefined>> }
  /** Take so many bytes of what is sent, and close the connection. An upload keeps them, or all that it had is lost. */
  | { readonly kind: "break"; readonly afterBytes: number; readonly keeps: boolean }
  /** Take so many bytes of what is sent, and say so: an upload in smaller steps than the client's. */
  | { readonly kind: "take-part"; readonly bytes: number }
  /** The upload that is asked for is there no more. */
  | { readonly kind: "lose-upload" }
  /** All tokens given so far have expired. */
  | { readonly kind: "revoke" }
  /** Take nothing of what is sent, and keep the connection open. */
  | { readonly kind: "take-nothing" }
  | { readonly kind: "redirect"; readonly to: string; readonly status?: number }
  | {
      readonly kind: "status";
      readonly status: number;
      readonly headers?: Readonly<Record<string, string>>;
      readonly body?: string;
      /** Before anything of the request's body is read. */
      readonly isEarly?: boolean;
    };

export interface FaultyRegistryOptions {
  readonly auth?: FaultyAuthOptions;
  /** PEM; `ca` and `requestCert` for client certificates. */
  readonly tls?: { readonly key: string; readonly cert: string; readonly ca?: string; readonly requestCert?: boolean };
}

export interface FaultyRegistry extends ImageShelf, AsyncDisposable {
  /** `127.0.0.1:PORT`. */
  readonly host: string;
  /** `http://127.0.0.1:PORT`. */
  readonly origin: string;
  readonly requests: RecordedRequest[];
  readonly auth: FaultyAuth | undefined;
  readonly uploads: FaultyUploads;
  /** Settled when a client closes its connection before it has the whole answer. */
  readonly hungUp: Promise<void>;
  /** The next `times` requests whose `METHOD /path` matches get this; faults queue, the first that matches is used. */
  fault(match: RegExp, fault: Fault, times?: number): void;
  close(): Promise<void>;
}

export async function startFaultyRegistry(options: FaultyRegistryOptions = {}): Promise<FaultyRegistry> {
  const faults: { readonly match: RegExp; readonly fault: Fault; left: number }[] = [];
  const requests: RecordedRequest[] = [];
  const shelf = createImageShelf();
  const uploads = createFaultyUploads(shelf);
  const hangUp = Promise.withResolvers<void>();
  const handle = async (incoming: http.IncomingMessage, response: http.ServerResponse): Promise<void> => {
    response.on("close", () => {
      if (!response.writableFinished) hangUp.resolve();
    });
    const entry = faults.find(({ match, left }) => left > 0 && match.test(`${incoming.method} ${incoming.url}`));
    if (entry !== undefined) entry.left--;
    const fault = entry?.fault;
    if (fault?.kind === "take-nothing") {
      incoming.pause();
      return;
    }
    const { content, request } = await record(incoming, bytesTaken(fault));
    requests.push(request);
    if (fault?.kind === "revoke") auth?.revoke();
    if (fault?.kind === "lose-upload" || (fault?.kind === "break" && !fault.keeps)) uploads.lose(request);
    if (fault?.kind === "break") {
      uploads.keep(request, content);
      response.socket?.destroy();
      return;
    }
    // What a status takes the place of has not happened; a connection that is reset may have lost the answer only.
    const refusal = fault?.kind === "status" ? errorAnswer(fault.status, "", "") : auth?.answer(request);
    const part = fault?.kind === "take-part" ? content.subarray(0, fault.bytes) : content;
    const answer = refusal ?? uploads.answer(request, part) ?? serve(shelf, request, fault?.kind === "ignore-range");
    await send(request, response, answer, fault);
  };
  const listener = (incoming: http.IncomingMessage, response: http.ServerResponse): void => {
    handle(incoming, response).catch(() => response.socket?.destroy());
  };
  const server = options.tls === undefined ? http.createServer(listener) : https.createServer(options.tls, listener);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  const origin = `${options.tls === undefined ? "http" : "https"}://${host}`;
  const auth = options.auth && createFaultyAuth(options.auth, origin);
  const close = async (): Promise<void> => {
    server.closeAllConnections();
    server.close();
  };
  return {
    ...shelf,
    host,
    origin,
    requests,
    auth,
    uploads,
    hungUp: hangUp.promise,
    fault: (match, fault, times = Number.POSITIVE_INFINITY) => faults.push({ match, fault, left: times }),
    close,
    [Symbol.asyncDispose]: close,
  };
}

function bytesTaken(fault: Fault | undefined): number {
  if (fault?.kind === "break") return fault.afterBytes;
  return fault?.kind === "status" && fault.isEarly === true ? 0 : Number.POSITIVE_INFINITY;
}

/** Up to `limit` bytes of the body: who wants no more breaks off. */
async function record(
  incoming: http.IncomingMessage,
  limit: number,
): Promise<{ readonly request: RecordedRequest; readonly content: Buffer }> {
  const chunks: Buffer[] = [];
  let bodyBytes = 0;
  for await (const chunk of incoming.iterator({ destroyOnReturn: false })) {
    chunks.push(chunk.subarray(0, limit - bodyBytes));
    bodyBytes = Math.min(limit, bodyBytes + chunk.byteLength);
    if (bodyBytes >= limit) break;
  }
  const content = Buffer.concat(chunks);
  const headers = Object.fromEntries(Object.entries(incoming.headers).map(([name, value]) => [name, String(value)]));
  const path = incoming.url ?? "";
  const body = path.includes("/blobs/uploads/") ? "" : content.toString();
  return { request: { method: incoming.method ?? "", path, headers, body, bodyBytes }, content };
}

/** distribution-spec end-1, end-2 and end-3. */
function serve(shelf: ImageShelf, request: RecordedRequest, ignoresRange: boolean): Answer {
  const path = request.path.replace(/\?.*$/, "");
  if (path === "/v2/") return { status: 200, headers: {}, body: Buffer.from("{}") };
  const [, repository = "", kind, reference = ""] = /^\/v2\/(.+)\/(manifests|blobs)\/([^/]+)$/.exec(path) ?? [];
  if (kind === "manifests" && request.method === "PUT") {
    const bytes = new TextEncoder().encode(request.body);
    const { digest } = shelf.addManifest(repository, reference, bytes, request.headers["content-type"]);
    return { status: 201, headers: { "docker-content-digest": digest }, body: new Uint8Array() };
  }
  if (kind === "manifests") {
    const found = shelf.findManifest(repository, reference);
    if (found === undefined) return errorAnswer(404, "MANIFEST_UNKNOWN", "manifest unknown");
    const headers = { "content-type": found.descriptor.mediaType, "docker-content-digest": found.descriptor.digest };
    return { status: 200, headers, body: found.bytes };
  }
  const blob = kind === "blobs" ? shelf.findBlob(reference) : undefined;
  if (blob === undefined) return errorAnswer(404, "BLOB_UNKNOWN", "blob unknown to registry");
  return serveRange(request, blob, reference, ignoresRange);
}

function serveRange(request: RecordedRequest, blob: Uint8Array, digest: string, ignoresRange: boolean): Answer {
  const headers = { "content-type": "application/octet-stream", etag: `"${digest}"`, "accept-ranges": "bytes" };
  const start = /^bytes=(\d+)-$/.exec(request.headers["range"] ?? "")?.[1];
  const isStale = request.headers["if-range"] !== undefined && request.headers["if-range"] !== headers.etag;
  if (start === undefined || ignoresRange || isStale) return { status: 200, headers, body: blob };
  const offset = Number(start);
  if (offset >= blob.byteLength) {
    return { status: 416, headers: { "content-range": `bytes */${blob.byteLength}` }, body: new Uint8Array() };
  }
  const range = `bytes ${offset}-${blob.byteLength - 1}/${blob.byteLength}`;
  return { status: 206, headers: { ...headers, "content-range": range }, body: blob.subarray(offset) };
}

async function send(
  request: RecordedRequest,
  response: http.ServerResponse,
  answer: Answer,
  fault: Fault | undefined,
): Promise<void> {
  if (fault?.kind === "silence") return;
  if (fault?.kind === "reset") {
    response.socket?.destroy();
    return;
  }
  const { status, headers, body } = distort(answer, fault);
  const present = Object.entries(headers).filter((entry): entry is [string, string] => entry[1] !== undefined);
  const hasLength = fault?.kind !== "short" && fault?.kind !== "long";
  const length = fault?.kind === "length" ? fault.contentLength : body.byteLength;
  response.writeHead(status, { ...(hasLength ? { "content-length": length } : {}), ...Object.fromEntries(present) });
  if (request.method === "HEAD") response.end();
  else await sendBody(response, body, fault);
}

function distort(answer: Answer, fault: Fault | undefined): Answer {
  const { body } = answer;
  switch (fault?.kind) {
    case "status":
      return { status: fault.status, headers: fault.headers ?? {}, body: Buffer.from(fault.body ?? "") };
    case "redirect":
      return { status: fault.status ?? 307, headers: { location: fault.to }, body: new Uint8Array() };
    case "headers":
      return { ...answer, headers: { ...answer.headers, ...fault.headers } };
    case "corrupt":
      return { ...answer, body: body.map((byte, index) => (index === 0 ? byte ^ 1 : byte)) };
    case "short":
      return { ...answer, body: body.subarray(0, fault.bytes) };
    case "long":
      return { ...answer, body: Buffer.concat([body, new Uint8Array(fault.extraBytes)]) };
    default:
      return answer;
  }
}

async function sendBody(response: http.ServerResponse, body: Uint8Array, fault: Fault | undefined): Promise<void> {
  const write = (bytes: Uint8Array): Promise<void> =>
    new Promise((resolve) => (bytes.byteLength === 0 ? resolve() : response.write(bytes, () => resolve())));
  switch (fault?.kind) {
    case "cut":
      await write(body.subarray(0, fault.afterBytes));
      response.socket?.destroy();
      return;
    case "stall":
      await write(body.subarray(0, fault.afterBytes));
      return;
    case "length":
      await write(body.subarray(0, fault.contentLength));
      if (fault.contentLength > body.byteLength) response.socket?.destroy();
      else response.end();
      return;
    case "slow":
      for (let at = 0; at < body.byteLength && !response.destroyed; at += fault.chunkBytes) {
        await write(body.subarray(at, at + fault.chunkBytes));
        await Bun.sleep(fault.everyMs);
      }
      response.end();
      return;
    default:
      response.end(body);
  }
}
