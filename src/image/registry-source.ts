/** A registry as a source: the client of `registry/`, bound to one reference. */
import type { Context } from "../core/context.ts";
import type { RegistryReference } from "../oci/reference.ts";
import { createRegistryClient } from "../registry/client.ts";
import type { ImageSource } from "./source.ts";

export function openRegistrySource(
  context: Context,
  { registry, repository, tag, digest }: RegistryReference,
  { tlsVerify }: { readonly tlsVerify: boolean },
): ImageSource {
  const client = createRegistryClient(context, { registry, repository, tlsVerify });
  // With both, the digest decides and the tag is a comment (as for docker and podman).
  const name = digest ?? tag ?? "latest";
  return {
    resolve: () => client.resolve(name),
    fetchManifest: (wanted) => client.fetchManifest(wanted ?? name),
    fetchSmallBlob: (descriptor, maxBytes) => client.fetchSmallBlob(descriptor, maxBytes),
    fetchBlob: (descriptor, { offset }) => client.fetchBlob(descriptor, { offset }),
    [Symbol.asyncDispose]: () => client.close(),
  };
}
