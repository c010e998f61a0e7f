/** Images by what people type: a name, or the beginning of an id. */
import type { Context } from "../core/context.ts";
import { DevboxError } from "../core/errors.ts";
import { digestHex } from "../oci/digest.ts";
import { parseReference } from "../oci/reference.ts";
import { findEntry, readImageContent } from "../store/images.ts";
import type { ImageEntry } from "../store/index-file.ts";
import type { Store } from "../store/types.ts";
import { absolute } from "./absolute.ts";
import { meaningsOf } from "./short-names.ts";

export type FoundImage =
  | { readonly by: "name"; readonly entry: ImageEntry }
  /** All entries of the one image with this id. */
  | { readonly by: "id"; readonly entries: readonly ImageEntry[] };

/** Four digits at least, to be told from a name that is not here. */
const idPattern = /^(?:sha256:)?([0-9a-f]{4,64})$/;

/**
 * @throws DevboxError IMAGE_NOT_FOUND when there is none, or when several ids begin so; BAD_REFERENCE for what is neither
 */
export function findImage(store: Store, entries: readonly ImageEntry[], text: string, env: Context["env"]): FoundImage {
  const prefix = idPattern.exec(text)?.[1];
  const entry = isOnlyId(text) ? undefined : findNamed(entries, text, env);
  if (entry !== undefined) return { by: "name", entry };
  const found = prefix === undefined ? [] : entriesOfId(store, entries, text, prefix);
  if (found.length > 0) return { by: "id", entries: found };
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

/** Whether a text can be nothing but an id: no registry has images under it. */
export function isOnlyId(text: string): boolean {
  return text.startsWith("sha256:") ? idPattern.test(text) : idPattern.exec(text)?.[1]?.length === 64;
}

/**
 * An entry of the one image whose id begins so; for texts that are as well a name: docker prints 12 digits, and whoever
 * types them means an id.
 * @throws DevboxError IMAGE_NOT_FOUND when several ids begin so
 */
export function findById(store: Store, entries: readonly ImageEntry[], text: string): ImageEntry | undefined {
  const prefix = idPattern.exec(text)?.[1];
  return prefix === undefined || prefix.length < 12 ? undefined : entriesOfId(store, entries, text, prefix)[0];
}

function entriesOfId(
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

function notFound(text: string, because: string): DevboxError {
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
