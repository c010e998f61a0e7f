/**
 * Bearer tokens (distribution "Token Authentication Specification" and "OAuth2 Token Authentication"): the request to
 * the realm that a challenge names, and what it answers.
 */
import { DevboxError } from "../../core/errors.ts";
import { isAbsent, member, parseJson, readInteger, readString } from "../../oci/json.ts";
import { readAll } from "../http/body.ts";
import type { HttpRequest, HttpResponse } from "../http/http-client.ts";
import type { Credentials } from "./credentials.ts";

export interface TokenScope {
  readonly realm: URL;
  readonly service: string | undefined;
  /** Space separated: `repository:library/alpine:pull`. */
  readonly scope: string;
}

export interface Token {
  /** Secret. */
  readonly value: string;
  /** Milliseconds since the epoch, on our clock. */
  readonly expiresAtMs: number;
}

export const MAX_TOKEN_ANSWER_BYTES = 1024 * 1024;
/** What the specification says to assume. */
const DEFAULT_LIFE_SECONDS = 60;

export function basicAuthorization(credentials: { readonly username: string; readonly password: string }): string {
  return `Basic ${Buffer.from(`${credentials.username}:${credentials.password}`).toString("base64")}`;
}

/**
 * An identity token is exchanged by an OAuth2 refresh; it must not be in a URL, so that is a POST. A password, or
 * nothing at all for a public image, goes by GET.
 */
export function tokenRequest(wanted: TokenScope, credentials: Credentials | undefined): HttpRequest {
  if (credentials?.kind === "identity-token") return refreshRequest(wanted, credentials.token);
  const url = new URL(wanted.realm);
  if (wanted.service !== undefined) url.searchParams.append("service", wanted.service);
  for (const scope of wanted.scope.split(" ")) if (scope !== "") url.searchParams.append("scope", scope);
  const authorization = credentials === undefined ? {} : { authorization: basicAuthorization(credentials) };
  return { method: "GET", url, headers: { accept: "application/json", ...authorization } };
}

function refreshRequest(wanted: TokenScope, identityToken: string): HttpRequest {
  const form = new URLSearchParams({ grant_type: "refresh_token", client_id: "devbox" });
  if (wanted.service !== undefined) form.set("service", wanted.service);
  if (wanted.scope !== "") form.set("scope", wanted.scope);
  form.set("refresh_token", identityToken);
  const headers = { accept: "application/json", "content-type": "application/x-www-form-urlencoded" };
  return { method: "POST", url: wanted.realm, headers, body: form.toString() };
}

/** Read the answer of the token server. `now`: when it was asked, as the life of the token counts from its issue. */
export async function readToken(response: HttpResponse, step: string, now: Date): Promise<Token> {
  const root = parseJson(await readAll(response.body), { code: "REGISTRY_AUTH", step }, MAX_TOKEN_ANSWER_BYTES);
  const place = [member(root, "token"), member(root, "access_token")].find((one) => !isAbsent(one) && one.value !== "");
  if (place === undefined) {
    throw new DevboxError("REGISTRY_AUTH", { step, because: "the answer has neither token nor access_token" });
  }
  const life = member(root, "expires_in");
  const seconds = isAbsent(life) || life.value === 0 ? DEFAULT_LIFE_SECONDS : readInteger(life);
  return { value: readString(place), expiresAtMs: now.getTime() + seconds * 1000 };
}
