/** Entries of auth.json and docker's config.json, put in and taken out: text → text, all else as it stands there. */
import { isAbsent, member, parseJson, readMap } from "../../oci/json.ts";
import { MAX_CREDENTIAL_BYTES, normalizeKey } from "./credential-file.ts";

export interface NewEntry {
  /** As it is written: `quay.io`, `https://index.docker.io/v1/`. */
  readonly key: string;
  /** base64 of `user:password`. */
  readonly auth: string;
}

/** The file's content with the entry, and without others that mean the same registry. @throws BAD_CONFIG */
export function withEntry(text: string | undefined, { key, auth }: NewEntry, path: string): string {
  const { root, auths, indent } = parse(text, path);
  const others = Object.entries(auths).filter(([other]) => other === key || !meansSame(other, key));
  // Spread, not set: a key `__proto__` is a key.
  return print({ ...root, auths: { ...Object.fromEntries(others), [key]: { auth } } }, indent, text);
}

/** Without all that means this registry; undefined: there is nothing of it. @throws BAD_CONFIG */
export function withoutEntry(text: string, key: string, path: string): string | undefined {
  const { root, auths, indent } = parse(text, path);
  const kept = Object.entries(auths).filter(([other]) => !meansSame(other, key));
  if (kept.length === Object.keys(auths).length) return undefined;
  return print({ ...root, auths: Object.fromEntries(kept) }, indent, text);
}

function meansSame(one: string, other: string): boolean {
  return normalizeKey(one) === normalizeKey(other);
}

function parse(text: string | undefined, path: string) {
  const document = { code: "BAD_CONFIG", step: `read ${path}` } as const;
  const place = parseJson(Buffer.from(text || "{}"), document, MAX_CREDENTIAL_BYTES, decodeWithSources);
  const list = member(place, "auths");
  return {
    root: readMap(place, ({ value }) => value),
    auths: isAbsent(list) ? {} : readMap(list, ({ value }) => value),
    // docker and podman write tabs.
    indent: /\n([ \t]+)"/.exec(text ?? "")?.[1] ?? "\t",
  };
}

const { rawJSON } = JSON as typeof JSON & { rawJSON(text: string): unknown };

/** Numbers stay the text that they are (ECMAScript, "JSON.parse source text access"): 1.0 does not become 1. */
function decodeWithSources(text: string): unknown {
  return JSON.parse(text, (_key, value: unknown, context?: { readonly source?: string }) =>
    typeof value === "number" && context?.source !== undefined ? rawJSON(context.source) : value,
  );
}

function print(value: object, indent: string, before: string | undefined): string {
  return JSON.stringify(value, null, indent) + (before?.endsWith("\n") === true ? "\n" : "");
}
