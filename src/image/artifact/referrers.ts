/** The registry of an artifact: the one that the name means, not a mirror, which need not know who refers to what. */
import type { Context } from "../../core/context.ts";
import type { Descriptor } from "../../oci/descriptor.ts";
import type { RegistryReference } from "../../oci/reference.ts";
import type { RegistryAccess } from "../../registry/access.ts";
import { createRegistryClient, type RegistryClient } from "../../registry/client.ts";
import { pullPlaces, pushPlace } from "../../registry/configuration/places.ts";
import { readRegistriesConf } from "../../registry/configuration/registries-conf-files.ts";

interface Access extends RegistryAccess {
  readonly access: "pull" | "push";
}

/** @throws DevboxError REGISTRY_REFUSED where registries.conf blocks the name; BAD_CONFIG of registries.conf */
export function openArtifactRegistry(context: Context, reference: RegistryReference, access: Access): RegistryClient {
  const conf = readRegistriesConf(context.env);
  const named = pushPlace(reference, conf);
  const { registry, repository, insecure } =
    access.access === "push" ? named : (pullPlaces(reference, conf).at(-1) ?? named);
  return createRegistryClient(context, {
    ...access,
    registry,
    repository,
    tlsVerify: access.tlsVerify && !insecure,
  });
}

export interface Referrers {
  /** What the name means: an image, an index, or an artifact. */
  readonly subject: Descriptor;
  /** Descriptors of manifests, as the registry lists them. */
  readonly referrers: readonly Descriptor[];
}

/**
 * Who refers to a manifest: signatures, lists of contents, and the like.
 * @param artifactType only those of this type
 */
export async function listReferrers(
  context: Context,
  reference: RegistryReference,
  { artifactType, ...access }: RegistryAccess & { readonly artifactType: string | undefined },
): Promise<Referrers> {
  await using client = openArtifactRegistry(context, reference, { ...access, access: "pull" });
  const subject = await client.resolve(reference.digest ?? reference.tag ?? "latest");
  return { subject, referrers: await client.referrers(subject.digest, artifactType) };
}
