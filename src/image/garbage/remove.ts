/** `devbox rmi`: take names away, and with the last name the image. */
import type { Context } from "../../core/context.ts";
import { DevboxError } from "../../core/errors.ts";
import type { HostFacts } from "../../host/facts.ts";
import type { Digest } from "../../oci/descriptor.ts";
import { listBoxes } from "../../store/boxes.ts";
import { editEntries, type ImageEntry } from "../../store/index-file.ts";
import type { BoxRecord, Store } from "../../store/types.ts";
import { findImage } from "../names/find.ts";
import { collectGarbage } from "./collect-garbage.ts";

export interface RemoveOptions {
  /** Also when boxes use the image (they keep its layers), or when an id has several names. */
  readonly force: boolean;
}

export interface RemovedImage {
  /** Names that are gone. */
  readonly untagged: readonly string[];
  /** Manifest digest of the image, if that was its last name. */
  readonly deleted: Digest | undefined;
}

/**
 * @param image a name, or an id or the beginning of one
 * @throws DevboxError IMAGE_NOT_FOUND, IMAGE_IN_USE
 */
export async function removeImage(
  context: Context,
  store: Store,
  facts: HostFacts,
  image: string,
  options: RemoveOptions,
): Promise<RemovedImage> {
  let removed: RemovedImage = { untagged: [], deleted: undefined };
  await editEntries(context, store, (entries) => {
    const targets = chooseTargets(context, store, entries, image, options);
    const rest = entries.filter((entry) => !targets.includes(entry));
    const digest = targets[0]?.descriptor.digest;
    const isLast = !rest.some(({ descriptor }) => descriptor.digest === digest);
    if (isLast && !options.force) requireUnused(context, store, image, digest);
    removed = { untagged: targets.flatMap(({ name }) => name ?? []), deleted: isLast ? digest : undefined };
    return rest;
  });
  if (removed.deleted !== undefined) await collectGarbage(context, store, facts, { remains: false });
  return removed;
}

function chooseTargets(
  { env }: Context,
  store: Store,
  entries: readonly ImageEntry[],
  image: string,
  { force }: RemoveOptions,
): readonly ImageEntry[] {
  const found = findImage(store, entries, image, env);
  if (found.by === "name") return [found.entry];
  const names = found.entries.flatMap(({ name }) => name ?? []);
  if (names.length <= 1 || force) return found.entries;
  throw new DevboxError("IMAGE_IN_USE", {
    step: `remove the image ${image}`,
    because: `it has several names: ${names.join(", ")}`,
    hint: "remove the names one by one, or pass --force",
  });
}

function requireUnused(context: Context, store: Store, image: string, digest: Digest | undefined): void {
  const users = boxesOf(context, store).filter(({ manifestDigest }) => manifestDigest === digest);
  if (users.length === 0) return;
  throw new DevboxError("IMAGE_IN_USE", {
    step: `remove the image ${image}`,
    because: `it is used by ${users.map(({ name, status }) => `${name} (${status})`).join(", ")}`,
  });
}

/** Boxes, also for `prune`; damaged records are warned of. */
export function boxesOf(context: Context, store: Store): readonly BoxRecord[] {
  return listBoxes(store, (error) => context.log.warn(error instanceof Error ? error.message : String(error)));
}
