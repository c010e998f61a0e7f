/** The faulty registry's doorkeeper: basic and bearer, with the spellings that real registries have. */
import type { RecordedRequest } from "./faulty-registry-answers.ts";

export type FaultyAuthOptions =
  | { readonly kind: "basic"; readonly username: string; readonly password: string }
  | {
      readonly kind: "bearer";
      /** Without: tokens are given to anybody. */
      readonly login?: { readonly username: string; readonly password: string };
      /** The refresh token that a POST must bring. */
      readonly identityToken?: string;
      /** WWW-Authenticate headers, given the realm's URL. */
      readonly challenge?: (realm: string) => readonly string[];
      readonly tokenField?: "token" | "access_token";
      readonly expiresInSeconds?: number;
      /** Tokens are given, and then refused. */
      readonly refusesTokens?: boolean;
    };

export interface FaultyAuth {
  /** What to answer instead of the content: 401, or the answer of the token server. undefined: come in. */
  answer(
    request: RecordedRequest,
  ): { status: number; headers: Record<string, string | undefined>; body: Uint8Array } | undefined;
  /** Tokens given so far, oldest first. */
  readonly issued: readonly string[];
  /** All tokens given so far are refused from now on. */
  revoke(): void;
}

const jsonType = { "content-type": "application/json" };

export function createFaultyAuth(options: FaultyAuthOptions, origin: string): FaultyAuth {
  const issued: string[] = [];
  /** Token → scopes. */
  const valid = new Map<string, string>();
  const realm = `${origin}/token`;
  const unauthorized = (challenges: readonly string[]) => ({
    status: 401,
    headers: { ...jsonType, "www-authenticate": challenges.join(", ") },
    body: Buffer.from(JSON.stringify({ errors: [{ code: "UNAUTHORIZED", message: "authentication required" }] })),
  });
  const giveToken = (scopes: string) => {
    if (options.kind !== "bearer") return unauthorized([]);
    const token = `secret-token-${issued.length + 1}`;
    issued.push(token);
    if (options.refusesTokens !== true) valid.set(token, scopes);
    const life = options.expiresInSeconds === undefined ? {} : { expires_in: options.expiresInSeconds };
    const body = Buffer.from(JSON.stringify({ [options.tokenField ?? "token"]: token, ...life }));
    return { status: 200, headers: jsonType, body };
  };
  const answer: FaultyAuth["answer"] = (request) => {
    const { authorization } = request.headers;
    if (options.kind === "basic") {
      return authorization === basic(options) ? undefined : unauthorized(['Basic realm="faulty"']);
    }
    if (!request.path.startsWith("/token")) {
      const scopes = valid.get(authorization?.replace(/^Bearer /, "") ?? "");
      if (scopes !== undefined && (isReading(request) || /:pull,push\b/.test(scopes))) return undefined;
      return unauthorized(
        options.challenge?.(realm) ?? [`Bearer realm="${realm}",service="faulty",scope="${scopeOf(request)}"`],
      );
    }
    const login = options.login === undefined || authorization === basic(options.login);
    const refresh = new URLSearchParams(request.body).get("refresh_token");
    const isKnown = options.identityToken === undefined ? login : refresh === options.identityToken;
    const asked = new URL(request.path, origin).searchParams.getAll("scope").join(" ");
    return isKnown ? giveToken(asked) : unauthorized([]);
  };
  return { answer, issued, revoke: () => valid.clear() };
}

function basic({ username, password }: { readonly username: string; readonly password: string }): string {
  return `Basic ${Buffer.from(`${username}:${password}`).toString("base64")}`;
}

function scopeOf(request: RecordedRequest): string {
  const repository = /^\/v2\/(.+)\/(?:manifests|blobs)\//.exec(request.path)?.[1];
  if (repository === undefined) return "";
  const from = new URL(request.path, "http://any").searchParams.get("from");
  const own = `repository:${repository}:${isReading(request) ? "pull" : "pull,push"}`;
  return from === null ? own : `${own} repository:${from}:pull`;
}

function isReading({ method }: RecordedRequest): boolean {
  return method === "GET" || method === "HEAD";
}
