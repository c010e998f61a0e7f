/** `devbox copy`: from any place to any other, past the store. */
import type { Context } from "../../core/context.ts";
import type { Reference } from "../../oci/reference.ts";
import type { RegistryAccess } from "../../registry/access.ts";
import type { Store } from "../../store/types.ts";
import { namesAt, openDestination } from "../destinations/open-destination.ts";
import { openSource } from "../sources/open-source.ts";
import { type Copied, type CopyOptions, copyImage } from "./copy-image.ts";

export interface CopyBetweenOptions extends Omit<CopyOptions, "names" | "mountFrom"> {
  readonly sourceAccess: RegistryAccess;
  readonly destinationAccess: RegistryAccess;
}

/**
 * @param from, to with absolute paths
 * @throws DevboxError of both sides; what `copyImage` throws
 */
export async function copyBetween(
  context: Context,
  store: Store,
  from: Reference,
  to: Reference,
  options: CopyBetweenOptions,
): Promise<Copied> {
  await using source = await openSource(context, store, from, options.sourceAccess);
  await using destination = await openDestination(context, to, options.destinationAccess);
  const mountFrom = mountsBetween(from, to);
  const copied = await copyImage(context, store, source, destination, { ...options, names: namesAt(to), mountFrom });
  await destination.commit();
  return copied;
}

/** Within a registry, blobs need not travel. */
function mountsBetween(from: Reference, to: Reference): () => readonly string[] {
  const isOne = from.kind === "registry" && to.kind === "registry" && from.registry === to.registry;
  return () => (isOne && from.repository !== to.repository ? [from.repository] : []);
}
