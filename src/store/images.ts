/**
 * Images that are in the store. `readImage` is on the warm path of `run`: it reads three small files, asks whether the
 * layers are there, and hashes nothing (what is in the store was verified on its way in).
 */
import { readFileSync, statSync } from "node:fs";
import { DevboxError, errnoName } from "../core/errors.ts";
import { chainIds } from "../oci/chain-id.ts";
import type { Descriptor, Digest, Platform } from "../oci/descriptor.ts";
import type { ImageConfig, Manifest } from "../oci/image.ts";
import { parseManifest } from "../oci/parse.ts";
import { checkLayerCount, parseImageConfig } from "../oci/parse-config.ts";
import { formatPlatform, normalizePlatform, runnablePlatforms } from "../oci/platform.ts";
import { formatReference, type Reference } from "../oci/reference.ts";
import { storeError } from "./atomic-write.ts";
import { type ImageEntry, readEntries } from "./index-file.ts";
import { hasLayer } from "./layers.ts";
import { blobPath, layerTree } from "./paths.ts";
import type { Store, StoredImage, StoredLayer } from "./types.ts";

/**
 * The image that a reference names here, whole and ready to run.
 * @param platform only an image that runs on it; undefined: whatever was pulled
 * @returns undefined when it is not there, not whole, or of another platform: pull brings or repairs it
 * @throws DevboxError STORE_DAMAGED naming a file that cannot be read as what it should be
 */
export function readImage(store: Store, reference: Reference, platform?: Platform): StoredImage | undefined {
  const entry = findEntry(readEntries(store), reference);
  const image = entry === undefined ? undefined : describeImage(store, entry, reference, platform);
  return image !== undefined && isWhole(store, image) ? image : undefined;
}

/** As `readImage`, for an entry, and without a look at its layers. */
export function describeImage(
  store: Store,
  entry: ImageEntry,
  reference: Reference,
  platform: Platform | undefined,
): StoredImage | undefined {
  const content = readImageContent(store, entry);
  if (content === undefined || (platform !== undefined && !runsOn(content.config, platform))) return undefined;
  return makeStoredImage(reference, entry.descriptor, entry.topDigest, content.manifest, content.config);
}

/** Whether it is ready to run. */
export function isWhole(store: Store, { layers }: StoredImage): boolean {
  return layers.every(({ chainId }) => hasLayer(store, chainId));
}

/** Whether all is here that its layers can be applied from. */
export function isRestorable(store: Store, { manifest }: StoredImage): boolean {
  return manifest.layers.every((descriptor) => hasBlob(store, descriptor));
}

/** The entry a reference means: by its name, or, with a digest, any image of the repository with that digest. */
export function findEntry(entries: readonly ImageEntry[], reference: Reference): ImageEntry | undefined {
  const name = formatReference(reference);
  const named = entries.find((entry) => entry.name === name);
  if (named !== undefined || reference.kind !== "registry" || reference.digest === undefined) return named;
  const { registry, repository, digest } = reference;
  return entries.find(
    (entry) =>
      (entry.topDigest === digest || entry.descriptor.digest === digest) &&
      isNamedBelow(entry.name, `${registry}/${repository}`),
  );
}

function isNamedBelow(name: string | undefined, repository: string): boolean {
  return name?.startsWith(repository) === true && [":", "@"].includes(name.charAt(repository.length));
}

/** Manifest and config of an entry, layers not looked at. undefined: a blob is missing. */
export function readImageContent(
  store: Store,
  { descriptor }: ImageEntry,
): { readonly manifest: Manifest; readonly config: ImageConfig } | undefined {
  const manifestBytes = readBlob(store, descriptor);
  if (manifestBytes === undefined) return undefined;
  const manifest = readOrDamaged(store, descriptor, () => parseManifest(manifestBytes, descriptor.mediaType));
  const configBytes = readBlob(store, manifest.config);
  if (configBytes === undefined) return undefined;
  const config = readOrDamaged(store, manifest.config, () => parseImageConfig(configBytes));
  return { manifest, config };
}

/** Put together what is known of an image; its layers are named, not looked at. */
export function makeStoredImage(
  reference: Reference,
  manifestDescriptor: Descriptor,
  topDigest: Digest,
  manifest: Manifest,
  config: ImageConfig,
): StoredImage {
  checkLayerCount(manifest, config);
  return { reference, manifestDescriptor, topDigest, manifest, config, layers: storedLayers(config.rootfs.diff_ids) };
}

/** The layers of an image by its diffIDs, base first. */
export function storedLayers(diffIds: readonly Digest[]): readonly StoredLayer[] {
  const chain = chainIds(diffIds);
  return diffIds.flatMap((diffId, index) => {
    const chainId = chain[index];
    return chainId === undefined ? [] : [{ chainId, diffId, path: layerTree(chainId) }];
  });
}

/** Whether a machine of platform `wanted` can run the image: its own variant, or one that it is compatible with. */
export function runsOn(image: Platform, wanted: Platform): boolean {
  const is = formatPlatform(normalizePlatform(image));
  return runnablePlatforms(wanted).some((platform) => formatPlatform(platform) === is);
}

/** undefined: missing or of another size; a pull brings it again. */
function readBlob(store: Store, descriptor: Descriptor): Uint8Array | undefined {
  const path = blobPath(store, descriptor.digest);
  try {
    const bytes = readFileSync(path);
    return bytes.byteLength === descriptor.size ? bytes : undefined;
  } catch (error) {
    if (errnoName(error) === "ENOENT") return undefined;
    throw storeError(error, `read ${path}`);
  }
}

function readOrDamaged<T>(store: Store, descriptor: Descriptor, read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw new DevboxError("STORE_DAMAGED", { step: `read ${blobPath(store, descriptor.digest)}`, cause: error });
  }
}

/** Whether a blob is in the store with the size that its descriptor says. */
export function hasBlob(store: Store, descriptor: Pick<Descriptor, "digest" | "size">): boolean {
  return statSync(blobPath(store, descriptor.digest), { throwIfNoEntry: false })?.size === descriptor.size;
}
