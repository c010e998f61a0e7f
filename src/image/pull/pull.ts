/**
 * Pull: from a reference to an image in the store, ready to run.
 *
 *     reference ─is it here and current?→ done
 *               ─no→ bring (bring.ts): resolve, fetch, apply, name
 *
 * Whatever is there already is not fetched again, and nothing is asked of the source but whether the name still means the
 * same. A process that dies leaves no half image: the name is written last, layers and blobs get theirs when they are
 * whole, downloads are gone on with.
 */
import type { Context } from "../../core/context.ts";
import { DevboxError } from "../../core/errors.ts";
import type { HostFacts } from "../../host/facts.ts";
import type { Platform } from "../../oci/descriptor.ts";
import { hostPlatform } from "../../oci/platform.ts";
import { familiarName, type Reference } from "../../oci/reference.ts";
import type { RegistryAccess } from "../../registry/access.ts";
import { readImage } from "../../store/images.ts";
import type { Store, StoredImage } from "../../store/types.ts";
import { confirmLayers } from "../../store/unsynced.ts";
import { avoidingBadMirrors } from "../sources/mirror-health.ts";
import { openSource } from "../sources/open-source.ts";
import { cancellable } from "../workers/cancellable.ts";

export interface PullOptions extends RegistryAccess {
  /** undefined: this machine's, or else the only one that the image is made for. */
  readonly platform: Platform | undefined;
  /** Also the blobs of all other platforms, to be pushed on. */
  readonly allPlatforms?: boolean;
}

export interface Pulled {
  readonly image: StoredImage;
  /** false: it was there, and the name still means it. */
  readonly isNew: boolean;
}

/**
 * @param readFacts called where there is something to bring
 * @param reference with absolute paths
 * @throws DevboxError of every stage; INTERRUPTED when the context is cancelled
 */
export async function pull(
  context: Context,
  store: Store,
  readFacts: () => HostFacts | Promise<HostFacts>,
  reference: Reference,
  options: PullOptions,
): Promise<Pulled> {
  confirmLayers(context, store);
  const whole = readUndamaged(context, store, reference, options.platform ?? hostPlatform());
  const local = whole === undefined || (await isEnough(store, whole, options)) ? whole : undefined;
  if (local !== undefined && isPinned(reference)) return { image: local, isNew: false };
  try {
    return await avoidingBadMirrors(context, async (health) => {
      const inner = cancellable(context);
      await using source = await openSource(inner.context, store, reference, { ...options, health });
      const top = local === undefined ? undefined : await source.resolve();
      if (local !== undefined && top?.digest === local.topDigest) return { image: local, isNew: false };
      // What fetches and applies takes milliseconds to load: only where there is something to bring.
      const { bringImage } = await import("./bring.ts");
      const facts = await readFacts();
      return {
        image: await bringImage({ ...inner, store, facts, source }, { reference, top, ...options }),
        isNew: true,
      };
    });
  } catch (error) {
    throw context.signal.aborted ? interrupted(reference, error) : error;
  }
}

/** A damaged image is as good as none: the pull replaces what is damaged. */
function readUndamaged(
  context: Context,
  store: Store,
  reference: Reference,
  platform: Platform,
): StoredImage | undefined {
  try {
    return readImage(store, reference, platform);
  } catch (error) {
    if (!(error instanceof DevboxError) || error.code !== "STORE_DAMAGED") throw error;
    context.log.warn(error.message);
    return undefined;
  }
}

/** Whether all platforms are here, where that is asked for. */
async function isEnough(store: Store, { topDigest }: StoredImage, { allPlatforms }: PullOptions): Promise<boolean> {
  return allPlatforms !== true || (await import("./index.ts")).isWholeIndex(store, topDigest);
}

/** A digest means the same for ever: there is nothing to ask. */
function isPinned(reference: Reference): boolean {
  return reference.kind === "registry" && reference.digest !== undefined;
}

function interrupted(reference: Reference, cause: unknown): DevboxError {
  const because = "interrupted; what was downloaded is kept, the next pull goes on from there";
  return new DevboxError("INTERRUPTED", { step: `pull ${familiarName(reference)}`, because, cause });
}
