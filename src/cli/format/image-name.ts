/** Names of images in the store, as people write them. */
import { familiarName, referenceOrNothing } from "../../oci/reference.ts";

/** `debian:12` of `docker.io/library/debian:12`; what another tool has given and is no reference stays as it is. */
export function familiar(name: string): string {
  const reference = referenceOrNothing(name);
  return reference === undefined ? name : familiarName(reference);
}
