/** Names that images here are given: what `tag`, `commit`, `import` and `load` write down. */
import { DevboxError } from "../core/errors.ts";
import { parseReference, type RegistryReference } from "../oci/reference.ts";

/**
 * `[REGISTRY/]REPOSITORY[:TAG]`, defaults filled in.
 * @throws DevboxError BAD_REFERENCE; what is pinned by a digest, or names a file, is no name to give
 */
export function parseImageName(text: string): RegistryReference {
  const reference = parseReference(text);
  if (reference.kind === "registry" && reference.digest === undefined) return reference;
  throw new DevboxError("BAD_REFERENCE", {
    step: `read the name ${JSON.stringify(text)}`,
    because:
      reference.kind === "registry" ? "a digest cannot be given, it follows from the content" : "it names a file",
    hint: "a name looks like NAME[:TAG], for example project/image:1.0",
  });
}
