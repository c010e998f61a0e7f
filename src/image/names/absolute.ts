/** References as they mean the same from everywhere. */
import { resolve } from "node:path";
import type { Reference } from "../../oci/reference.ts";

/** Whether registries.conf has a say. `docker://` is the transport of that name in skopeo and podman, which know no short names in it. */
export function isShortName(text: string, parsed: Reference): boolean {
  if (parsed.kind !== "registry" || parsed.registry !== "docker.io") return false;
  return !/^(?:docker:\/\/|(?:index\.)?docker\.io\/)/.test(text);
}

/** Files are named from the working directory; in the store, the name must mean the same from everywhere. */
export function absolute(reference: Reference): Reference {
  return reference.kind === "registry" ? reference : { ...reference, path: resolve(reference.path) };
}
