/**
 * All images of an archive, with their names there. docker's archives since version 25 are both: an OCI layout, which is
 * preferred since it keeps manifests and digests, and `manifest.json` for older readers.
 */

import { DevboxError } from "../../core/errors.ts";
import type { Descriptor } from "../../oci/descriptor.ts";
import { nameAnnotations } from "../../oci/descriptor.ts";
import { MAX_MANIFEST_BYTES, parseIndex } from "../../oci/parse.ts";
import { openSavedItem, readSavedItems } from "./docker-archive-source.ts";
import type { FileTree } from "./file-tree.ts";
import { openLayoutBlobs } from "./layout-source.ts";
import { requireFile } from "./read-file.ts";
import type { ImageSource } from "./source.ts";

export interface ArchiveImage {
  /** As they stand there: not checked. */
  readonly names: readonly string[];
  /** Disposing leaves the tree open. */
  readonly source: ImageSource;
  /** Whether the manifest is the image's own; false: one was made, since the archive has none. */
  readonly hasManifest: boolean;
}

/** @throws DevboxError BAD_MANIFEST when it is neither kind of archive, or its list cannot be read */
export async function listArchive(tree: FileTree): Promise<readonly ArchiveImage[]> {
  const shared: FileTree = { ...tree, [Symbol.dispose]: () => {} };
  if (tree.sizeOf("index.json") !== undefined) return await listLayout(shared);
  if (tree.sizeOf("manifest.json") === undefined && tree.sizeOf("repositories") === undefined) {
    throw new DevboxError("BAD_MANIFEST", {
      step: `read ${tree.label}`,
      because: "it is a tar, but of no image: there is neither manifest.json nor index.json in it",
      hint: "of a root file system, an image is made by: devbox import",
    });
  }
  const items = await readSavedItems(shared);
  return items.map((item) => ({
    names: item.repoTags,
    source: openSavedItem(shared, item),
    hasManifest: false,
  }));
}

async function listLayout(tree: FileTree): Promise<readonly ArchiveImage[]> {
  const bytes = await requireFile(tree, "index.json", MAX_MANIFEST_BYTES);
  const { manifests } = parseIndex(bytes, undefined, `read index.json of ${tree.label}`);
  // An image with several names is listed with each.
  return [...Map.groupBy(manifests, ({ digest }) => digest).values()].flatMap((entries) => {
    const [descriptor] = entries;
    if (descriptor === undefined) return [];
    const names = [...new Set(entries.flatMap(nameOf))];
    return [{ names, source: openLayoutBlobs(tree, async () => descriptor), hasManifest: true }];
  });
}

/**
 * containerd and docker write the whole name under a key of their own, and the tag alone under the standard's
 * (image-spec annotations.md); podman and skopeo write the name under the standard's.
 */
function nameOf({ annotations }: Descriptor): readonly string[] {
  const name = annotations?.[nameAnnotations.containerd] ?? annotations?.[nameAnnotations.ref];
  return name === undefined ? [] : [name];
}
