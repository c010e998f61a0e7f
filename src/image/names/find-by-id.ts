/** Images by their ids, or by how these begin. On the way of a warm run. */
import { DevboxError } from "../../core/errors.ts";
import { digestHex } from "../../oci/digest.ts";
import { readImageContent } from "../../store/images.ts";
import type { ImageEntry } from "../../store/index-file.ts";
import type { Store } from "../../store/types.ts";

/** Four digits at least, to be told from a name that is not here. */
const idPattern = /^(?:sha256:)?([0-9a-f]{4,64})$/;

/** The digits of what may be an id. */
export function idPrefix(text: string): string | undefined {
  return idPattern.exec(text)?.[1];
}

/** Whether a text can be nothing but an id: no registry has images under it. */
export function isOnlyId(text: string): boolean {
  return text.startsWith("sha256:") ? idPrefix(text) !== undefined : idPrefix(text)?.length === 64;
}

/**
 * An entry of the one image whose id begins so; for texts that are as well a name: docker prints 12 digits, and whoever
 * types them means an id.
 * @throws DevboxError IMAGE_NOT_FOUND when several ids begin so
 */
export function findById(store: Store, entries: readonly ImageEntry[], text: string): ImageEntry | undefined {
  const prefix = idPrefix(text);
  return prefix === undefined || prefix.length < 12 ? undefined : entriesOfId(store, entries, text, prefix)[0];
}

/** All entries of the one image whose id begins so; none. @throws DevboxError IMAGE_NOT_FOUND when several ids do */
export function entriesOfId(
  store: Store,
  entries: readonly ImageEntry[],
  text: string,
  prefix: string,
): readonly ImageEntry[] {
  const found = entries.filter((each) => hasId(store, each, prefix));
  // Two manifests may share a config: the same image, its layers compressed otherwise.
  const ids = new Set(found.map((entry) => idOf(store, entry) ?? entry.descriptor.digest));
  if (ids.size > 1) throw notFound(text, `${ids.size} image ids begin so`);
  return found;
}

export function notFound(text: string, because: string): DevboxError {
  return new DevboxError("IMAGE_NOT_FOUND", { step: `find the image ${text}`, because, hint: "see: devbox images" });
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
