/**
 * Requests to one registry, with all that they need around them: the endpoint found, authentication, redirects,
 * retries. What comes back has any status but a transient one, unless the tries are used up.
 */
import type { Context } from "../core/context.ts";
import { type Authenticator, createAuthenticator } from "./authentication/authenticator.ts";
import type { Credentials } from "./authentication/credentials.ts";
import { MAX_TOKEN_ANSWER_BYTES } from "./authentication/token.ts";
import { bufferBody } from "./http/body.ts";
import { candidateEndpoints } from "./http/endpoint.ts";
import { type Contact, createContact } from "./http/first-contact.ts";
import type { HttpClient, HttpMethod, HttpRequest, HttpResponse } from "./http/http-client.ts";
import { sendFollowing } from "./http/redirect.ts";
import { interrupted, isTransient, TransportFailure, transportError } from "./http/transport-error.ts";
import { backoffMs, isTransientStatus, parseRetryAfter, pause, type RetryPolicy } from "./retry.ts";

export interface SessionOptions {
  readonly registry: string;
  /** "": none; the registry itself is asked, to see whether a login is good. */
  readonly repository: string;
  readonly access: "pull" | "push";
  readonly tlsVerify: boolean;
  readonly retry: RetryPolicy;
  readonly userAgent: string;
  readonly client: HttpClient;
  readonly findCredentials: () => Promise<Credentials | undefined>;
}

export interface SessionRequest {
  readonly method: HttpMethod;
  /**
   * A string: below the registry's root, `v2/…`, or the URL of a place that the registry has named, authenticated where that
   * is on the registry's own origin. A URL: anywhere, without authentication.
   */
  readonly target: string | URL;
  readonly headers: Readonly<Record<string, string>>;
  /** For errors: `fetch blob sha256:…`. */
  readonly step: string;
  /** Read the body of a success as a part of the exchange, so that a broken one is tried again; at most so many bytes. */
  readonly bufferBytes?: number;
  readonly body?: NonNullable<HttpRequest["body"]>;
  /** Beside the repository's own: `repository:other/app:pull`. */
  readonly extraScopes?: readonly string[];
}

export interface Session {
  readonly context: Context;
  readonly options: SessionOptions;
  /** @throws DevboxError for what got no answer at all. */
  send(request: SessionRequest): Promise<HttpResponse>;
  /** One try, for what must not be repeated as it is. @throws TransportFailure for what got no answer. */
  sendOnce(request: SessionRequest): Promise<HttpResponse>;
}

type Exchange = (request: HttpRequest, step: string) => Promise<HttpResponse>;

export function createSession(context: Context, options: SessionOptions): Session {
  const { access, registry, repository, retry, tlsVerify } = options;
  const exchange = createExchange(context, options);
  const scope = repository === "" ? "" : `repository:${repository}:${access === "push" ? "pull,push" : "pull"}`;
  const authenticator = createAuthenticator(context, {
    registry,
    defaultScope: scope,
    neededScopes: access === "push" ? [scope] : [],
    tlsVerify,
    findCredentials: options.findCredentials,
    send: (request, step) =>
      sendRetrying(context, retry, step, async () =>
        bufferSuccess(await exchange.toTokenServer(request, step), MAX_TOKEN_ANSWER_BYTES, step),
      ),
  });
  let contact: Contact | undefined;
  const sendOnce = async (wanted: SessionRequest): Promise<HttpResponse> => {
    const { target, step, bufferBytes, extraScopes, ...rest } = wanted;
    if (typeof target !== "string") {
      return bufferSuccess(await exchange.anywhere({ ...rest, url: target }, step), bufferBytes, step);
    }
    contact ??= createContact(candidateEndpoints(registry, tlsVerify), (request) => exchange.anywhere(request, step));
    const response = await contact((endpoint) => {
      const request = { ...rest, url: new URL(target, endpoint) };
      if (request.url.origin !== endpoint.origin) return exchange.anywhere(request, step);
      return sendAuthenticated(authenticator, request, extraScopes, (signed) => exchange.anywhere(signed, step));
    });
    return bufferSuccess(response, bufferBytes, step);
  };
  return {
    context,
    options,
    send: (request) => sendRetrying(context, retry, request.step, () => sendOnce(request)),
    sendOnce,
  };
}

async function bufferSuccess(
  response: HttpResponse,
  maxBytes: number | undefined,
  step: string,
): Promise<HttpResponse> {
  return maxBytes === undefined || response.status !== 200 ? response : bufferBody(response, maxBytes, step);
}

function createExchange(
  context: Context,
  { client, tlsVerify, userAgent }: SessionOptions,
): { readonly anywhere: Exchange; readonly toTokenServer: Exchange } {
  const named = (request: HttpRequest): HttpRequest => ({
    ...request,
    headers: { ...request.headers, "user-agent": userAgent },
  });
  const anywhere: Exchange = (request, step) =>
    sendFollowing(client, named(request), { tlsVerify, signal: context.signal, step });
  // A POST to a token server carries a secret in its body, so it goes where it was sent and nowhere else.
  const toTokenServer: Exchange = (request, step) =>
    request.method === "POST" ? client.send(named(request), context.signal) : anywhere(request, step);
  return { anywhere, toTokenServer };
}

/** Send, and answer 401 as long as there is something new to say: a cached token may be stale, a fresh one may not. */
async function sendAuthenticated(
  authenticator: Authenticator,
  request: HttpRequest,
  extraScopes: readonly string[] | undefined,
  send: (request: HttpRequest) => Promise<HttpResponse>,
): Promise<HttpResponse> {
  let authorization = await authenticator.current(extraScopes);
  for (let isFinal = false; ; ) {
    const headers = authorization === undefined ? request.headers : { ...request.headers, authorization };
    const response = await send({ ...request, headers });
    // A 401 of a storage host that a redirect led to is not the registry's.
    if (response.status !== 401 || isFinal || response.url.origin !== request.url.origin) return response;
    const answer = await authenticator.answer(response.headerValues("www-authenticate"), authorization, extraScopes);
    if (answer === undefined) return response;
    await response.discard();
    authorization = answer.authorization;
    isFinal = answer.isFresh;
  }
}

/** Try until there is an answer that will not change by asking again, or the tries are used up. */
async function sendRetrying(
  context: Context,
  retry: RetryPolicy,
  step: string,
  attempt: () => Promise<HttpResponse>,
): Promise<HttpResponse> {
  const { signal } = context;
  for (let tries = 1; ; tries++) {
    let waitMs = backoffMs(retry, tries);
    let reason: string;
    try {
      const response = await attempt();
      const wantedMs = parseRetryAfter(response.header("retry-after"), context.now()) ?? 0;
      if (!isTransientStatus(response.status) || tries >= retry.attempts || wantedMs > retry.retryAfterMaxMs) {
        return response;
      }
      waitMs = Math.max(waitMs, wantedMs);
      reason = `status ${response.status}`;
      await response.discard();
    } catch (error) {
      if (!(error instanceof TransportFailure)) throw error;
      const failure = transportError(error, step, signal, tries);
      if (signal.aborted || !isTransient(error) || tries >= retry.attempts) throw failure;
      reason = failure.because ?? "";
    }
    context.log.debug("registry request will be tried again", { step, reason, waitMs: Math.round(waitMs), tries });
    await pause(waitMs, signal).catch(() => {
      throw interrupted(signal, step);
    });
  }
}
