/** A registry as a destination: the client of `registry/`, bound to one reference. */
import type { Context } from "../../core/context.ts";
import { DevboxError } from "../../core/errors.ts";
import { referrerOf } from "../../oci/artifact.ts";
import type { Descriptor, Digest } from "../../oci/descriptor.ts";
import { parseAnyManifest } from "../../oci/parse.ts";
import { familiarName, type RegistryReference } from "../../oci/reference.ts";
import type { RegistryAccess } from "../../registry/access.ts";
import { createRegistryClient, type RegistryClient } from "../../registry/client.ts";
import { pushPlace } from "../../registry/configuration/places.ts";
import { readRegistriesConf } from "../../registry/configuration/registries-conf-files.ts";
import type { ImageDestination } from "./destination.ts";

/** @throws DevboxError REGISTRY_REFUSED where registries.conf blocks the name; BAD_CONFIG of registries.conf */
export function openRegistryDestination(
  context: Context,
  reference: RegistryReference,
  access: RegistryAccess,
): ImageDestination {
  const { tag, digest: wanted } = reference;
  const { registry, repository, insecure } = pushPlace(reference, readRegistriesConf(context.env));
  const client = createRegistryClient(context, {
    registry,
    repository,
    ...access,
    tlsVerify: access.tlsVerify && !insecure,
    access: "push",
  });
  return {
    label: familiarName(reference),
    form: {
      manifests: "any",
      layers: "any",
      packsPlainLayers: true,
      leavesForeignLayers: true,
      indexes: true,
      blobsAtOnce: 4,
    },
    sizeOf: () => undefined,
    putBlob: (content, task) => client.pushBlob(content, { onProgress: task.update }),
    async putManifest({ descriptor, bytes }, names) {
      const { digest, mediaType } = descriptor;
      if (names !== undefined) requireWanted(reference, wanted, digest);
      const put = await client.putManifest(names === undefined ? digest : (tag ?? digest), bytes, mediaType);
      if (!put.subject) await listReferrer(client, descriptor, bytes);
    },
    async commit() {},
    [Symbol.asyncDispose]: () => client.close(),
  };
}

/**
 * What names a subject is listed by the client where the registry does not say that it has done so (distribution-spec "Pushing
 * Manifests with Subject").
 */
async function listReferrer(client: RegistryClient, descriptor: Descriptor, bytes: Uint8Array): Promise<void> {
  const parsed = parseAnyManifest(bytes, descriptor.mediaType);
  const manifest = parsed.kind === "manifest" ? parsed.manifest : parsed.index;
  if (manifest.subject === undefined) return;
  await client.putReferrersTag(manifest.subject.digest, referrerOf({ manifest, descriptor }));
}

/** A name with a digest is kept, or nothing is written. */
function requireWanted(reference: RegistryReference, wanted: Digest | undefined, digest: Digest): void {
  if (wanted === undefined || wanted === digest) return;
  throw new DevboxError("USAGE", {
    step: `push ${familiarName(reference)}`,
    because: `the image is ${digest}, not what the name says`,
    hint: "leave the digest out, or push the image that has it",
  });
}
