/** `devbox save`: images of the store into one archive, each layer once. */
import type { Context } from "../../core/context.ts";
import { DevboxError } from "../../core/errors.ts";
import type { Platform } from "../../oci/descriptor.ts";
import { referenceOrNothing } from "../../oci/reference.ts";
import { reachedBlobs } from "../../store/collect.ts";
import { type ImageEntry, readEntries } from "../../store/index-file.ts";
import { takeLease } from "../../store/leases.ts";
import type { Store } from "../../store/types.ts";
import { type ArchiveKind, type ArchiveOutput, openArchiveDestination } from "../destinations/archive-destination.ts";
import type { Packing } from "../make/packing.ts";
import { entryOf, findImage } from "../names/find.ts";
import { openStoreSource } from "../sources/store-source.ts";
import { copyImage } from "./copy-image.ts";

export type { ArchiveKind, ArchiveOutput } from "../destinations/archive-destination.ts";

export interface SaveOptions {
  readonly kind: ArchiveKind;
  /** undefined: as they are here. docker's archives hold plain layers only. */
  readonly packing: Packing | undefined;
  /** Another one than was pulled: its index must be here. */
  readonly platform: Platform | undefined;
  /** Every platform. */
  readonly all: boolean;
}

/**
 * @param images names, or ids: what is asked for by its id only is saved without a name, as docker does
 * @throws DevboxError IMAGE_NOT_FOUND before anything is written; what writing throws: no half file is left
 */
export async function saveImages(
  context: Context,
  store: Store,
  images: readonly string[],
  output: ArchiveOutput,
  options: SaveOptions,
): Promise<void> {
  const { kind, packing, platform, all } = options;
  if (kind === "docker-archive") refuseForDocker(options);
  const wanted = chooseImages(store, images, context.env, kind);
  const label = output.kind === "file" ? `${kind}:${output.path}` : `the ${kind} on stdout`;
  // Nobody removes them meanwhile.
  const blobs = wanted.flatMap(({ entry: { descriptor, topDigest } }) => [
    ...reachedBlobs(store, descriptor),
    ...reachedBlobs(store, { digest: topDigest }),
  ]);
  using _lease = await takeLease(context, store, { blobs: [...new Set(blobs)], chainIds: [] });
  await using destination = openArchiveDestination(kind, output, label);
  for (const { entry, names } of wanted) {
    await using source = openStoreSource(store, entry, all || platform !== undefined ? "index" : "image");
    const copy = { platform, all, packing, names, preserveDigests: false };
    await copyImage(context, store, source, destination, copy);
  }
  await destination.commit();
}

function refuseForDocker({ packing, all }: SaveOptions): void {
  const flag = all ? "--all" : packing === undefined ? undefined : "--compression";
  if (flag === undefined) return;
  throw new DevboxError("USAGE", {
    step: `save with ${flag}`,
    because: `docker's archives hold ${all ? "one platform of each image" : "plain layers"}`,
    hint: "add --format oci-archive",
  });
}

interface Wanted {
  readonly entry: ImageEntry;
  readonly names: readonly string[];
}

/** Each image once, with all names that it is asked for by. */
function chooseImages(
  store: Store,
  images: readonly string[],
  env: Context["env"],
  kind: ArchiveKind,
): readonly Wanted[] {
  const entries = readEntries(store);
  const wanted = new Map<string, Wanted>();
  for (const text of images) {
    const found = findImage(store, entries, text, env);
    const entry = entryOf(found);
    const { digest } = entry.descriptor;
    const names = wanted.get(digest)?.names ?? [];
    const own = found.by === "name" ? namesOf(entry, kind) : [];
    wanted.set(digest, { entry, names: [...new Set([...names, ...own])] });
  }
  return [...wanted.values()];
}

/** Names of files mean nothing elsewhere; with a digest instead of a tag, docker has no place for it. */
function namesOf({ name }: ImageEntry, kind: ArchiveKind): readonly string[] {
  const reference = name === undefined ? undefined : referenceOrNothing(name);
  if (name === undefined || reference?.kind !== "registry") return [];
  return kind === "oci-archive" || reference.digest === undefined ? [name] : [];
}
