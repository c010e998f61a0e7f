/** What each image takes for itself, and what it shares with others. */
import type { Context } from "../../core/context.ts";
import type { Digest } from "../../oci/descriptor.ts";
import { readImageContent, storedLayers } from "../../store/images.ts";
import type { ImageEntry } from "../../store/index-file.ts";
import { layerBytes } from "../../store/layers.ts";
import type { Store } from "../../store/types.ts";

/** An image as the blobs and layers that it needs. */
export interface ImageParts {
  readonly names: readonly string[];
  /** Of the manifest. */
  readonly digest: Digest;
  /** Of the config: docker's image id. */
  readonly id: Digest;
  readonly created: string | undefined;
  /** Bytes of each part, by what it is: `blob sha256:…`, `layer sha256:…`. */
  readonly sizes: ReadonlyMap<string, number>;
}

export interface ImageUsage extends Pick<ImageParts, "names" | "digest" | "id" | "created"> {
  /** Blobs and layers together. */
  readonly sizeBytes: number;
  /** Of it, what another image has as well. */
  readonly sharedBytes: number;
  /** What would be free without this image. */
  readonly uniqueBytes: number;
  /** How many boxes use it. */
  readonly boxes: number;
}

/** undefined, with a warning, for one that is damaged. */
export function partsOfImage({ log }: Context, store: Store, entry: ImageEntry): ImageParts | undefined {
  try {
    const content = readImageContent(store, entry);
    if (content === undefined) return undefined;
    const { manifest, config } = content;
    const { digest } = entry.descriptor;
    const sizes = new Map<string, number>();
    for (const blob of [entry.descriptor, manifest.config, ...manifest.layers])
      sizes.set(`blob ${blob.digest}`, blob.size);
    for (const { chainId } of storedLayers(config.rootfs.diff_ids)) {
      sizes.set(`layer ${chainId}`, layerBytes(store, chainId));
    }
    return { names: [], digest, id: manifest.config.digest, created: config.created, sizes };
  } catch (error) {
    log.warn(error instanceof Error ? error.message : String(error));
    return undefined;
  }
}

/** @param boxes how many use the image with this manifest */
export function measureImages(images: readonly ImageParts[], boxes: (digest: Digest) => number): readonly ImageUsage[] {
  const owners = new Map<string, number>();
  for (const { sizes } of images) for (const part of sizes.keys()) owners.set(part, (owners.get(part) ?? 0) + 1);
  return images.map(({ names, digest, id, created, sizes }) => {
    const sizeBytes = sumOf(sizes.values());
    const uniqueBytes = sumOf([...sizes].flatMap(([part, bytes]) => (owners.get(part) === 1 ? bytes : [])));
    return {
      names,
      digest,
      id,
      created,
      sizeBytes,
      sharedBytes: sizeBytes - uniqueBytes,
      uniqueBytes,
      boxes: boxes(digest),
    };
  });
}

export function sumOf(numbers: Iterable<number>): number {
  let sum = 0;
  for (const each of numbers) sum += each;
  return sum;
}
