/** What `devbox images` shows, as data. */
import type { Context } from "../../core/context.ts";
import type { Digest } from "../../oci/descriptor.ts";
import { familiarRepository, formatReference, referenceOrNothing } from "../../oci/reference.ts";
import { readImageContent, storedLayers } from "../../store/images.ts";
import { type ImageEntry, readEntries } from "../../store/index-file.ts";
import { layerBytes } from "../../store/layers.ts";
import type { Store } from "../../store/types.ts";

export interface ImageSummary {
  /** Canonical reference; undefined: the name has moved on to a newer image. */
  readonly name: string | undefined;
  /** As people write it: `debian`, `ghcr.io/owner/image`, `oci:/path`. */
  readonly repository: string | undefined;
  readonly tag: string | undefined;
  /** Digest of the config: docker's image id. */
  readonly id: Digest;
  /** What the registry answered for the name. */
  readonly digest: Digest;
  /** RFC 3339, as the image says. */
  readonly created: string | undefined;
  /** Uncompressed bytes of all layers, also of those that other images share. */
  readonly sizeBytes: number;
  readonly labels: Readonly<Record<string, string>>;
}

/** All images, the newest first, then by name. Those that are damaged are left out, with a warning. */
export function listImages(context: Context, store: Store): readonly ImageSummary[] {
  const summaries = readEntries(store).flatMap((entry) => {
    try {
      return summarize(store, entry) ?? [];
    } catch (error) {
      context.log.warn(error instanceof Error ? error.message : String(error));
      return [];
    }
  });
  return summaries.sort(
    (a, b) => timeOf(b) - timeOf(a) || nameOrLast(a).localeCompare(nameOrLast(b)) || a.id.localeCompare(b.id),
  );
}

function summarize(store: Store, entry: ImageEntry): ImageSummary | undefined {
  const content = readImageContent(store, entry);
  if (content === undefined) return undefined;
  const sizes = storedLayers(content.config.rootfs.diff_ids).map(({ chainId }) => layerBytes(store, chainId));
  return {
    name: entry.name,
    ...splitName(entry.name),
    id: content.manifest.config.digest,
    digest: entry.topDigest,
    created: content.config.created,
    sizeBytes: sizes.reduce((sum, size) => sum + size, 0),
    labels: content.config.config?.Labels ?? {},
  };
}

function splitName(name: string | undefined): Pick<ImageSummary, "repository" | "tag"> {
  const reference = name === undefined ? undefined : referenceOrNothing(name);
  if (reference === undefined) return { repository: name, tag: undefined };
  if (reference.kind === "registry") return { repository: familiarRepository(reference), tag: reference.tag };
  return reference.kind === "dir"
    ? { repository: formatReference(reference), tag: undefined }
    : { repository: formatReference({ ...reference, ref: undefined }), tag: reference.ref };
}

function nameOrLast({ name }: ImageSummary): string {
  return name ?? "\u{ffff}";
}

function timeOf({ created }: ImageSummary): number {
  const time = created === undefined ? Number.NaN : Date.parse(created);
  return Number.isNaN(time) ? 0 : time;
}
