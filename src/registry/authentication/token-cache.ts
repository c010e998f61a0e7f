/** Bearer tokens by (realm, service, scope), each fetched once however many requests want it at the same time. */
import type { Token, TokenScope } from "./token.ts";

export interface Answer {
  /** Secret: the value of an Authorization header. */
  readonly authorization: string;
  /** Just made, so another 401 means no. */
  readonly isFresh: boolean;
}

/** `refused`: an authorization that the registry has just turned down, so that its token is not offered again. */
export type TokenCache = (wanted: TokenScope, refused: string | undefined) => Promise<Answer>;

/** Renewed when this part of its life has passed, so that it does not expire on its way. */
const RENEW_AFTER = 0.9;

interface Entry {
  readonly token: Promise<Token>;
  readonly askedAtMs: number;
}

export function createTokenCache(now: () => Date, fetchToken: (wanted: TokenScope) => Promise<Token>): TokenCache {
  const entries = new Map<string, Entry>();
  return async (wanted, refused) => {
    const key = [wanted.realm.href, wanted.service ?? "", wanted.scope].join("\n");
    const known = entries.get(key);
    const authorization = known === undefined ? undefined : bearer(await known.token);
    if (
      known !== undefined &&
      authorization !== undefined &&
      authorization !== refused &&
      (await isYoung(known, now()))
    ) {
      return { authorization, isFresh: false };
    }
    // While this request waited for the old token, another may have begun to fetch the new one.
    const newer = entries.get(key);
    const entry = newer !== known && newer !== undefined ? newer : begin(entries, key, now(), fetchToken(wanted));
    return { authorization: bearer(await entry.token), isFresh: true };
  };
}

function begin(entries: Map<string, Entry>, key: string, askedAt: Date, token: Promise<Token>): Entry {
  const entry = { token, askedAtMs: askedAt.getTime() };
  entries.set(key, entry);
  // A failure is not kept: the next request asks again.
  token.catch(() => entries.get(key) === entry && entries.delete(key));
  return entry;
}

async function isYoung({ token, askedAtMs }: Entry, now: Date): Promise<boolean> {
  const lifeMs = (await token).expiresAtMs - askedAtMs;
  return now.getTime() < askedAtMs + lifeMs * RENEW_AFTER;
}

function bearer(token: Token): string {
  return `Bearer ${token.value}`;
}
