/** A registry as a source: its clients, bound to one reference, at all places that registries.conf names for it. */
import type { Context } from "../../core/context.ts";
import type { RegistryReference } from "../../oci/reference.ts";
import type { RegistryAccess } from "../../registry/access.ts";
import { createRegistryClient, type RegistryClientOptions } from "../../registry/client.ts";
import { type Place, pullPlaces } from "../../registry/configuration/places.ts";
import { readRegistriesConf } from "../../registry/configuration/registries-conf-files.ts";
import { defaultTimeouts } from "../../registry/http/http-client.ts";
import { type MirrorHealth, openMirrorHealth } from "./mirror-health.ts";
import { openMirroredSource } from "./mirrored-source.ts";
import type { ImageSource } from "./source.ts";

export interface RegistrySourceOptions extends RegistryAccess {
  /** Of the mirrors, where several sources are opened after one another. */
  readonly health?: MirrorHealth;
}

/** A mirror has others behind it: what takes long there is quicker at the next. */
const mirrorPatience: Pick<RegistryClientOptions, "retry" | "timeouts"> = {
  retry: { attempts: 2, baseMs: 250, maxMs: 1000, retryAfterMaxMs: 1000 },
  timeouts: { ...defaultTimeouts, connectMs: 5000, headersMs: 15_000, bodyStallMs: 15_000 },
};

/** @throws DevboxError REGISTRY_REFUSED where registries.conf blocks the name; BAD_CONFIG of registries.conf */
export function openRegistrySource(
  context: Context,
  reference: RegistryReference,
  { health = openMirrorHealth().health, ...access }: RegistrySourceOptions,
): ImageSource {
  const places = pullPlaces(reference, readRegistriesConf(context.env));
  const opened = places.map((place) => ({
    name: `${place.registry}/${place.repository}`,
    source: openPlace(context, reference, place, access),
  }));
  const mirrors = opened.slice(0, -1);
  const [primary] = opened.slice(-1);
  if (primary === undefined) return openPlace(context, reference, places[0], access);
  return mirrors.length === 0 ? primary.source : openMirroredSource(context, mirrors, primary, health);
}

function openPlace(
  context: Context,
  { tag, digest }: RegistryReference,
  { registry, repository, insecure, isMirror }: Place,
  access: RegistryAccess,
): ImageSource {
  // Credentials that the user gives are for the registry of the name, and no business of its mirrors.
  const { credentials, ...shared } = access;
  const special = isMirror ? mirrorPatience : access;
  const client = createRegistryClient(context, {
    registry,
    repository,
    ...shared,
    ...special,
    tlsVerify: access.tlsVerify && !insecure,
  });
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
