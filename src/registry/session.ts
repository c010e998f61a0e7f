/**
 * Requests to one registry, with all that they need around them: the endpoint found, authentication, redirects,
 * retries. What comes back has any status but a transient one, unless the tries are used up.
 */
import type { Context } from "../core/context.ts";
import { type Authenticator, createAuthenticator } from "./authenticator.ts";
import { bufferBody } from "./body.ts";
import type { Credentials } from "./credentials.ts";
import { candidateEndpoints } from "./endpoint.ts";
import { type Contact, createContact } from "./first-contact.ts";
import type { HttpClient, HttpRequest, HttpResponse } from "./http-client.ts";
import { sendFollowing } from "./redirect.ts";
import { backoffMs, isTransientStatus, parseRetryAfter, pause, type RetryPolicy } from "./retry.ts";
import { MAX_TOKEN_ANSWER_BYTES } from "./token.ts";
import { interrupted, isTransient, TransportFailure, transportError } from "./transport-error.ts";

export interface SessionOptions {
  readonly registry: string;
  readonly repository: string;
  readonly tlsVerify: boolean;
  readonly retry: RetryPolicy;
  readonly userAgent: string;
  readonly client: HttpClient;
  readonly findCredentials: () => Promise<Credentials | undefined>;
}

export interface SessionRequest {
  readonly method: "GET" | "HEAD";
  /** Below the registry's root, `v2/…`; or anywhere, then without authentication. */
  readonly target: string | URL;
  readonly headers: Readonly<Record<string, string>>;
  /** For errors: `fetch blob sha256:…`. */
  readonly step: string;
  /** Read the body of a success as a part of the exchange, so that a broken one is tried again; at most so many bytes. */
  readonly bufferBytes?: number;
}

export interface Session {
  readonly context: Context;
  readonly options: SessionOptions;
  /** @throws DevboxError for what got no answer at all. */
  send(request: SessionRequest): Promise<HttpResponse>;
}

type Exchange = (request: HttpRequest, step: string) => Promise<HttpResponse>;

export function createSession(context: Context, options: SessionOptions): Session {
  const { registry, repository, retry, tlsVerify } = options;
  const exchange = createExchange(context, options);
  const authenticator = createAuthenticator(context, {
    registry,
    defaultScope: `repository:${repository}:pull`,
    tlsVerify,
    findCredentials: options.findCredentials,
    send: (request, step) =>
      sendRetrying(context, retry, step, async () =>
        bufferSuccess(await exchange(request, step), MAX_TOKEN_ANSWER_BYTES, step),
      ),
  });
  let contact: Contact | undefined;
  return {
    context,
    options,
    send: async ({ target, step, bufferBytes, ...rest }) => {
      const sendOnce = async (): Promise<HttpResponse> => {
        if (typeof target !== "string") return exchange({ ...rest, url: target }, step);
        contact ??= createContact(candidateEndpoints(registry, tlsVerify), (request) => exchange(request, step));
        return contact((endpoint) => {
          const request = { ...rest, url: new URL(target, endpoint) };
          return sendAuthenticated(authenticator, request, (signed) => exchange(signed, step));
        });
      };
      return sendRetrying(context, retry, step, async () => bufferSuccess(await sendOnce(), bufferBytes, step));
    },
  };
}

async function bufferSuccess(
  response: HttpResponse,
  maxBytes: number | undefined,
  step: string,
): Promise<HttpResponse> {
  return maxBytes === undefined || response.status !== 200 ? response : bufferBody(response, maxBytes, step);
}

/** Send and follow redirects. A POST carries a secret in its body, so it goes where it was sent and nowhere else. */
function createExchange(context: Context, { client, tlsVerify, userAgent }: SessionOptions): Exchange {
  return (request, step) => {
    const named = { ...request, headers: { ...request.headers, "user-agent": userAgent } };
    if (named.method === "POST") return client.send(named, context.signal);
    return sendFollowing(client, named, { tlsVerify, signal: context.signal, step });
  };
}

/** Send, and answer 401 as long as there is something new to say: a cached token may be stale, a fresh one may not. */
async function sendAuthenticated(
  authenticator: Authenticator,
  request: HttpRequest,
  send: (request: HttpRequest) => Promise<HttpResponse>,
): Promise<HttpResponse> {
  let authorization = await authenticator.current();
  for (let isFinal = false; ; ) {
    const headers = authorization === undefined ? request.headers : { ...request.headers, authorization };
    const response = await send({ ...request, headers });
    // A 401 of a storage host that a redirect led to is not the registry's.
    if (response.status !== 401 || isFinal || response.url.origin !== request.url.origin) return response;
    const answer = await authenticator.answer(response.headerValues("www-authenticate"), authorization);
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
