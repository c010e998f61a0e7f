/** Manifests and indexes among the blobs, of images and of whatever else. */
import { readFileSync } from "node:fs";
import type { Descriptor } from "../oci/descriptor.ts";
import { type ManifestDocument, parseAnyManifest } from "../oci/parse.ts";
import { blobPath } from "./paths.ts";
import type { Store } from "./types.ts";

/** Without a type: its bytes say what it is. */
export type Named = Pick<Descriptor, "digest"> & { readonly mediaType?: string };

/** undefined: it is not here, or not what it should be. */
export function readDocument(store: Store, { digest, mediaType }: Named): ManifestDocument | undefined {
  try {
    return parseAnyManifest(readFileSync(blobPath(store, digest)), mediaType);
  } catch {
    return undefined;
  }
}
