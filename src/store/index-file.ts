/**
 * `images/index.json`: which images are there under which names. It stays a valid OCI image layout
 * (image-spec image-layout.md), so any OCI tool can read the store. Entries that devbox did not write are kept as they are.
 */

import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Context } from "../core/context.ts";
import { DevboxError, errnoName } from "../core/errors.ts";
import type { Descriptor, Digest } from "../oci/descriptor.ts";
import { nameAnnotations } from "../oci/descriptor.ts";
import { isDigest } from "../oci/digest.ts";
import { parseIndex } from "../oci/parse.ts";
import { atomicWrite, storeError } from "./atomic-write.ts";
import { waitForLock } from "./locks.ts";
import { indexLockPath } from "./paths.ts";
import type { Store } from "./types.ts";

/** Digest that the registry answered for the reference: another one than the manifest's when it is an index. */
const topAnnotation = "dev.devbox.top-digest";

export interface ImageEntry {
  /** Canonical reference; undefined: the name has moved on to a newer image ("dangling"). */
  readonly name: string | undefined;
  readonly topDigest: Digest;
  /** The manifest of the chosen platform; annotations of other tools are kept. */
  readonly descriptor: Descriptor;
}

/**
 * The entries in file order. Needs no lock: the file is only ever replaced as a whole.
 * @throws DevboxError STORE_DAMAGED naming the file
 */
export function readEntries(store: Store): readonly ImageEntry[] {
  const path = join(store.images, "index.json");
  let bytes: Uint8Array;
  try {
    bytes = readFileSync(path);
  } catch (error) {
    if (errnoName(error) === "ENOENT") return [];
    throw storeError(error, `read ${path}`);
  }
  try {
    return parseIndex(bytes).manifests.map(toEntry);
  } catch (error) {
    throw new DevboxError("STORE_DAMAGED", {
      step: `read ${path}`,
      cause: error,
      hint: `move the file away and pull your images again; layers that are there are not downloaded again: mv ${path} ${path}.bad`,
    });
  }
}

/** Change the entries: read, `edit`, replace, while no other devbox does. Nothing is written when `edit` returns its argument. */
export async function editEntries(
  context: Context,
  store: Store,
  edit: (entries: readonly ImageEntry[]) => readonly ImageEntry[],
): Promise<void> {
  using _lock = await waitForLock(context, indexLockPath(store), "exclusive");
  const before = readEntries(store);
  const after = edit(before);
  if (after === before) return;
  const index = {
    schemaVersion: 2,
    mediaType: "application/vnd.oci.image.index.v1+json",
    manifests: after.map(toDescriptor),
  };
  atomicWrite(join(store.images, "index.json"), JSON.stringify(index), store.ingest);
}

/** The entries after `name` was given to `entry`. What had the name before stays, nameless, until prune takes it. */
export function withNamed(entries: readonly ImageEntry[], entry: ImageEntry): readonly ImageEntry[] {
  const moved = entries
    .filter((each) => !isSame(each, entry))
    .map((each) => (each.name === entry.name ? nameless(each) : each));
  return dropShadowed([...moved, entry]);
}

/** The entries after these names were taken away; their images stay. */
export function withoutNames(entries: readonly ImageEntry[], names: readonly string[]): readonly ImageEntry[] {
  return dropShadowed(
    entries.map((entry) => (entry.name !== undefined && names.includes(entry.name) ? nameless(entry) : entry)),
  );
}

function isSame(a: ImageEntry, b: ImageEntry): boolean {
  return a.name === b.name && a.descriptor.digest === b.descriptor.digest;
}

function nameless(entry: ImageEntry): ImageEntry {
  return { ...entry, name: undefined };
}

/** A nameless entry says nothing when its manifest has a name too, or a second time. */
function dropShadowed(entries: readonly ImageEntry[]): readonly ImageEntry[] {
  const named = new Set(entries.filter(({ name }) => name !== undefined).map(({ descriptor }) => descriptor.digest));
  const seen = new Set<Digest>();
  return entries.filter(({ name, descriptor }) => {
    if (name !== undefined) return true;
    const superfluous = named.has(descriptor.digest) || seen.has(descriptor.digest);
    seen.add(descriptor.digest);
    return !superfluous;
  });
}

function toEntry({ annotations, ...descriptor }: Descriptor): ImageEntry {
  const { [nameAnnotations.ref]: name, [topAnnotation]: top, ...others } = annotations ?? {};
  return {
    name,
    topDigest: top !== undefined && isDigest(top) ? top : descriptor.digest,
    descriptor: Object.keys(others).length === 0 ? descriptor : { ...descriptor, annotations: others },
  };
}

function toDescriptor({ name, topDigest, descriptor }: ImageEntry): Descriptor {
  const named = name === undefined ? {} : { [nameAnnotations.ref]: name };
  return { ...descriptor, annotations: { ...descriptor.annotations, ...named, [topAnnotation]: topDigest } };
}
