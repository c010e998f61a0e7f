/** Redirects, followed by hand: undici would carry `Authorization` along, and follow to anywhere. */
import { isAllowedUrl, isLoopbackHost } from "./endpoint.ts";
import type { HttpClient, HttpMethod, HttpRequest, HttpResponse } from "./http-client.ts";
import { refusedUrl } from "./transport-error.ts";

const MAX_REDIRECTS = 10;
const redirectStatuses: readonly number[] = [301, 302, 303, 307, 308];
/** The others turn a method into GET, or leave open what they do (RFC 9110 section 15.4): no way for content. */
const keepingStatuses: readonly number[] = [307, 308];

export interface RedirectPolicy {
  readonly tlsVerify: boolean;
  readonly signal: AbortSignal;
  /** For errors: `fetch blob sha256:…`. */
  readonly step: string;
}

/**
 * Send a request and follow where it leads; content goes along. `Authorization` goes only to the origin (scheme, host and port) that
 * it was meant for: blobs are often served by a storage host, whose URL is signed.
 * @throws REGISTRY_REFUSED for loops, more than 10 redirects, and leading from https to plain http, or to loopback.
 */
export async function sendFollowing(
  client: HttpClient,
  request: HttpRequest,
  policy: RedirectPolicy,
): Promise<HttpResponse> {
  const seen = new Set<string>();
  let current = request;
  for (;;) {
    const response = await client.send(current, policy.signal);
    const location = response.header("location");
    if (!followed(request.method).includes(response.status) || location === undefined) return response;
    await response.discard();
    seen.add(current.url.href);
    const next = URL.parse(location, current.url.href);
    if (next === null) throw refusedUrl(current.url, policy.step, "it redirects to something that is not a URL");
    const problem = redirectProblem(next, current.url, seen, policy.tlsVerify);
    if (problem !== undefined) throw refusedUrl(next, policy.step, problem);
    current = { ...current, url: next, headers: headersFor(next, request) };
  }
}

function followed(method: HttpMethod): readonly number[] {
  return method === "GET" || method === "HEAD" ? redirectStatuses : keepingStatuses;
}

/** May the answer from `from` send devbox to `next`? */
export function isSafePlace(next: URL, from: URL, tlsVerify: boolean): boolean {
  // A registry elsewhere has no business with what listens on this machine's loopback.
  const isLocal = isLoopbackHost(next.hostname) && !isLoopbackHost(from.hostname);
  return isAllowedUrl(next, tlsVerify) && !(isLocal && tlsVerify);
}

function redirectProblem(next: URL, from: URL, seen: ReadonlySet<string>, tlsVerify: boolean): string | undefined {
  if (!isSafePlace(next, from, tlsVerify)) return "the registry redirects to a place that is not safe";
  if (seen.has(next.href)) return "the registry redirects in a circle";
  return seen.size > MAX_REDIRECTS ? `more than ${MAX_REDIRECTS} redirects` : undefined;
}

function headersFor(url: URL, request: HttpRequest): Readonly<Record<string, string>> {
  if (url.origin === request.url.origin) return request.headers;
  const { authorization: _, ...rest } = request.headers;
  return rest;
}
