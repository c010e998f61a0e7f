/** An image of the store as a source: its blobs are an OCI layout (store/paths.ts), read as they are. */
import { readFileSync, statSync } from "node:fs";
import { DevboxError } from "../../core/errors.ts";
import type { Descriptor } from "../../oci/descriptor.ts";
import { parseAnyManifest } from "../../oci/parse.ts";
import { familiarName, referenceOrNothing } from "../../oci/reference.ts";
import { hasBlob } from "../../store/images.ts";
import type { ImageEntry } from "../../store/index-file.ts";
import { blobPath } from "../../store/paths.ts";
import type { Store } from "../../store/types.ts";
import { openDirectoryTree } from "./directory-tree.ts";
import { openLayoutBlobs } from "./layout-source.ts";
import type { ImageSource } from "./source.ts";

/**
 * @param which "image": the manifest of the platform that was pulled; "index": what its name stood for, with all platforms
 * @throws DevboxError IMAGE_NOT_FOUND by `resolve`, when the index is not here; by the others, when a blob is not
 */
export function openStoreSource(store: Store, entry: ImageEntry, which: "image" | "index"): ImageSource {
  const label = entry.name === undefined ? entry.descriptor.digest : nameOf(entry.name);
  const source = openLayoutBlobs(openDirectoryTree(store.images, "the store"), async () =>
    which === "image" ? entry.descriptor : topDescriptor(store, entry, label),
  );
  const require = (descriptor: Descriptor): void => {
    if (!hasBlob(store, descriptor)) throw notHere(label, descriptor);
  };
  return {
    resolve: source.resolve,
    async fetchManifest(wanted) {
      const descriptor = wanted ?? (await source.resolve());
      require(descriptor);
      return await source.fetchManifest(descriptor);
    },
    async fetchSmallBlob(descriptor, maxBytes) {
      require(descriptor);
      return await source.fetchSmallBlob(descriptor, maxBytes);
    },
    async fetchBlob(descriptor, request) {
      require(descriptor);
      return await source.fetchBlob(descriptor, request);
    },
    [Symbol.asyncDispose]: source[Symbol.asyncDispose],
  };
}

/** What the registry answered for the name, as it lies here. */
export function topDescriptor(store: Store, { topDigest, descriptor }: ImageEntry, label: string): Descriptor {
  if (topDigest === descriptor.digest) return descriptor;
  const path = blobPath(store, topDigest);
  const size = statSync(path, { throwIfNoEntry: false })?.size;
  if (size === undefined) throw notHere(label, { digest: topDigest });
  const document = parseAnyManifest(readFileSync(path), undefined, `read ${path}`);
  const { mediaType } = document.kind === "index" ? document.index : document.manifest;
  return { mediaType, digest: topDigest, size };
}

function notHere(label: string, { digest, platform }: Pick<Descriptor, "digest" | "platform">): DevboxError {
  const of = platform === undefined ? "" : ` (${platform.os}/${platform.architecture})`;
  return new DevboxError("IMAGE_NOT_FOUND", {
    step: `read ${label}`,
    because: `${digest}${of} is not here`,
    hint: `pull all of it: devbox pull --all-platforms ${label}`,
  });
}

function nameOf(name: string): string {
  const reference = referenceOrNothing(name);
  return reference === undefined ? name : familiarName(reference);
}
