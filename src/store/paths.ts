/** Where in the store a thing lies, by its name: pure, so that everyone agrees. */
import { join } from "node:path";
import type { Digest } from "../oci/descriptor.ts";
import { digestAlgorithm, digestHex } from "../oci/digest.ts";
import type { BoxPaths, Store } from "./types.ts";

/** image-spec image-layout.md "blobs". */
export function blobPath(store: Store, digest: Digest): string {
  return join(store.images, "blobs", digestAlgorithm(digest), digestHex(digest));
}

export function layerDirectory(store: Store, chainId: Digest): string {
  return join(store.layers, digestHex(chainId));
}

/** The tree of a layer, relative to the root of the store: hex only, so overlayfs needs nothing escaped. */
export function layerTree(chainId: Digest): string {
  return `store/layers/${digestHex(chainId)}/fs`;
}

/** A download under way. */
export function partialPath(store: Store, digest: Digest): string {
  return join(store.ingest, `${digestAlgorithm(digest)}-${digestHex(digest)}`);
}

/** Files in `ingest/` that are made here: blobs whose digests are not known yet. */
export const newBlobPrefix = ".new-";

export function blobLockPath(store: Store, digest: Digest): string {
  return join(store.locks, `blob-${digestAlgorithm(digest)}-${digestHex(digest)}`);
}

export function layerLockPath(store: Store, chainId: Digest): string {
  return join(store.locks, `layer-${digestHex(chainId)}`);
}

/** Guards reading, changing and replacing index.json. */
export function indexLockPath(store: Store): string {
  return join(store.locks, "index");
}

/**
 * Guards what is referred to: shared while a reference to blobs or layers is written down (a lease, a box), exclusive
 * while prune decides what nothing refers to. Held for moments only, never across a download.
 */
export function referencesLockPath(store: Store): string {
  return join(store.locks, "references");
}

/** Locks of boxes that are watched: a file goes when nobody watches its box any more. */
export function liveDirectory(store: Store): string {
  return join(store.boxes, ".live");
}

export function boxPaths(store: Store, id: string): BoxPaths {
  const directory = join(store.boxes, id);
  return {
    id,
    directory,
    config: join(directory, "config.json"),
    state: join(directory, "state.json"),
    lock: join(liveDirectory(store), id),
  };
}
