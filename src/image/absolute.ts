/** References as people type them, and as they mean the same from everywhere. */
import { resolve } from "node:path";
import { parseReference, type Reference } from "../oci/reference.ts";

/**
 * As typed: files from the working directory. A whole image id, which is no reference, is read as docker prints it,
 * `sha256:…`, which looks like one.
 * @throws DevboxError BAD_REFERENCE
 */
export function readReference(text: string): Reference {
  return absolute(parseReference(/^[0-9a-f]{64}$/.test(text) ? `sha256:${text}` : text));
}

/** Files are named from the working directory; in the store, the name must mean the same from everywhere. */
export function absolute(reference: Reference): Reference {
  return reference.kind === "registry" ? reference : { ...reference, path: resolve(reference.path) };
}
