/**
 * Where a registry listens, found with the first request itself: a question beforehand would cost every pull a round
 * trip. `v2/` is asked only where there is a choice (loopback, `--tls-verify=false`) and the first answer leaves a doubt.
 */
import type { HttpRequest, HttpResponse } from "./http-client.ts";
import { isTransient, TransportFailure } from "./transport-error.ts";

type SendTo = (endpoint: URL) => Promise<HttpResponse>;

/** Sends to the registry, wherever it is. Rejects with what `send` does. */
export type Contact = (send: SendTo) => Promise<HttpResponse>;

/**
 * @param candidates in the order in which they are tried (`candidateEndpoints`)
 * @param exchange one exchange with a candidate, without authentication: to ask `v2/`
 */
export function createContact(
  [first, other]: readonly [URL] | readonly [URL, URL],
  exchange: (request: HttpRequest) => Promise<HttpResponse>,
): Contact {
  let known: Promise<URL> | undefined = other === undefined ? Promise.resolve(first) : undefined;
  return async (send) => {
    if (known !== undefined || other === undefined) return send(await (known ?? first));
    const { promise, resolve, reject } = Promise.withResolvers<URL>();
    // Those that come meanwhile wait for it; perhaps nobody does.
    promise.catch(() => {});
    known = promise;
    let isFound = false;
    const found = (endpoint: URL): void => {
      isFound = true;
      resolve(endpoint);
    };
    try {
      return await firstRequest(first, other, { send, exchange, found });
    } catch (error) {
      if (!isFound) known = undefined;
      reject(error);
      throw error;
    }
  };
}

interface FirstRequest {
  readonly send: SendTo;
  readonly exchange: (request: HttpRequest) => Promise<HttpResponse>;
  /** Called as soon as it is known where the registry listens. */
  readonly found: (endpoint: URL) => void;
}

/**
 * A server that speaks TLS answers plain http with 400 (Go, nginx) or hangs up, and one that does not breaks off the TLS
 * handshake. But a 400 may be meant as one, and a connection may break by accident: then `v2/` tells.
 */
async function firstRequest(first: URL, other: URL, { send, exchange, found }: FirstRequest): Promise<HttpResponse> {
  const outcome = await attempt(() => send(first));
  const verdict = judge(outcome, first);
  if (verdict === "here" || (verdict === "perhaps" && (await listensAt(first, exchange)))) {
    found(first);
    if (isResponse(outcome)) return outcome;
    throw outcome;
  }
  found(other);
  if (isResponse(outcome)) await outcome.discard();
  return send(other);
}

function judge(outcome: HttpResponse | TransportFailure, asked: URL): "here" | "perhaps" | "elsewhere" {
  // It answered with a redirect to somewhere that did not.
  if (outcome.url.origin !== asked.origin) return "here";
  if (isResponse(outcome)) return asked.protocol === "https:" || outcome.status !== 400 ? "here" : "perhaps";
  return isTransient(outcome) ? "perhaps" : "elsewhere";
}

async function listensAt(endpoint: URL, exchange: FirstRequest["exchange"]): Promise<boolean> {
  const outcome = await attempt(() => exchange({ method: "GET", url: new URL("v2/", endpoint), headers: {} }));
  if (!isResponse(outcome)) return false;
  await outcome.discard();
  return judge(outcome, endpoint) === "here";
}

function isResponse(outcome: HttpResponse | TransportFailure): outcome is HttpResponse {
  return !(outcome instanceof TransportFailure);
}

async function attempt(send: () => Promise<HttpResponse>): Promise<HttpResponse | TransportFailure> {
  try {
    return await send();
  } catch (error) {
    if (error instanceof TransportFailure) return error;
    throw error;
  }
}
