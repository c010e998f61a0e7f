/** References as people type them, and as they mean the same from everywhere. */
import { resolve } from "node:path";
import type { Context } from "../core/context.ts";
import { parseReference, type Reference } from "../oci/reference.ts";

/**
 * As typed: files from the working directory, short names as the user's registries.conf has them. What is an image id,
 * whole or in docker's 12 digits, is left as it is: a whole one reads as docker prints it, `sha256:…`.
 *
 * On the way of a warm run: a name that has its registry loads nothing.
 * @throws DevboxError BAD_REFERENCE; BAD_CONFIG of registries.conf
 */
export async function readReference(text: string, env: Context["env"]): Promise<Reference> {
  if (/^[0-9a-f]{64}$/.test(text)) return parseReference(`sha256:${text}`);
  const plain = parseReference(text);
  if (/^(?:sha256:[0-9a-f]+|[0-9a-f]{12,})$/.test(text)) return plain;
  if (!isShortName(text, plain)) return absolute(plain);
  return (await import("./short-names.ts")).readName(text, env);
}

/** Whether registries.conf has a say. `docker://` is the transport of that name in skopeo and podman, which know no short names in it. */
export function isShortName(text: string, parsed: Reference): boolean {
  if (parsed.kind !== "registry" || parsed.registry !== "docker.io") return false;
  return !/^(?:docker:\/\/|(?:index\.)?docker\.io\/)/.test(text);
}

/** Files are named from the working directory; in the store, the name must mean the same from everywhere. */
export function absolute(reference: Reference): Reference {
  return reference.kind === "registry" ? reference : { ...reference, path: resolve(reference.path) };
}
