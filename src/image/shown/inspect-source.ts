/** What `skopeo inspect` shows: an image where it is, in a registry or in files, without bringing any of its layers. */
import { existsSync } from "node:fs";
import type { Context } from "../../core/context.ts";
import type { Platform } from "../../oci/descriptor.ts";
import { hostPlatform } from "../../oci/platform.ts";
import { familiarName, type RegistryReference } from "../../oci/reference.ts";
import type { RegistryAccess } from "../../registry/access.ts";
import { readEntries } from "../../store/index-file.ts";
import { blobPath } from "../../store/paths.ts";
import type { Store } from "../../store/types.ts";
import { openArtifactRegistry } from "../artifact/referrers.ts";
import { entryOf, findImage } from "../names/find.ts";
import { readName } from "../names/short-names.ts";
import { resolveImage } from "../pull/resolve.ts";
import { openSource } from "../sources/open-source.ts";
import type { ImageSource } from "../sources/source.ts";
import { openStoreSource } from "../sources/store-source.ts";

export interface InspectOptions {
  /** Of an index; undefined: this machine's. */
  readonly platform: Platform | undefined;
  readonly access: RegistryAccess;
}

/**
 * The manifest, of an image for several platforms the index unless one is chosen, or the config; as they are.
 * @param text a name with a transport (containers-transports(5)), else an image of the store
 * @throws DevboxError IMAGE_NOT_FOUND, BAD_REFERENCE, NO_MATCHING_PLATFORM; what the source throws
 */
export async function readDocument(
  context: Context,
  store: Store,
  text: string,
  what: "manifest" | "config",
  { access, platform }: InspectOptions,
): Promise<Uint8Array> {
  await using source = await openNamed(context, store, text, access);
  if (what === "manifest" && platform === undefined) return (await source.fetchManifest(undefined)).bytes;
  const image = await resolveImage(source, undefined, platform ?? hostPlatform(), text);
  return what === "config" ? image.configBytes : image.manifestBytes;
}

async function openNamed(context: Context, store: Store, text: string, access: RegistryAccess): Promise<ImageSource> {
  if (/^(?:docker:\/\/|(?:oci|oci-archive|docker-archive|dir):)/.test(text)) {
    return await openSource(context, store, readName(text, context.env), access);
  }
  const entry = entryOf(findImage(store, readEntries(store), text, context.env));
  return openStoreSource(store, entry, existsSync(blobPath(store, entry.topDigest)) ? "index" : "image");
}

/**
 * skopeo's shape.
 * @param withTags also asks for the tags of the repository
 * @throws DevboxError NO_MATCHING_PLATFORM; what the registry answers
 */
export async function inspectRemote(
  context: Context,
  store: Store,
  reference: RegistryReference,
  withTags: boolean,
  { access, platform }: InspectOptions,
): Promise<Readonly<Record<string, unknown>>> {
  await using source = await openSource(context, store, reference, access);
  const { config, manifest, topDigest } = await resolveImage(
    source,
    undefined,
    platform ?? hostPlatform(),
    familiarName(reference),
  );
  const { Labels, Env } = config.config ?? {};
  return {
    Name: `${reference.registry}/${reference.repository}`,
    Digest: topDigest,
    RepoTags: withTags ? await listTags(context, reference, access) : [],
    Created: config.created ?? "",
    DockerVersion: "",
    Labels: Labels === undefined ? null : new Map(Object.entries(Labels)),
    Architecture: config.architecture,
    Os: config.os,
    Layers: manifest.layers.map(({ digest }) => digest),
    LayersData: manifest.layers.map(({ mediaType, digest, size, annotations }) => ({
      MIMEType: mediaType,
      Digest: digest,
      Size: size,
      Annotations: annotations === undefined ? null : new Map(Object.entries(annotations)),
    })),
    Env: Env ?? null,
  };
}

/** Tags of the repository, in the registry's order. @throws DevboxError REGISTRY_NOT_FOUND, REGISTRY_REFUSED */
export async function listTags(
  context: Context,
  reference: RegistryReference,
  access: RegistryAccess,
): Promise<readonly string[]> {
  await using client = openArtifactRegistry(context, reference, { ...access, access: "pull" });
  return await client.listTags();
}
