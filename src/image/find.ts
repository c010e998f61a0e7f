/** Images by what people type: a name, or the beginning of an id. */
import { DevboxError } from "../core/errors.ts";
import { digestHex } from "../oci/digest.ts";
import { parseReference } from "../oci/reference.ts";
import { findEntry, readImageContent } from "../store/images.ts";
import type { ImageEntry } from "../store/index-file.ts";
import type { Store } from "../store/types.ts";
import { absolute } from "./ensure.ts";

export type FoundImage =
  | { readonly by: "name"; readonly entry: ImageEntry }
  /** All entries of the one image with this id. */
  | { readonly by: "id"; readonly entries: readonly ImageEntry[] };

/** An id must be this long to be told from a name that is not here; docker prints 12 digits. */
const idPattern = /^(?:sha256:)?([0-9a-f]{4,64})$/;

/**
 * @throws DevboxError IMAGE_NOT_FOUND when there is none, or when several ids begin so; BAD_REFERENCE for what is neither
 */
export function findImage(store: Store, entries: readonly ImageEntry[], text: string): FoundImage {
  const prefix = idPattern.exec(text)?.[1];
  const isId = prefix !== undefined && (prefix.length === 64 || text.startsWith("sha256:"));
  const entry = isId ? undefined : findEntry(entries, absolute(parseReference(text)));
  if (entry !== undefined) return { by: "name", entry };
  const found = prefix === undefined ? [] : entries.filter((each) => hasId(store, each, prefix));
  const ids = new Set(found.map(({ descriptor }) => descriptor.digest));
  if (ids.size === 1) return { by: "id", entries: found };
  const because = ids.size === 0 ? "it is not here" : `${ids.size} image ids begin so`;
  throw new DevboxError("IMAGE_NOT_FOUND", { step: `find the image ${text}`, because, hint: "see: devbox images" });
}

function hasId(store: Store, entry: ImageEntry, prefix: string): boolean {
  if (digestHex(entry.descriptor.digest).startsWith(prefix)) return true;
  const config = idOf(store, entry);
  return config !== undefined && digestHex(config).startsWith(prefix);
}

/** A damaged image has no id, but can be removed by its name. */
function idOf(store: Store, entry: ImageEntry) {
  try {
    return readImageContent(store, entry)?.manifest.config.digest;
  } catch {
    return undefined;
  }
}
