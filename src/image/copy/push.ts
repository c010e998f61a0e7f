/** `devbox push`: an image of the store to a registry, or wherever else a reference leads. */
import type { Context } from "../../core/context.ts";
import { DevboxError } from "../../core/errors.ts";
import { parseReference, type Reference } from "../../oci/reference.ts";
import type { RegistryAccess } from "../../registry/access.ts";
import { reachedBlobs } from "../../store/collect.ts";
import { type ImageEntry, readEntries } from "../../store/index-file.ts";
import { takeLease } from "../../store/leases.ts";
import type { Store } from "../../store/types.ts";
import { namesAt, openDestination } from "../destinations/open-destination.ts";
import { entryOf, findImage } from "../names/find.ts";
import { openStoreSource } from "../sources/store-source.ts";
import { type Copied, type CopyOptions, copyImage } from "./copy-image.ts";
import { repositoriesWith } from "./mount-sources.ts";

export type PushOptions = Omit<CopyOptions, "names" | "mountFrom"> & RegistryAccess;

export interface PushedImage extends Copied {
  readonly destination: Reference;
}

/**
 * @param text a name, or an id or the beginning of one
 * @param target with an absolute path; undefined: where the image's own name leads
 * @throws DevboxError IMAGE_NOT_FOUND, also for `all` when not all of the index is here; USAGE without a target for an image
 *   without a name; what `copyImage` throws
 */
export async function pushImage(
  context: Context,
  store: Store,
  text: string,
  target: Reference | undefined,
  options: PushOptions,
): Promise<PushedImage> {
  const entries = readEntries(store);
  const entry = entryOf(findImage(store, entries, text, context.env));
  const destinationReference = target ?? ownName(entry, text);
  // Of several platforms that are here, another than the one that was pulled is found by the index.
  const which = options.all || options.platform !== undefined ? "index" : "image";
  const source = openStoreSource(store, entry, which);
  const top = await source.resolve();
  using _lease = await takeLease(context, store, { blobs: reachedBlobs(store, top), chainIds: [] });
  await using destination = await openDestination(context, destinationReference, options);
  const mountFrom = repositoriesWith(store, entries, destinationReference);
  const names = namesAt(destinationReference);
  const copied = await copyImage(context, store, source, destination, { ...options, names, mountFrom });
  await destination.commit();
  return { ...copied, destination: destinationReference };
}

function ownName({ name }: ImageEntry, text: string): Reference {
  const reference = name === undefined ? undefined : parseReference(name);
  if (reference?.kind === "registry" && reference.digest === undefined) return reference;
  throw new DevboxError("USAGE", {
    step: `push ${text}`,
    because: name === undefined ? "the image has no name that says where to" : `${name} is no name of a registry's tag`,
    hint: `say where to: devbox push ${text} REGISTRY/REPOSITORY:TAG`,
  });
}
