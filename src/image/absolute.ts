/** References as people type them, and as they mean the same from everywhere. */
import { resolve } from "node:path";
import type { Context } from "../core/context.ts";
import { parseReference, type Reference } from "../oci/reference.ts";
import { expandShortName } from "./short-names.ts";

/**
 * As typed: files from the working directory, short names as the user's registries.conf has them. What is an image id,
 * whole or in docker's 12 digits, is left as it is: a whole one reads as docker prints it, `sha256:…`.
 * @throws DevboxError BAD_REFERENCE; BAD_CONFIG of registries.conf
 */
export function readReference(text: string, env: Context["env"]): Reference {
  if (/^[0-9a-f]{64}$/.test(text)) return parseReference(`sha256:${text}`);
  if (/^(?:sha256:[0-9a-f]+|[0-9a-f]{12,})$/.test(text)) return parseReference(text);
  return readName(text, env);
}

/** As `readReference`, of what cannot be an id. */
export function readName(text: string, env: Context["env"]): Reference {
  return absolute(expandShortName(text, env));
}

/** Files are named from the working directory; in the store, the name must mean the same from everywhere. */
export function absolute(reference: Reference): Reference {
  return reference.kind === "registry" ? reference : { ...reference, path: resolve(reference.path) };
}
