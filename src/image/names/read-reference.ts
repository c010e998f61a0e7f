/** References as people type them, for those who may mean an image id as well. */
import type { Context } from "../../core/context.ts";
import { parseReference, type Reference } from "../../oci/reference.ts";
import { absolute, isShortName } from "./absolute.ts";

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
