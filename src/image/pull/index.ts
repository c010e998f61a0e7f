/** All platforms of an index into the store, for who wants to push them on: manifests, configs, layers; nothing is applied. */

import type { Context } from "../../core/context.ts";
import type { Descriptor, Digest } from "../../oci/descriptor.ts";
import { shortDigest } from "../../oci/digest.ts";
import { type ManifestDocument, parseAnyManifest } from "../../oci/parse.ts";
import { isManifestType } from "../../oci/platform.ts";
import { type Named, readDocument } from "../../store/documents.ts";
import { hasBlob } from "../../store/images.ts";
import type { Store } from "../../store/types.ts";
import type { FetchedManifest, ImageSource } from "../sources/source.ts";
import type { Cancellable } from "../workers/cancellable.ts";
import { createSemaphore } from "../workers/semaphore.ts";
import { fetchBlob } from "./fetch-blob.ts";

/** Connections to a registry at a time, as for layers (pull-layers.ts). */
const downloadsAtOnce = 4;
/** An index may list indexes; what is deeper than that, or in circles, is none. */
const maxDepth = 4;

/** What an index reaches. */
export interface IndexContent {
  /** All below the index. */
  readonly manifests: readonly FetchedManifest[];
  /** What these name, each once. */
  readonly blobs: readonly Descriptor[];
}

/** Asks the source for all manifests. @throws DevboxError BAD_MANIFEST, and what the source throws */
export async function listIndex(source: ImageSource, index: FetchedManifest): Promise<IndexContent> {
  const manifests = new Map<Digest, FetchedManifest>();
  const blobs = new Map<Digest, Descriptor>();
  const visit = async (document: ManifestDocument, depth: number): Promise<void> => {
    for (const descriptor of namedBy(document)) {
      if (document.kind === "manifest" || !isManifestType(descriptor.mediaType)) {
        blobs.set(descriptor.digest, descriptor);
      } else if (!manifests.has(descriptor.digest) && depth < maxDepth) {
        const fetched = await source.fetchManifest(descriptor);
        manifests.set(descriptor.digest, fetched);
        await visit(parseAnyManifest(fetched.bytes, fetched.descriptor.mediaType), depth + 1);
      }
    }
  };
  await visit(parseAnyManifest(index.bytes, index.descriptor.mediaType), 0);
  return { manifests: [...manifests.values()], blobs: [...blobs.values()] };
}

function namedBy(document: ManifestDocument): readonly Descriptor[] {
  return document.kind === "index" ? document.index.manifests : [document.manifest.config, ...document.manifest.layers];
}

/** Whether all is here that an index (or a manifest) reaches. */
export function isWholeIndex(store: Store, top: Digest): boolean {
  const seen = new Set<Digest>();
  const isHere = (descriptor: Named): boolean => {
    if (seen.has(descriptor.digest)) return true;
    seen.add(descriptor.digest);
    const document = readDocument(store, descriptor);
    return document !== undefined && namedBy(document).every((each) => isThere(document, each));
  };
  const isThere = (document: ManifestDocument, each: Descriptor): boolean =>
    document.kind === "index" && isManifestType(each.mediaType) ? isHere(each) : hasBlob(store, each);
  return isHere({ digest: top });
}

export interface BlobsWork extends Cancellable {
  readonly context: Context;
  readonly store: Store;
  readonly source: ImageSource;
}

/** The blobs that are not here. What a failure leaves is gone on with by the next pull. @throws the first failure */
export async function pullBlobs(work: BlobsWork, blobs: readonly Descriptor[]): Promise<void> {
  const { context, store, source } = work;
  const slots = createSemaphore(downloadsAtOnce);
  using held = new DisposableStack();
  const missing = blobs.filter((descriptor) => !hasBlob(store, descriptor));
  const fetches = missing
    .toSorted((a, b) => b.size - a.size)
    .map((descriptor) => {
      const task = context.progress.task(shortDigest(descriptor.digest), descriptor.size);
      const fetch = held.use(fetchBlob(context, store, source, descriptor, task, slots));
      return fetch.complete.then(() => task.done("pulled"));
    });
  try {
    await Promise.all(fetches);
  } catch (error) {
    work.cancel(error);
    await Promise.allSettled(fetches);
    throw error;
  }
}
