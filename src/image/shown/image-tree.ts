/** Which images share which layers: the layers of the store as a tree, base layers at the top. */
import type { Context } from "../../core/context.ts";
import type { Digest } from "../../oci/descriptor.ts";
import { readImageContent, storedLayers } from "../../store/images.ts";
import { type ImageEntry, readEntries } from "../../store/index-file.ts";
import { layerBytes } from "../../store/layers.ts";
import type { Store, StoredLayer } from "../../store/types.ts";
import { entryOf, findImage } from "../names/find.ts";

export interface TreeLayer {
  readonly chainId: Digest;
  readonly diffId: Digest;
  /** Uncompressed. */
  readonly sizeBytes: number;
  /** Images that end with this layer: their names, or the digest of a manifest without one. */
  readonly images: readonly string[];
  /** The layers that stand upon it. */
  readonly children: readonly TreeLayer[];
}

/** The layers of all images; those of one alone where `text` names it. @throws DevboxError IMAGE_NOT_FOUND, BAD_REFERENCE */
export function imageTree(
  { log, env }: Pick<Context, "log" | "env">,
  store: Store,
  text: string | undefined,
): readonly TreeLayer[] {
  const entries = readEntries(store);
  const images = entries.flatMap((entry) => describeImage(log, store, entry));
  const wanted = text === undefined ? undefined : entryOf(findImage(store, entries, text, env)).descriptor.digest;
  const shown = wanted === undefined ? images : images.filter(({ digest }) => digest === wanted);
  return growTree(images, shown, (chainId) => layerBytes(store, chainId));
}

/** An image, as the tree sees it. */
export interface LayeredImage {
  readonly name: string;
  readonly digest: Digest;
  /** Base first. */
  readonly layers: readonly Pick<StoredLayer, "chainId" | "diffId">[];
}

/**
 * @param images whose names stand at the layers
 * @param shown whose layers are in the tree
 */
export function growTree(
  images: readonly LayeredImage[],
  shown: readonly LayeredImage[],
  sizeOf: (chainId: Digest) => number,
): readonly TreeLayer[] {
  const roots: TreeLayer[] = [];
  const known = new Map<Digest, TreeLayer & { readonly children: TreeLayer[] }>();
  const tops = new Map<Digest, string[]>();
  for (const { name, layers } of images) {
    const top = layers.at(-1)?.chainId;
    if (top !== undefined) tops.set(top, [...(tops.get(top) ?? []), name]);
  }
  for (const { layers } of shown) {
    let siblings = roots;
    for (const { chainId, diffId } of layers) {
      let layer = known.get(chainId);
      if (layer === undefined) {
        layer = { chainId, diffId, sizeBytes: sizeOf(chainId), images: tops.get(chainId) ?? [], children: [] };
        known.set(chainId, layer);
        siblings.push(layer);
      }
      siblings = layer.children;
    }
  }
  return roots;
}

function describeImage(log: Context["log"], store: Store, entry: ImageEntry): readonly LayeredImage[] {
  const { digest } = entry.descriptor;
  try {
    const content = readImageContent(store, entry);
    if (content === undefined) return [];
    return [{ name: entry.name ?? digest, digest, layers: storedLayers(content.config.rootfs.diff_ids) }];
  } catch (error) {
    log.warn(error instanceof Error ? error.message : String(error));
    return [];
  }
}
