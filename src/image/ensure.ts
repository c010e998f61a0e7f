/**
 * The image of a `run`: what is here when the policy allows, else what a pull brings. The warm path loads neither the
 * registry client nor the workers.
 */
import { resolve } from "node:path";
import type { Context } from "../core/context.ts";
import { DevboxError } from "../core/errors.ts";
import type { HostFacts } from "../host/facts.ts";
import type { Platform } from "../oci/descriptor.ts";
import { hostPlatform } from "../oci/platform.ts";
import { familiarName, type Reference } from "../oci/reference.ts";
import { readImage } from "../store/images.ts";
import type { Store, StoredImage } from "../store/types.ts";

/** As podman's `--pull`: newer asks the registry and takes what it has when that differs. */
export type PullPolicy = "missing" | "always" | "never" | "newer";

export interface EnsureOptions {
  readonly policy: PullPolicy;
  /** undefined: this machine's; with policies missing and never, whatever is here under the name. */
  readonly platform: Platform | undefined;
  readonly tlsVerify: boolean;
}

/**
 * @throws DevboxError IMAGE_NOT_FOUND with policy never; STORE_DAMAGED; what `pull` throws
 */
export async function ensureImage(
  context: Context,
  store: Store,
  facts: HostFacts,
  reference: Reference,
  options: EnsureOptions,
): Promise<StoredImage> {
  const wanted = absolute(reference);
  const { policy, platform } = options;
  const local = policy === "always" ? undefined : readImage(store, wanted, platform);
  if (local !== undefined && (policy === "never" || (policy === "missing" && wanted.kind === "registry"))) return local;
  if (policy === "never") {
    const because = platform === undefined ? "it is not here" : "it is not here for this platform";
    throw new DevboxError("IMAGE_NOT_FOUND", { step: `use image ${familiarName(wanted)}`, because });
  }
  const { pull } = await import("./pull.ts");
  try {
    const settings = { ...options, platform: platform ?? hostPlatform() };
    return (await pull(context, store, facts, wanted, settings)).image;
  } catch (error) {
    if (policy !== "newer" || local === undefined || context.signal.aborted) throw error;
    context.log.warn(`using the image that is here: ${error instanceof Error ? error.message : String(error)}`);
    return local;
  }
}

/** Files are named from the working directory; in the store, the name must mean the same from everywhere. */
export function absolute(reference: Reference): Reference {
  return reference.kind === "registry" ? reference : { ...reference, path: resolve(reference.path) };
}
