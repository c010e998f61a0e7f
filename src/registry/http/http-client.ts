/** HTTP as the registry client needs it: types only, so that all but `http.ts` stay free of undici. */

export type HttpMethod = "GET" | "HEAD" | "POST" | "PUT" | "PATCH" | "DELETE";

/** Content that is made while it is sent. */
export interface StreamBody {
  /** Bytes: a stream that gives more or fewer breaks the exchange. */
  readonly length: number;
  /** From its first byte; called again for every further try. */
  open(): AsyncIterable<Uint8Array>;
}

export interface HttpRequest {
  readonly method: HttpMethod;
  readonly url: URL;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array | StreamBody;
}

export interface HttpResponse {
  readonly status: number;
  /** Where the response came from: differs from the request's after a redirect. */
  readonly url: URL;
  /** The first value of a header; the name in lower case. */
  header(name: string): string | undefined;
  headerValues(name: string): readonly string[];
  /** Chunks as they come from the socket, to be iterated once; rejects with whatever the transport throws. */
  readonly body: AsyncIterable<Uint8Array>;
  /** Give the connection back without the body. */
  discard(): Promise<void>;
}

/** One exchange: no redirects, no retries, no authentication. Rejects with a `TransportFailure`. */
export interface HttpClient {
  send(request: HttpRequest, signal: AbortSignal): Promise<HttpResponse>;
  close(): Promise<void>;
}

/** All in milliseconds. */
export interface HttpTimeouts {
  readonly connectMs: number;
  /** From the request to the end of the response's headers. */
  readonly headersMs: number;
  /** Without a byte of the body, while somebody reads it; or while it is sent, without a byte that is taken. */
  readonly bodyStallMs: number;
  /** As `headersMs`, for requests with content: a registry may hash or copy all of it before it answers. */
  readonly uploadAnswerMs: number;
}

export const defaultTimeouts: HttpTimeouts = {
  connectMs: 10_000,
  headersMs: 30_000,
  bodyStallMs: 30_000,
  uploadAnswerMs: 300_000,
};

/** What is trusted beside the public CAs, and who we are. PEM. */
export interface TlsSettings {
  /** false: any certificate is accepted (`--tls-verify=false`). */
  readonly verify: boolean;
  readonly extraCa: readonly string[];
  readonly clientCertificate?: { readonly cert: string; readonly key: string };
}

/** `https://host/path?…`: the query of a signed URL is a secret, as are user and password. */
export function redactUrl(url: URL): string {
  return `${url.origin}${url.pathname}${url.search === "" ? "" : "?…"}`;
}
