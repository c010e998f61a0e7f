/** Images by what people type: a name, or the beginning of an id. */
import type { Context } from "../../core/context.ts";
import { parseReference } from "../../oci/reference.ts";
import { findEntry } from "../../store/images.ts";
import type { ImageEntry } from "../../store/index-file.ts";
import type { Store } from "../../store/types.ts";
import { absolute } from "./absolute.ts";
import { entriesOfId, idPrefix, isOnlyId, notFound } from "./find-by-id.ts";
import { meaningsOf } from "./short-names.ts";

export type FoundImage =
  | { readonly by: "name"; readonly entry: ImageEntry }
  /** All entries of the one image with this id. */
  | { readonly by: "id"; readonly entries: readonly [ImageEntry, ...ImageEntry[]] };

/** The entry that was named, or, of an id, one of those of its image: they differ in their names only. */
export function entryOf(found: FoundImage): ImageEntry {
  return found.by === "name" ? found.entry : found.entries[0];
}

/** The entry that was named, or all of the image of an id. */
export function entriesOf(found: FoundImage): readonly ImageEntry[] {
  return found.by === "name" ? [found.entry] : found.entries;
}

/**
 * @throws DevboxError IMAGE_NOT_FOUND when there is none, or when several ids begin so; BAD_REFERENCE for what is neither
 */
export function findImage(store: Store, entries: readonly ImageEntry[], text: string, env: Context["env"]): FoundImage {
  const prefix = idPrefix(text);
  const entry = isOnlyId(text) ? undefined : findNamed(entries, text, env);
  if (entry !== undefined) return { by: "name", entry };
  const [first, ...others] = prefix === undefined ? [] : entriesOfId(store, entries, text, prefix);
  if (first !== undefined) return { by: "id", entries: [first, ...others] };
  throw notFound(text, "it is not here");
}

/** The first that is here of what a short name may mean; then what `devbox images` prints so, which is docker.io's. */
function findNamed(entries: readonly ImageEntry[], text: string, env: Context["env"]): ImageEntry | undefined {
  for (const reference of [...meaningsOf(text, env).references, parseReference(text)]) {
    const entry = findEntry(entries, absolute(reference));
    if (entry !== undefined) return entry;
  }
  return undefined;
}
