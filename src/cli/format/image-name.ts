/** Names of images in the store, as people write them. */
import { familiarName, parseReference } from "../../oci/reference.ts";

/** `debian:12` of `docker.io/library/debian:12`; what another tool has given and is no reference stays as it is. */
export function familiar(name: string): string {
  try {
    return familiarName(parseReference(name));
  } catch {
    return name;
  }
}
