/** Names that images here are given: what `tag`, `commit`, `import` and `load` write down. */
import type { Context } from "../../core/context.ts";
import { DevboxError } from "../../core/errors.ts";
import { parseReference, type Reference, type RegistryReference } from "../../oci/reference.ts";
import { expandShortName } from "./short-names.ts";

/**
 * As people type them, `[REGISTRY/]REPOSITORY[:TAG]`: a short name is given as it will be read, so that an image is found
 * under the name it got. @throws as `parseImageName`
 */
export function readImageName(text: string, env: Context["env"]): RegistryReference {
  return requireName(expandShortName(text, env), text);
}

/**
 * As archives have them: defaults filled in, whatever aliases this user has.
 * @throws DevboxError BAD_REFERENCE; what is pinned by a digest, or names a file, is no name to give
 */
export function parseImageName(text: string): RegistryReference {
  return requireName(parseReference(text), text);
}

function requireName(reference: Reference, text: string): RegistryReference {
  if (reference.kind === "registry" && reference.digest === undefined) return reference;
  throw new DevboxError("BAD_REFERENCE", {
    step: `read the name ${JSON.stringify(text)}`,
    because:
      reference.kind === "registry" ? "a digest cannot be given, it follows from the content" : "it names a file",
    hint: "a name looks like NAME[:TAG], for example project/image:1.0",
  });
}
