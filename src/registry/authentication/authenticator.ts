/**
 * The answer to 401: reads the challenges, finds the user's credentials, fetches bearer tokens and keeps them for as
 * long as they live. Anonymous until a registry asks: most pulls need no credentials, and no key ring is unlocked.
 */
import type { Context } from "../../core/context.ts";
import { DevboxError } from "../../core/errors.ts";
import { isAllowedUrl } from "../http/endpoint.ts";
import type { HttpRequest, HttpResponse } from "../http/http-client.ts";
import { refusedUrl } from "../http/transport-error.ts";
import { responseError } from "../response-error.ts";
import { type Challenge, parseChallenges } from "./challenge.ts";
import type { Credentials } from "./credentials.ts";
import { mergeScopes } from "./scope.ts";
import { basicAuthorization, readToken, type Token, type TokenScope, tokenRequest } from "./token.ts";
import { type Answer, createTokenCache } from "./token-cache.ts";

export interface AuthenticatorOptions {
  readonly registry: string;
  /** For challenges that name no scope: `repository:library/alpine:pull`. "": none. */
  readonly defaultScope: string;
  /** Asked for beside what a challenge names: a registry asks for pull first and for push later. */
  readonly neededScopes: readonly string[];
  readonly tlsVerify: boolean;
  readonly findCredentials: () => Promise<Credentials | undefined>;
  /** Sends to token servers: with retries and redirects, without authentication of its own. */
  readonly send: (request: HttpRequest, step: string) => Promise<HttpResponse>;
}

export interface Authenticator {
  /**
   * What to send unasked: what the last challenge led to. undefined: nothing was asked for yet.
   * @param extraScopes for this request only
   */
  current(extraScopes?: readonly string[]): Promise<string | undefined>;
  /**
   * What to send after a 401, given its WWW-Authenticate headers and the authorization that was refused.
   * undefined: there is nothing else to try. @throws REGISTRY_AUTH where a login is wanted and there is none.
   */
  answer(
    headers: readonly string[],
    refused: string | undefined,
    extraScopes?: readonly string[],
  ): Promise<Answer | undefined>;
}

export function createAuthenticator(context: Context, options: AuthenticatorOptions): Authenticator {
  const step = `log in at ${options.registry}`;
  let credentials: Promise<Credentials | undefined> | undefined;
  let last: TokenScope | "basic" | undefined;
  const findOnce = (): Promise<Credentials | undefined> => {
    credentials ??= options.findCredentials();
    return credentials;
  };
  const tokenFor = createTokenCache(context.now, async (wanted) =>
    fetchToken(context, options, wanted, await findOnce(), step),
  );
  const basic = async (): Promise<string> => basicFor(await findOnce(), options.registry, step);
  return {
    current: async (extraScopes = []) => {
      if (last === undefined) return undefined;
      return last === "basic" ? basic() : (await tokenFor(withScopes(last, extraScopes), undefined)).authorization;
    },
    answer: async (headers, refused, extraScopes = []) => {
      const challenges = parseChallenges(headers);
      if (challenges.length === 0) return undefined;
      const chosen = choose(challenges, options, step);
      // A challenge to a request with extra scopes may name them: they are not for the requests that follow.
      last = chosen === "basic" || extraScopes.length === 0 ? chosen : (last ?? withDefaultScope(chosen, options));
      if (chosen !== "basic") return tokenFor(withScopes(chosen, extraScopes), refused);
      const authorization = await basic();
      return authorization === refused ? undefined : { authorization, isFresh: true };
    },
  };
}

async function fetchToken(
  context: Context,
  options: AuthenticatorOptions,
  wanted: TokenScope,
  credentials: Credentials | undefined,
  step: string,
): Promise<Token> {
  const askedAt = context.now();
  const response = await options.send(tokenRequest(wanted, credentials), step);
  if (response.status === 200) return readToken(response, step, askedAt);
  const note = credentials === undefined ? undefined : `the credentials are from ${credentials.source}`;
  const error = await responseError(response, step, note);
  // The token server's 404 says nothing about the image.
  if (error.code !== "REGISTRY_NOT_FOUND") throw error;
  throw new DevboxError("REGISTRY_REFUSED", { step, because: error.because ?? "no such token server", cause: error });
}

function basicFor(credentials: Credentials | undefined, registry: string, step: string): string {
  if (credentials?.kind === "password") return basicAuthorization(credentials);
  const because =
    credentials === undefined
      ? "it wants a login, and no credentials are stored for it"
      : `it wants a password, and ${credentials.source} has an identity token`;
  const hint = `log in: devbox login ${registry}`;
  throw new DevboxError("REGISTRY_AUTH", { step, because, hint });
}

/** Bearer before Basic, whatever their order: a token shows the password to the token server only. */
function choose(challenges: readonly Challenge[], options: AuthenticatorOptions, step: string): TokenScope | "basic" {
  const bearer = challenges.find(({ scheme, parameters }) => scheme === "bearer" && parameters.has("realm"));
  if (bearer !== undefined) return readScope(bearer, options, step);
  if (challenges.some(({ scheme }) => scheme === "basic")) return "basic";
  const schemes = challenges.map(({ scheme }) => scheme).join(", ");
  const because = `it offers ${schemes}; devbox knows basic and bearer`;
  throw new DevboxError("REGISTRY_AUTH", { step, because });
}

function readScope({ parameters }: Challenge, options: AuthenticatorOptions, step: string): TokenScope {
  const text = parameters.get("realm") ?? "";
  const realm = URL.parse(text);
  if (realm === null) {
    throw new DevboxError("REGISTRY_AUTH", { step, because: "its challenge names a realm that is not a URL" });
  }
  if (!isAllowedUrl(realm, options.tlsVerify)) throw refusedUrl(realm, step, "the token server has no TLS");
  const scope = parameters.get("scope") || options.defaultScope;
  return withScopes({ realm, service: parameters.get("service"), scope }, options.neededScopes);
}

function withScopes(wanted: TokenScope, scopes: readonly string[]): TokenScope {
  return scopes.length === 0 ? wanted : { ...wanted, scope: mergeScopes([wanted.scope, ...scopes]) };
}

function withDefaultScope(wanted: TokenScope, { defaultScope }: AuthenticatorOptions): TokenScope {
  return { ...wanted, scope: defaultScope };
}
