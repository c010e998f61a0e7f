/**
 * Pull: from a reference to an image in the store, ready to run.
 *
 *     reference ─resolve→ manifest ─choose platform→ manifest, config ─lease→ layers (pull-layers.ts) ─name→ index.json
 *
 * Whatever is there already is not fetched again, and nothing is asked of the source but whether the name still means the
 * same. A process that dies leaves no half image: the name is written last, layers and blobs get theirs when they are
 * whole, downloads are gone on with.
 */
import type { Context } from "../core/context.ts";
import { DevboxError } from "../core/errors.ts";
import type { HostFacts } from "../host/facts.ts";
import type { Platform } from "../oci/descriptor.ts";
import { familiarName, formatReference, type Reference } from "../oci/reference.ts";
import { syncDirectory } from "../store/atomic-write.ts";
import { putBlob, syncBlobs } from "../store/blobs.ts";
import { makeStoredImage, readImage } from "../store/images.ts";
import { editEntries, withNamed } from "../store/index-file.ts";
import { takeLease } from "../store/leases.ts";
import type { Store, StoredImage } from "../store/types.ts";
import { openSource } from "./open-source.ts";
import { openWorkerPool } from "./open-worker-pool.ts";
import { pullLayers } from "./pull-layers.ts";
import { type ResolvedImage, resolveImage } from "./resolve.ts";
import type { ImageSource } from "./source.ts";
import type { WorkerPool } from "./worker-pool.ts";

export interface PullOptions {
  readonly platform: Platform;
  /** false: plain http and unverified certificates are accepted. */
  readonly tlsVerify: boolean;
}

export interface Pulled {
  readonly image: StoredImage;
  /** false: it was there, and the name still means it. */
  readonly isNew: boolean;
}

/**
 * @param reference with absolute paths
 * @throws DevboxError of every stage; INTERRUPTED when the context is cancelled
 */
export async function pull(
  context: Context,
  store: Store,
  facts: HostFacts,
  reference: Reference,
  options: PullOptions,
): Promise<Pulled> {
  const local = readUndamaged(context, store, reference, options.platform);
  if (local !== undefined && isPinned(reference)) return { image: local, isNew: false };
  const scope = new AbortController();
  const inner = { ...context, signal: AbortSignal.any([context.signal, scope.signal]) };
  await using pool = openWorkerPool(facts);
  // Starting a worker takes as long as asking a registry; without an image here there is work for it in any case.
  if (local === undefined) pool.warm();
  try {
    await using source = await openSource(inner, store, reference, options);
    const top = local === undefined ? undefined : await source.resolve();
    if (local !== undefined && top?.digest === local.topDigest) return { image: local, isNew: false };
    const resolved = await resolveImage(source, top, options.platform, familiarName(reference));
    const work = { context: inner, store, source, pool, cancel: (reason: unknown) => scope.abort(reason) };
    return { image: await bring(work, reference, resolved), isNew: true };
  } catch (error) {
    throw context.signal.aborted ? interrupted(reference, error) : error;
  }
}

interface Work {
  readonly context: Context;
  readonly store: Store;
  readonly source: ImageSource;
  readonly pool: WorkerPool;
  readonly cancel: (reason: unknown) => void;
}

async function bring(work: Work, reference: Reference, resolved: ResolvedImage): Promise<StoredImage> {
  const { context, store } = work;
  const { manifestDescriptor, manifest, config, topDigest } = resolved;
  const image = makeStoredImage(reference, manifestDescriptor, topDigest, manifest, config);
  const blobs = [manifestDescriptor, manifest.config, ...manifest.layers].map(({ digest }) => digest);
  using _lease = await takeLease(context, store, { blobs, chainIds: image.layers.map(({ chainId }) => chainId) });
  putBlob(store, manifestDescriptor.digest, resolved.manifestBytes);
  putBlob(store, manifest.config.digest, resolved.configBytes);
  await pullLayers(work, image);
  syncBlobs(store);
  syncDirectory(store.layers);
  const entry = { name: formatReference(reference), topDigest, descriptor: manifestDescriptor };
  await editEntries(context, store, (entries) => withNamed(entries, entry));
  return image;
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

/** A digest means the same for ever: there is nothing to ask. */
function isPinned(reference: Reference): boolean {
  return reference.kind === "registry" && reference.digest !== undefined;
}

function interrupted(reference: Reference, cause: unknown): DevboxError {
  const because = "interrupted; what was downloaded is kept, the next pull goes on from there";
  return new DevboxError("INTERRUPTED", { step: `pull ${familiarName(reference)}`, because, cause });
}
