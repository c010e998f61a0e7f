/** Manifest and config of an image, verified, and what they name. */
import { readFileSync } from "node:fs";
import { DevboxError } from "../core/errors.ts";
import type { Descriptor, Digest } from "../oci/descriptor.ts";
import type { Manifest } from "../oci/image.ts";
import { parseManifest } from "../oci/parse.ts";
import { checkLayerCount, parseImageConfig } from "../oci/parse-config.ts";
import { storedLayers } from "../store/images.ts";
import type { ImageEntry } from "../store/index-file.ts";
import { blobPath } from "../store/paths.ts";
import type { Store, StoredLayer } from "../store/types.ts";
import type { BlobCheck } from "./verify-blob.ts";
import type { Damage } from "./verify-damage.ts";

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
  const top = await checkBlob({ part: "manifest", descriptor, names });
  const damages = [top.damage].flatMap((damage) => damage ?? []);
  const manifest = top.isUsable ? unlessForeign(() => manifestOf(store, descriptor)) : undefined;
  if (manifest === undefined) return { ...checked, damages, descriptors: [descriptor], layers: [] };
  const config = await checkBlob({ part: "config", descriptor: manifest.config, names });
  damages.push(...[config.damage].flatMap((damage) => damage ?? []));
  const layers = config.isUsable ? (unlessForeign(() => layersOf(store, manifest)) ?? []) : [];
  return { ...checked, damages, descriptors: [descriptor, manifest.config, ...manifest.layers], layers };
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
