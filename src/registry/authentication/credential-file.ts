/** auth.json and docker's config.json: which entry is for which registry (containers-auth.json(5), docker-login(1)). */
import { readFile } from "node:fs/promises";
import { DevboxError, errnoName } from "../../core/errors.ts";
import { isAbsent, type JsonPlace, member, optional, parseJson, readMap, readString } from "../../oci/json.ts";
import { isDockerHub } from "../http/endpoint.ts";
import type { Credentials } from "./credentials.ts";

/** A file of credentials is small. */
export const MAX_CREDENTIAL_BYTES = 4 * 1024 * 1024;

export interface CredentialFile {
  readonly path: string;
  readonly auths: Readonly<Record<string, AuthEntry>>;
  readonly credHelpers: Readonly<Record<string, string>>;
  readonly credsStore: string | undefined;
}

export interface AuthEntry {
  /** base64 of `user:password`. */
  readonly auth?: string;
  readonly username?: string;
  readonly password?: string;
  readonly identitytoken?: string;
}

/** Read a file; undefined: there is none. @throws BAD_CONFIG naming the file and the place in it. */
export async function readCredentialFile(path: string): Promise<CredentialFile | undefined> {
  const step = `read credentials from ${path}`;
  let bytes: Uint8Array;
  try {
    bytes = await readFile(path);
  } catch (cause) {
    const name = errnoName(cause);
    if (name === "ENOENT" || name === "ENOTDIR") return undefined;
    throw new DevboxError("BAD_CONFIG", { step, cause });
  }
  const root = parseJson(bytes, { code: "BAD_CONFIG", step }, MAX_CREDENTIAL_BYTES);
  const credsStore = member(root, "credsStore");
  return {
    path,
    auths: readOptionalMap(member(root, "auths"), readEntry),
    credHelpers: readOptionalMap(member(root, "credHelpers"), readString),
    credsStore: isAbsent(credsStore) ? undefined : readString(credsStore),
  };
}

function readOptionalMap<T>(place: JsonPlace, read: (place: JsonPlace) => T): Record<string, T> {
  return isAbsent(place) ? {} : readMap(place, read);
}

function readEntry(place: JsonPlace): AuthEntry {
  return {
    ...optional(place, "auth", readString),
    ...optional(place, "username", readString),
    ...optional(place, "password", readString),
    ...optional(place, "identitytoken", readString),
  };
}

/** `quay.io/a/b`, `quay.io/a`, `quay.io`: the longest that is in a file is the one meant. */
export function credentialKeys(registry: string, repository: string): readonly string[] {
  const host = isDockerHub(registry) ? "docker.io" : registry.toLowerCase();
  const parts = repository.split("/");
  return parts.map((_, index) => [host, ...parts.slice(0, parts.length - index)].join("/")).concat(host);
}

/** A key as it stands in a file, in the form that `credentialKeys` makes: `https://index.docker.io/v1/` is docker.io. */
export function normalizeKey(key: string): string {
  const bare = key.replace(/^https?:\/\//, "");
  // Only old docker files have URLs, and theirs end in the version of an API, which is no namespace.
  const path = bare === key ? key.replace(/\/(?:v[12]\/?)?$/, "") : bare.replace(/\/.*$/, "");
  const slash = path.indexOf("/");
  const host = slash < 0 ? path : path.slice(0, slash);
  const rest = slash < 0 ? "" : path.slice(slash);
  return (isDockerHub(host) ? "docker.io" : host.toLowerCase()) + rest;
}

/** The value under the first of `keys`; a key spelled exactly so goes before one that only means the same. */
function lookUp<T>(map: Readonly<Record<string, T>>, keys: readonly string[]): T | undefined {
  for (const key of keys) {
    if (Object.hasOwn(map, key)) return map[key];
    const similar = Object.keys(map).find((candidate) => normalizeKey(candidate) === key);
    if (similar !== undefined) return map[similar];
  }
  return undefined;
}

/** The helper that keeps this registry's credentials: its own before the store for all. */
export function helperFor(file: CredentialFile, keys: readonly string[]): string | undefined {
  return lookUp(file.credHelpers, keys) || file.credsStore || undefined;
}

/** The credentials written in the file itself. An entry `{}` only says that a helper has them. */
export function entryFor(file: CredentialFile, keys: readonly string[]): Credentials | undefined {
  const entry = lookUp(file.auths, keys);
  if (entry === undefined) return undefined;
  const source = file.path;
  if (entry.identitytoken) return { kind: "identity-token", token: entry.identitytoken, source };
  if (entry.auth) return decodeAuth(entry.auth, source);
  const { username, password } = entry;
  return username && password ? { kind: "password", username, password, source } : undefined;
}

function decodeAuth(auth: string, source: string): Credentials {
  const text = Buffer.from(auth, "base64").toString();
  const colon = text.indexOf(":");
  if (colon < 1) {
    const because = "an auth entry is not the base64 of USER:PASSWORD";
    throw new DevboxError("BAD_CONFIG", { step: `read credentials from ${source}`, because });
  }
  // Old docker versions padded with NUL.
  const password = text.slice(colon + 1).replace(/\0+$/, "");
  return { kind: "password", username: text.slice(0, colon), password, source };
}
