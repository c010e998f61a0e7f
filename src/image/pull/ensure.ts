/**
 * The image of a `run`: what is here when the policy allows, else what a pull brings. The warm path loads neither the
 * registry client nor the workers.
 */
import type { Context } from "../../core/context.ts";
import { DevboxError } from "../../core/errors.ts";
import type { HostFacts } from "../../host/facts.ts";
import type { Platform } from "../../oci/descriptor.ts";
import { hostPlatform } from "../../oci/platform.ts";
import { familiarName, type Reference } from "../../oci/reference.ts";
import { describeImage, findEntry, isRestorable, isWhole, runsOn } from "../../store/images.ts";
import { type ImageEntry, readEntries } from "../../store/index-file.ts";
import type { Store, StoredImage } from "../../store/types.ts";
import { findById, isOnlyId } from "../names/find-by-id.ts";
import { readReference } from "../names/read-reference.ts";

/** As podman's `--pull`: newer asks the registry and takes what it has when that differs. */
export type PullPolicy = "missing" | "always" | "never" | "newer";

export interface EnsureOptions {
  readonly policy: PullPolicy;
  /** undefined: this machine's; with policies missing and never, whatever is here under the name. */
  readonly platform: Platform | undefined;
  readonly tlsVerify: boolean;
}

interface Around {
  readonly context: Context;
  readonly store: Store;
  readonly facts: HostFacts;
}

/**
 * @param text a reference, or the id of an image that is here, of at least 12 digits
 * @throws DevboxError BAD_REFERENCE; IMAGE_NOT_FOUND with policy never; STORE_DAMAGED; what `pull` throws
 */
export async function ensureImage(around: Around, text: string, options: EnsureOptions): Promise<StoredImage> {
  const wanted = await readReference(text, around.context.env);
  const { policy, platform } = options;
  const asks = policy === "always" && !isOnlyId(text);
  const local = asks ? undefined : await findHere(around, text, wanted, platform);
  if (local !== undefined && (local.isById || isEnough(policy, wanted))) {
    if (platform === undefined) await warnIfForeign(around, local.image);
    return local.image;
  }
  if (policy === "never" || isOnlyId(text)) {
    const because = platform === undefined ? "it is not here" : "it is not here for this platform";
    throw new DevboxError("IMAGE_NOT_FOUND", { step: `use image ${familiarName(wanted)}`, because });
  }
  const { context, store, facts } = around;
  const { pull } = await import("./pull.ts");
  try {
    return (await pull(context, store, () => facts, wanted, options)).image;
  } catch (error) {
    if (policy !== "newer" || local === undefined || context.signal.aborted) throw error;
    context.log.warn(`using the image that is here: ${error instanceof Error ? error.message : String(error)}`);
    return local.image;
  }
}

/** What was pulled for another machine is under the name, too. */
async function warnIfForeign({ context }: Around, image: StoredImage): Promise<void> {
  const machine = hostPlatform();
  if (runsOn(image.config, machine)) return;
  const check = await import("./check-platform.ts");
  check.warnOfPlatform(context, image, machine);
}

/** Files are read anew: an archive changes without its name changing. */
function isEnough(policy: PullPolicy, { kind }: Reference): boolean {
  return policy === "never" || (policy === "missing" && kind === "registry");
}

/** Of another platform than the one that was pulled, where `pull --all-platforms` has brought it. */
async function findOther(
  store: Store,
  entry: ImageEntry,
  wanted: Reference,
  platform: Platform | undefined,
): Promise<StoredImage | undefined> {
  if (platform === undefined) return undefined;
  return (await import("./other-platform.ts")).findOtherPlatform(store, entry, wanted, platform);
}

/** By its name, else by its id; whole, if need be by applying again what a power loss may have taken. */
async function findHere(
  around: Around,
  text: string,
  wanted: Reference,
  platform: Platform | undefined,
): Promise<{ readonly image: StoredImage; readonly isById: boolean } | undefined> {
  const { context, store, facts } = around;
  const entries = readEntries(store);
  const named = findEntry(entries, wanted);
  const entry = named ?? findById(store, entries, text);
  if (entry === undefined) return undefined;
  const pulled = describeImage(store, entry, wanted, platform);
  const image = pulled ?? (await findOther(store, entry, wanted, platform));
  if (image === undefined) return undefined;
  if (!isWhole(store, image)) {
    if (!isRestorable(store, image)) return undefined;
    const why = pulled === undefined ? "of another platform" : "again: they were not all on disk";
    context.log.info(`applying the layers of ${familiarName(wanted)} ${why}`);
    const { restoreImage } = await import("./bring.ts");
    await restoreImage(context, store, facts, image);
  }
  return { image, isById: named === undefined };
}
