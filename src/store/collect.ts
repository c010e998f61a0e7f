/**
 * Garbage: what nothing refers to. References are index.json (images), the records of boxes, and the leases of pulls
 * under way. Whoever looks and removes holds the references lock exclusively, so nothing becomes referenced in between.
 */

import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import type { Digest } from "../oci/descriptor.ts";
import { isDigest } from "../oci/digest.ts";
import { parseImageConfig } from "../oci/parse-config.ts";
import { isManifestType } from "../oci/platform.ts";
import { listBoxes } from "./boxes.ts";
import { type Named, readDocument } from "./documents.ts";
import { storedLayers } from "./images.ts";
import { readEntries } from "./index-file.ts";
import { listLayers } from "./layers.ts";
import { readLeases } from "./leases.ts";
import { blobPath, newBlobPrefix } from "./paths.ts";
import type { Store } from "./types.ts";

export interface Garbage {
  /** Files in `images/blobs`. */
  readonly blobs: readonly { readonly path: string; readonly bytes: number }[];
  /** Directories of applied layers. */
  readonly layers: readonly { readonly path: string; readonly chainId: Digest }[];
  /** Partial downloads that no living pull has leased. To be removed only with the lock of their digest. */
  readonly partials: readonly { readonly path: string; readonly digest: Digest; readonly bytes: number }[];
  /** Blobs that were being made. To be removed only with the lock of the file itself. */
  readonly unfinished: readonly { readonly path: string; readonly bytes: number }[];
  /** Layers that were being built. To be removed only with the lock of their chainID. */
  readonly builds: readonly { readonly path: string; readonly chainId: Digest }[];
  /** Temporary files whose writer is long gone. */
  readonly temporaries: readonly string[];
}

/** @throws DevboxError STORE_DAMAGED when index.json or a box cannot be read: what they refer to would look like garbage */
export function findGarbage(store: Store, now: Date): Garbage {
  const references = collectReferences(store);
  const layers = listLayers(store);
  return {
    blobs: listBlobs(store).filter(({ digest }) => !references.blobs.has(digest)),
    layers: layers.layers.filter(({ chainId }) => !references.layers.has(chainId)),
    partials: listPartials(store).filter(({ digest }) => !references.leased.has(digest)),
    unfinished: listUnfinished(store),
    builds: layers.builds,
    temporaries: listTemporaries(store, now),
  };
}

/** All blobs that an image or index of the store needs, itself included, as far as they can be read. */
export function reachedBlobs(store: Store, top: Named): readonly Digest[] {
  const references = { blobs: new Set<Digest>(), layers: new Set<Digest>(), leased: new Set<Digest>() };
  reach(store, top, references, new Set());
  return [...references.blobs];
}

interface References {
  readonly blobs: Set<Digest>;
  /** chainIDs. */
  readonly layers: Set<Digest>;
  /** Blobs of living pulls: their partial files are in use or soon will be. */
  readonly leased: ReadonlySet<Digest>;
}

function collectReferences(store: Store): References {
  const leases = readLeases(store);
  const references: References = {
    blobs: new Set(leases.blobs),
    layers: new Set(leases.chainIds),
    leased: new Set(leases.blobs),
  };
  const visited = new Set<Digest>();
  for (const { descriptor, topDigest } of readEntries(store)) {
    reach(store, descriptor, references, visited);
    // The index it was chosen from, and of other platforms what has been pulled with it or under the same name before.
    reach(store, { digest: topDigest }, references, visited);
  }
  const boxes = listBoxes(store, (error) => {
    throw error;
  });
  for (const { chainIds, manifestDigest } of boxes) {
    for (const chainId of chainIds) references.layers.add(chainId);
    // What it has changed can be committed only on top of the blobs of its image.
    if (manifestDigest !== undefined) reach(store, { digest: manifestDigest }, references, visited);
  }
  return references;
}

/** Everything that a manifest or index refers to. What cannot be read refers to nothing. */
function reach(store: Store, descriptor: Named, references: References, visited: Set<Digest>): void {
  if (visited.has(descriptor.digest)) return;
  visited.add(descriptor.digest);
  references.blobs.add(descriptor.digest);
  if (descriptor.mediaType !== undefined && !isManifestType(descriptor.mediaType)) return;
  const document = readDocument(store, descriptor);
  if (document?.kind === "index") {
    for (const inner of document.index.manifests) reach(store, inner, references, visited);
  }
  if (document?.kind !== "manifest") return;
  const { config, layers } = document.manifest;
  for (const { digest } of [config, ...layers]) references.blobs.add(digest);
  const image = orNothing(() => parseImageConfig(readFileSync(blobPath(store, config.digest))));
  for (const { chainId } of storedLayers(image?.rootfs.diff_ids ?? [])) references.layers.add(chainId);
}

function orNothing<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}

/** Blobs of the layout, whoever refers to them. */
export function listBlobs(store: Store): { path: string; digest: Digest; bytes: number }[] {
  const root = join(store.images, "blobs");
  return readdirSync(root).flatMap((algorithm) =>
    readdirSync(join(root, algorithm)).flatMap((hex) => sized(join(root, algorithm, hex), `${algorithm}:${hex}`)),
  );
}

/** Downloads that were begun. */
export function listPartials(store: Store): { path: string; digest: Digest; bytes: number }[] {
  return readdirSync(store.ingest).flatMap((name) => sized(join(store.ingest, name), name.replace("-", ":")));
}

/** Files that are not named for a digest are not ours to remove. */
function sized(path: string, digest: string): { path: string; digest: Digest; bytes: number }[] {
  const bytes = statSync(path, { throwIfNoEntry: false })?.size;
  return bytes === undefined || !isDigest(digest) ? [] : [{ path, digest, bytes }];
}

function listUnfinished(store: Store): { path: string; bytes: number }[] {
  const names = readdirSync(store.ingest).filter((name) => name.startsWith(newBlobPrefix));
  return names.flatMap((name) => {
    const path = join(store.ingest, name);
    const bytes = statSync(path, { throwIfNoEntry: false })?.size;
    return bytes === undefined ? [] : [{ path, bytes }];
  });
}

/** Temporary files live for milliseconds; after an hour their writer is dead, whatever the clock did. */
const temporaryLifeMs = 3_600_000;

function listTemporaries(store: Store, now: Date): string[] {
  return readdirSync(store.ingest)
    .filter((name) => name.startsWith(".tmp-"))
    .map((name) => join(store.ingest, name))
    .filter((path) => {
      const modified = statSync(path, { throwIfNoEntry: false })?.mtimeMs;
      return modified !== undefined && now.getTime() - modified > temporaryLifeMs;
    });
}

/** Trees that are removed but for the work: of layers and boxes. Absolute paths. */
export function listTrash(store: Store): readonly string[] {
  const boxes = readdirSync(store.boxes).filter((name) => name.startsWith(".trash-"));
  return [...listLayers(store).trash, ...boxes.map((name) => join(store.boxes, name))];
}
