/** `index.json` and `oci-layout` of image layouts that are written (image-spec image-layout.md). */
import type { Descriptor } from "../../oci/descriptor.ts";
import { mediaTypes, nameAnnotations } from "../../oci/descriptor.ts";
import type { DestinationForm } from "./destination.ts";

/** What a layout holds, whether in a directory or in an archive. */
export const layoutForm = {
  manifests: "oci",
  layers: "any",
  packsPlainLayers: false,
  leavesForeignLayers: false,
  indexes: true,
} as const satisfies Partial<DestinationForm>;

export const layoutMarker = { path: "oci-layout", content: '{"imageLayoutVersion":"1.0.0"}' } as const;

/** An entry for each name of an image; a nameless one where there is none. Annotations of another index stay behind. */
export function indexEntries(
  { annotations: _, ...image }: Descriptor,
  names: readonly string[],
): readonly Descriptor[] {
  if (names.length === 0) return [image];
  return names.map((name) => ({ ...image, annotations: { [nameAnnotations.ref]: name } }));
}

/**
 * The entries after new ones: a name moves to the new image, whatever had it before goes.
 * @param entries as they stand in the file, each with all its members
 */
export function mergeEntries<E extends Partial<Descriptor>>(
  entries: readonly E[],
  added: readonly Descriptor[],
): readonly (E | Descriptor)[] {
  const replaced = (entry: E): boolean =>
    added.some(
      (each) => nameOf(each) === nameOf(entry) && (nameOf(each) !== undefined || each.digest === entry.digest),
    );
  return [...entries.filter((entry) => !replaced(entry)), ...added];
}

function nameOf({ annotations }: Partial<Descriptor>): string | undefined {
  return annotations?.[nameAnnotations.ref];
}

export function encodeIndex(manifests: readonly object[]): string {
  return JSON.stringify({ schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests });
}
