/** From what a reference names to one image: manifest of the wanted platform, config, and their bytes. */

import { DevboxError } from "../../core/errors.ts";
import type { Descriptor, Digest, Platform } from "../../oci/descriptor.ts";
import type { ImageConfig, Manifest } from "../../oci/image.ts";
import { parseManifestDocument } from "../../oci/parse.ts";
import { checkLayerCount, parseImageConfig } from "../../oci/parse-config.ts";
import { selectPlatform } from "../../oci/platform.ts";
import { fetchConfig } from "../sources/config.ts";
import type { FetchedManifest, ImageSource } from "../sources/source.ts";

export interface ResolvedImage {
  readonly topDigest: Digest;
  /** On the way to the manifest, outermost first. */
  readonly indexes: readonly FetchedManifest[];
  readonly manifestDescriptor: Descriptor;
  readonly manifest: Manifest;
  readonly manifestBytes: Uint8Array;
  readonly config: ImageConfig;
  readonly configBytes: Uint8Array;
}

/** An index may list indexes (image-index.md "manifests"); none in the wild goes deeper than two. */
const maxDepth = 4;

/** fs/overlayfs/params.c OVL_MAX_STACK: so many lower layers can be mounted. */
const maxLayers = 500;

/**
 * @param top what the reference names, where that has been asked already
 * @param image for error texts
 * @throws DevboxError NO_MATCHING_PLATFORM, BAD_MANIFEST, UNSUPPORTED_MEDIA_TYPE, and what the source throws
 */
export async function resolveImage(
  source: ImageSource,
  top: Descriptor | undefined,
  platform: Platform,
  image: string,
): Promise<ResolvedImage> {
  const found = await descend(source, top, platform, image);
  const { manifest } = found;
  if (manifest.layers.length > maxLayers) {
    const because = `it has ${manifest.layers.length} layers; overlayfs stacks at most ${maxLayers}`;
    throw new DevboxError("BAD_MANIFEST", { step: `read the manifest of ${image}`, because });
  }
  const configBytes = await fetchConfig(source, manifest.config);
  const config = parseImageConfig(configBytes);
  checkLayerCount(manifest, config);
  return { ...found, config, configBytes };
}

/** Through indexes down to a manifest. */
async function descend(source: ImageSource, top: Descriptor | undefined, platform: Platform, image: string) {
  let wanted = top;
  const indexes: FetchedManifest[] = [];
  for (let depth = 0; depth < maxDepth; depth++) {
    const fetched = await source.fetchManifest(wanted);
    const { descriptor, bytes } = fetched;
    const document = parseManifestDocument(bytes, descriptor.mediaType);
    if (document.kind === "manifest") {
      const { manifest } = document;
      const manifestDescriptor = describe({ ...descriptor, ...platformOf(wanted) }, manifest);
      const topDigest = indexes[0]?.descriptor.digest ?? descriptor.digest;
      return { topDigest, indexes, manifest, manifestBytes: bytes, manifestDescriptor };
    }
    indexes.push(fetched);
    wanted = selectPlatform(document.index, platform, image);
  }
  const because = `indexes are nested more than ${maxDepth} deep`;
  throw new DevboxError("BAD_MANIFEST", { step: `read the index of ${image}`, because });
}

/** The descriptor for our own index: annotations of the foreign one name things in the foreign one. */
function describe({ digest, size, platform }: Descriptor, { mediaType }: Manifest): Descriptor {
  return { mediaType, digest, size, ...platformOf({ platform }) };
}

function platformOf(entry: { readonly platform?: Platform | undefined } | undefined): { readonly platform?: Platform } {
  return entry?.platform === undefined ? {} : { platform: entry.platform };
}
