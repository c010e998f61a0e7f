/** Another platform of an image that is here: `pull --all-platforms` has brought its blobs, and the index says which they are. */
import { readFileSync } from "node:fs";
import type { Descriptor, Platform } from "../../oci/descriptor.ts";
import { parseAnyManifest } from "../../oci/parse.ts";
import { selectPlatform } from "../../oci/platform.ts";
import type { Reference } from "../../oci/reference.ts";
import { describeImage } from "../../store/images.ts";
import type { ImageEntry } from "../../store/index-file.ts";
import { blobPath } from "../../store/paths.ts";
import type { Store, StoredImage } from "../../store/types.ts";

/** An index may list indexes. */
const maxDepth = 4;

/** undefined: it is not here, or there is none such; its layers may still have to be applied. */
export function findOtherPlatform(
  store: Store,
  { name, topDigest }: ImageEntry,
  reference: Reference,
  platform: Platform,
): StoredImage | undefined {
  try {
    let wanted: Pick<Descriptor, "digest"> & Partial<Descriptor> = { digest: topDigest };
    for (let depth = 0; depth < maxDepth; depth++) {
      const document = parseAnyManifest(readFileSync(blobPath(store, wanted.digest)), wanted.mediaType);
      if (document.kind === "manifest") return undefined;
      const chosen = selectPlatform(document.index, platform);
      const { mediaType, digest, size } = chosen;
      const descriptor = {
        mediaType,
        digest,
        size,
        ...(chosen.platform === undefined ? {} : { platform: chosen.platform }),
      };
      const image = describeImage(store, { name, topDigest, descriptor }, reference, platform);
      if (image !== undefined) return image;
      wanted = chosen;
    }
  } catch {
    // Not all of it is here: a pull brings it.
  }
  return undefined;
}
