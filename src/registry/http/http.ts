/**
 * The one file that knows undici: pooled connections, proxies, TLS, timeouts. Loaded by `await import` only.
 *
 * - The package is installed as `undici-http`: Bun replaces the bare name `undici` by a shim whose Agent does nothing
 *   (oven-sh/bun#42084).
 * - Without a proxy, only the two modules that serve `request` are imported: the package's index loads fetch,
 *   WebSocket, caches and mocks as well, which costs every pull another 4 ms.
 */
import type { SecureContext } from "node:tls";
import type { Dispatcher } from "undici-http";
import undiciRequest from "undici-http/lib/api/api-request.js";
import Agent from "undici-http/lib/dispatcher/agent.js";
import { DevboxError } from "../../core/errors.ts";
import type { HttpClient, HttpRequest, HttpResponse, HttpTimeouts, TlsSettings } from "./http-client.ts";
import { openRequestBody } from "./request-body.ts";
import { TransportFailure } from "./transport-error.ts";

export interface HttpOptions {
  readonly timeouts: HttpTimeouts;
  /** Asked once, at the first https request: reading CAs and making a TLS context costs milliseconds. */
  readonly loadTls: () => Promise<TlsSettings>;
  /** The proxy that a request to this URL goes through. */
  readonly proxyFor: (url: URL) => URL | undefined;
}

/** Registries answer layers one by one on a connection, so this bounds the parallel downloads from one host. */
const MAX_CONNECTIONS_PER_ORIGIN = 16;

/** An HTTP client; connections are kept until `close`, which ends what is under way. */
export function createHttpClient(options: HttpOptions): HttpClient {
  const dispatchers = new Map<string, Promise<Dispatcher>>();
  const dispatcherFor = (url: URL, proxy: URL | undefined): Promise<Dispatcher> => {
    const key = `${url.protocol} ${proxy?.href ?? "direct"}`;
    const known = dispatchers.get(key) ?? createDispatcher(options, url.protocol === "https:", proxy);
    dispatchers.set(key, known);
    return known;
  };
  return {
    send: async (request, signal) => {
      const proxy = options.proxyFor(request.url);
      const dispatcher = await dispatcherFor(request.url, proxy);
      return sendThrough(dispatcher, request, options.timeouts, signal).catch((error) => {
        throw new TransportFailure(request.url, error, proxy);
      });
    },
    close: async () => {
      const opened = await Promise.allSettled(dispatchers.values());
      await Promise.all(opened.map((one) => (one.status === "fulfilled" ? one.value.destroy() : undefined)));
    },
  };
}

async function createDispatcher(options: HttpOptions, secure: boolean, proxy: URL | undefined): Promise<Dispatcher> {
  const { timeouts } = options;
  const connect = { timeout: timeouts.connectMs };
  const pool = {
    connections: MAX_CONNECTIONS_PER_ORIGIN,
    headersTimeout: timeouts.headersMs,
    bodyTimeout: timeouts.bodyStallMs,
    // HTTP/2 brings nothing to a few long downloads, and its flow control windows slow them.
    allowH2: false,
  };
  const secureConnect =
    secure || proxy?.protocol === "https:"
      ? { ...connect, ...(await secureOptions(await options.loadTls())) }
      : connect;
  if (proxy === undefined) return new Agent({ ...pool, connect: secureConnect });
  // The whole package here: ProxyAgent needs the methods that its index adds to all dispatchers.
  const { ProxyAgent } = await import("undici-http");
  return new ProxyAgent({ ...pool, uri: proxy.href, connect, requestTls: secureConnect, proxyTls: secureConnect });
}

/** One TLS context for all connections: parsing some 260 CA certificates takes 5 ms. */
async function secureOptions(settings: TlsSettings): Promise<{
  readonly secureContext: SecureContext;
  readonly rejectUnauthorized: boolean;
}> {
  const { clientCertificate, extraCa, verify } = settings;
  const tls = await import("node:tls");
  try {
    const secureContext = tls.createSecureContext({
      // `ca` replaces the defaults in Bun as in Node.js, so they are named too; "default" has Bun's and the system's.
      ca: [...tls.getCACertificates("default"), ...extraCa],
      ...clientCertificate,
    });
    return { secureContext, rejectUnauthorized: verify };
  } catch (cause) {
    throw new DevboxError("REGISTRY_TLS", { step: "set up TLS with the extra certificates", cause });
  }
}

async function sendThrough(
  dispatcher: Dispatcher,
  request: HttpRequest,
  timeouts: HttpTimeouts,
  signal: AbortSignal,
): Promise<HttpResponse> {
  const { url } = request;
  const sent = request.body === undefined ? undefined : openRequestBody(request.body, timeouts.bodyStallMs);
  const response = await undiciRequest.call(dispatcher, {
    origin: url.origin,
    path: url.pathname + url.search,
    method: request.method,
    headers: { ...request.headers, ...sent?.headers },
    body: sent?.body ?? null,
    signal: sent === undefined ? signal : AbortSignal.any([signal, sent.stalled]),
    ...(sent === undefined ? {} : { headersTimeout: timeouts.uploadAnswerMs }),
  });
  const { body, headers } = response;
  const headerValues = (name: string): readonly string[] => {
    const value = headers[name];
    return value === undefined ? [] : typeof value === "string" ? [value] : value;
  };
  return {
    status: response.statusCode,
    url,
    header: (name) => headerValues(name)[0],
    headerValues,
    body,
    discard: () => body.dump({ limit: 64 * 1024 }).catch(() => {}),
  };
}
