/**
 * Bring an image into the store:
 *
 *     name ─resolve→ manifest ─choose platform→ manifest, config ─lease→ layers (pull-layers.ts) ─name→ index.json
 *
 * An index is kept beside the manifest that was chosen from it: by its bytes, other platforms are found and pushed on.
 */
import type { Context } from "../../core/context.ts";
import { DevboxError } from "../../core/errors.ts";
import type { HostFacts } from "../../host/facts.ts";
import { defaultIdMap } from "../../host/id-map.ts";
import type { Descriptor, Platform } from "../../oci/descriptor.ts";
import { hostPlatform } from "../../oci/platform.ts";
import { familiarName, formatReference, type Reference } from "../../oci/reference.ts";
import { syncDirectory } from "../../store/atomic-write.ts";
import { putBlob, syncBlobs } from "../../store/blobs.ts";
import { makeStoredImage } from "../../store/images.ts";
import { editEntries, withNamed } from "../../store/index-file.ts";
import { takeLease } from "../../store/leases.ts";
import type { Store, StoredImage } from "../../store/types.ts";
import type { ImageSource } from "../sources/source.ts";
import { type Cancellable, cancellable } from "../workers/cancellable.ts";
import { openWorkerPool } from "../workers/open-worker-pool.ts";
import { requirePlatform, warnOfPlatform } from "./check-platform.ts";
import { listIndex, pullBlobs } from "./index.ts";
import { pullLayers } from "./layers.ts";
import { resolveImage } from "./resolve.ts";

export interface BringWork extends Cancellable {
  readonly store: Store;
  readonly facts: HostFacts;
  readonly source: ImageSource;
}

export interface Wanted {
  readonly reference: Reference;
  /** What the reference names, where that has been asked already. */
  readonly top: Descriptor | undefined;
  /** undefined: this machine's, and a warning where there is no choice. */
  readonly platform: Platform | undefined;
  /** Also the blobs of all other platforms of an index, which are not applied. */
  readonly allPlatforms?: boolean;
}

/** @throws DevboxError of every stage; the first failure, when there are several */
export async function bringImage(work: BringWork, wanted: Wanted): Promise<StoredImage> {
  using content = await bringContent(work, wanted);
  const { image } = content;
  const { topDigest, manifestDescriptor: descriptor } = image;
  const entry = { name: formatReference(wanted.reference), topDigest, descriptor };
  await editEntries(work.context, work.store, (entries) => withNamed(entries, entry));
  return image;
}

/** All is in the store, and leased until disposed. */
export interface BroughtContent extends Disposable {
  readonly image: StoredImage;
}

/** As `bringImage`, without a name: of an archive with several images, all get their names or none. */
export async function bringContent(work: BringWork, wanted: Wanted): Promise<BroughtContent> {
  const { reference, top, platform } = wanted;
  const { context, store, source } = work;
  // What no layer can be applied without is asked for before anything is fetched.
  defaultIdMap(work.facts);
  await using pool = openWorkerPool(work.facts);
  // Starting a worker takes as long as asking a registry; without an image here there is work for it in any case.
  if (top === undefined) pool.warm();
  const resolved = await resolveImage(source, top, platform ?? hostPlatform(), familiarName(reference));
  const { indexes, manifestDescriptor, manifest, config, topDigest } = resolved;
  const image = makeStoredImage(reference, manifestDescriptor, topDigest, manifest, config);
  if (platform === undefined) warnOfPlatform(context, image, hostPlatform());
  else requirePlatform(image, platform);
  const [index] = wanted.allPlatforms === true ? indexes : [];
  const others = index === undefined ? { manifests: [], blobs: [] } : await listIndex(source, index);
  const documents = [...indexes, ...others.manifests];
  const { blobs, chainIds } = refersTo(image);
  const all = [
    ...blobs,
    ...[...documents.map(({ descriptor }) => descriptor), ...others.blobs].map(({ digest }) => digest),
  ];
  using held = new DisposableStack();
  held.use(await takeLease(context, store, { blobs: all, chainIds }));
  for (const { descriptor, bytes } of documents) putBlob(store, descriptor.digest, bytes);
  putBlob(store, manifestDescriptor.digest, resolved.manifestBytes);
  putBlob(store, manifest.config.digest, resolved.configBytes);
  await pullLayers({ ...work, pool }, image);
  await pullBlobs(work, others.blobs);
  syncBlobs(store);
  syncDirectory(store.layers);
  const lease = held.move();
  return { image, [Symbol.dispose]: () => lease.dispose() };
}

/**
 * Apply again what is missing of an image whose blobs are all here (`isRestorable`): nothing is asked of a source.
 * @throws DevboxError LAYER_*; IMAGE_NOT_FOUND when a prune was faster
 */
export async function restoreImage(
  context: Context,
  store: Store,
  facts: HostFacts,
  image: StoredImage,
): Promise<void> {
  using _lease = await takeLease(context, store, refersTo(image));
  await using pool = openWorkerPool(facts);
  await pullLayers({ ...cancellable(context), store, pool, source: emptySource(image) }, image);
  syncDirectory(store.layers);
}

/** What its lease names. */
export function refersTo({ manifestDescriptor, manifest, layers }: StoredImage) {
  const blobs = [manifestDescriptor, manifest.config, ...manifest.layers].map(({ digest }) => digest);
  return { blobs, chainIds: layers.map(({ chainId }) => chainId) };
}

/** The source of an image whose content is all here: what is missing after all has been removed meanwhile. */
function emptySource({ reference }: StoredImage): ImageSource {
  const refuse = async (): Promise<never> => {
    const because = "a part of it was removed just now";
    throw new DevboxError("IMAGE_NOT_FOUND", { step: `restore ${familiarName(reference)}`, because });
  };
  return {
    resolve: refuse,
    fetchManifest: refuse,
    fetchSmallBlob: refuse,
    fetchBlob: refuse,
    async [Symbol.asyncDispose]() {},
  };
}
