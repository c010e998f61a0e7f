/** Manifest and config of an image, verified, and what they name. */
import { readFileSync, statSync } from "node:fs";
import { DevboxError } from "../../core/errors.ts";
import type { Descriptor, Digest } from "../../oci/descriptor.ts";
import type { Manifest } from "../../oci/image.ts";
import { type ManifestDocument, parseAnyManifest, parseManifest } from "../../oci/parse.ts";
import { checkLayerCount, parseImageConfig } from "../../oci/parse-config.ts";
import { storedLayers } from "../../store/images.ts";
import type { ImageEntry } from "../../store/index-file.ts";
import { blobPath } from "../../store/paths.ts";
import type { Store, StoredLayer } from "../../store/types.ts";
import type { BlobCheck } from "./blob.ts";
import type { Damage } from "./damage.ts";

/** A layer of an image: its blob, its tree, and those below, base first. */
export interface NamedLayer {
  readonly descriptor: Descriptor;
  readonly stored: StoredLayer;
  readonly below: readonly StoredLayer[];
}

export interface VerifiedDocuments {
  readonly entries: readonly ImageEntry[];
  /** Of the manifest. */
  readonly digest: Digest;
  /** Of manifest and config. */
  readonly damages: readonly Damage[];
  /** All blobs that are known. */
  readonly descriptors: readonly Descriptor[];
  /** Base first; empty where the documents are lost, or the manifest is no image's. */
  readonly layers: readonly NamedLayer[];
}

/** @param entries of one manifest, one at least */
export async function readDocuments(
  checkBlob: BlobCheck,
  store: Store,
  entries: readonly ImageEntry[],
): Promise<VerifiedDocuments> {
  const [first] = entries;
  if (first === undefined) throw new DevboxError("INTERNAL", { step: "verify an image", because: "it has no entry" });
  const { descriptor } = first;
  const names = entries.flatMap(({ name }) => name ?? []);
  const checked = { entries, digest: descriptor.digest };
  const damages: Damage[] = [];
  for (const digest of new Set(entries.map(({ topDigest }) => topDigest))) {
    if (digest !== descriptor.digest)
      damages.push(...(await checkIndex(checkBlob, store, digest, descriptor.digest, names)));
  }
  const top = await checkBlob({ part: "manifest", descriptor, names });
  if (top.damage !== undefined) damages.push(top.damage);
  const manifest = top.isUsable ? unlessForeign(() => manifestOf(store, descriptor)) : undefined;
  if (manifest === undefined) return { ...checked, damages, descriptors: [descriptor], layers: [] };
  const config = await checkBlob({ part: "config", descriptor: manifest.config, names });
  if (config.damage !== undefined) damages.push(config.damage);
  const layers = config.isUsable ? (unlessForeign(() => layersOf(store, manifest)) ?? []) : [];
  return { ...checked, damages, descriptors: [descriptor, manifest.config, ...manifest.layers], layers };
}

/** The index that the image was chosen from, and of other platforms what is here: a pull may have left out any of it. */
async function checkIndex(
  checkBlob: BlobCheck,
  store: Store,
  digest: Digest,
  chosen: Digest,
  names: readonly string[],
): Promise<readonly Damage[]> {
  const size = sizeOf(store, digest);
  if (size === undefined) return [];
  const verdict = await checkBlob({ part: "index", descriptor: { mediaType: "", digest, size }, names });
  const damages = [verdict.damage].flatMap((damage) => damage ?? []);
  const document = verdict.isUsable ? unlessForeign(() => documentOf(store, digest)) : undefined;
  if (document?.kind !== "index") return damages;
  for (const descriptor of document.index.manifests) {
    if (descriptor.digest === chosen) continue;
    const parts = [{ part: "manifest" as const, descriptor }, ...partsBelow(store, descriptor)];
    for (const { part, descriptor: each } of parts) {
      if (sizeOf(store, each.digest) === undefined) continue;
      const { damage } = await checkBlob({ part, descriptor: each, names });
      if (damage !== undefined) damages.push(damage);
    }
  }
  return damages;
}

function partsBelow(store: Store, { digest }: Descriptor) {
  const document = sizeOf(store, digest) === undefined ? undefined : unlessForeign(() => documentOf(store, digest));
  if (document?.kind !== "manifest") return [];
  const { config, layers } = document.manifest;
  return [
    { part: "config" as const, descriptor: config },
    ...layers.map((descriptor) => ({ part: "blob" as const, descriptor })),
  ];
}

function documentOf(store: Store, digest: Digest): ManifestDocument {
  return parseAnyManifest(readFileSync(blobPath(store, digest)), undefined);
}

function sizeOf(store: Store, digest: Digest): number | undefined {
  return statSync(blobPath(store, digest), { throwIfNoEntry: false })?.size;
}

function manifestOf(store: Store, { digest, mediaType }: Descriptor): Manifest {
  return parseManifest(readFileSync(blobPath(store, digest)), mediaType);
}

function layersOf(store: Store, manifest: Manifest): readonly NamedLayer[] {
  const config = parseImageConfig(readFileSync(blobPath(store, manifest.config.digest)));
  checkLayerCount(manifest, config);
  const stored = storedLayers(config.rootfs.diff_ids);
  return manifest.layers.flatMap((descriptor, index) => {
    const layer = stored[index];
    return layer === undefined ? [] : [{ descriptor, stored: layer, below: stored.slice(0, index) }];
  });
}

/** Other tools may keep in the layout what is no image: its bytes are as they were, and nothing more can be said. */
function unlessForeign<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (error instanceof DevboxError) return undefined;
    throw error;
  }
}
