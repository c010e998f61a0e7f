/** Which repositories of a registry may have a blob already: those whose images are here and name it. */
import type { Digest } from "../../oci/descriptor.ts";
import { type Reference, referenceOrNothing } from "../../oci/reference.ts";
import { readImageContent } from "../../store/images.ts";
import type { ImageEntry } from "../../store/index-file.ts";
import type { Store } from "../../store/types.ts";

/** Of a blob, its repositories; none where the destination is no registry. */
export function repositoriesWith(
  store: Store,
  entries: readonly ImageEntry[],
  destination: Reference,
): (blob: Digest) => readonly string[] {
  if (destination.kind !== "registry") return () => [];
  const found = new Map<Digest, Set<string>>();
  for (const entry of entries) {
    const repository = repositoryAt(destination.registry, entry.name);
    if (repository === undefined || repository === destination.repository) continue;
    for (const digest of blobsOf(store, entry)) {
      found.set(digest, (found.get(digest) ?? new Set()).add(repository));
    }
  }
  return (blob) => [...(found.get(blob) ?? [])];
}

function repositoryAt(registry: string, name: string | undefined): string | undefined {
  const reference = name === undefined ? undefined : referenceOrNothing(name);
  return reference?.kind === "registry" && reference.registry === registry ? reference.repository : undefined;
}

/** Of a damaged image none: it is only a guess where to mount from. */
function blobsOf(store: Store, entry: ImageEntry): readonly Digest[] {
  try {
    const manifest = readImageContent(store, entry)?.manifest;
    return manifest === undefined ? [] : [manifest.config, ...manifest.layers].map(({ digest }) => digest);
  } catch {
    return [];
  }
}
