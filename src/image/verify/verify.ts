/**
 * `devbox image verify`: whether all of an image is as it was when it was pulled, and if asked, mend what is not.
 *
 *     manifest ─digest→ config ─digest→ blobs of layers ─digest→ apply anew ─compare→ layers on disk
 *
 * A damaged blob is fetched again by its digest, from where a name of the image points; a damaged layer is replaced by the
 * one that was made anew for the comparison. What is whole is not touched, and whoever is interrupted leaves what was there:
 * blobs and layers change places in one step.
 */
import type { Context } from "../../core/context.ts";
import type { HostFacts } from "../../host/facts.ts";
import type { Digest } from "../../oci/descriptor.ts";
import { syncDirectory } from "../../store/atomic-write.ts";
import { syncBlobs } from "../../store/blobs.ts";
import { type ImageEntry, readEntries } from "../../store/index-file.ts";
import { takeLease } from "../../store/leases.ts";
import type { Store } from "../../store/types.ts";
import { entriesOf, findImage } from "../names/find.ts";
import { cancellable } from "../workers/cancellable.ts";
import { emptyTrash } from "../workers/trash.ts";
import { createBlobCheck } from "./blob.ts";
import { type Damage, isMended, type VerifyWork } from "./damage.ts";
import { readDocuments, type VerifiedDocuments } from "./documents.ts";
import { type LayerVerdicts, verifyLayers } from "./layers.ts";
import { openOrigins } from "./origins.ts";

export interface VerifyOptions {
  /** References or ids; empty: every image. */
  readonly images: readonly string[];
  /** Mend what can be mended. */
  readonly repair: boolean;
  /** false: plain http and unverified certificates are accepted where blobs are fetched from. */
  readonly tlsVerify: boolean;
}

export interface VerifiedImage {
  /** All of its names; empty: it has none any more. */
  readonly names: readonly string[];
  /** Of the manifest. */
  readonly digest: Digest;
  /** What was found, also what has been mended. */
  readonly damages: readonly Damage[];
  /** Nothing was found, or all of it was mended. */
  readonly isWhole: boolean;
}

/**
 * One result an image, in the order of the store.
 * @throws DevboxError IMAGE_NOT_FOUND, BAD_REFERENCE; STORE_FULL where a layer cannot be made anew; INTERRUPTED
 */
export async function verifyImages(
  context: Context,
  store: Store,
  facts: HostFacts,
  options: VerifyOptions,
): Promise<readonly VerifiedImage[]> {
  const subjects = chooseSubjects(context, store, options.images);
  const inner = cancellable(context);
  await using origins = openOrigins(inner.context, store, options);
  const work: VerifyWork = { ...inner, store, facts, repair: options.repair, origins };
  const checkBlob = createBlobCheck(work);
  const documents: VerifiedDocuments[] = [];
  for (const entries of subjects) documents.push(await readDocuments(checkBlob, store, entries));
  const layers = await verifyLeased(work, checkBlob, documents);
  if (options.repair) {
    syncBlobs(store);
    syncDirectory(store.layers);
    await emptyTrash(store, facts);
  }
  return documents.map((each) => conclude(each, layers));
}

/** The entries of each image: one manifest may have several names. */
function chooseSubjects({ env }: Context, store: Store, texts: readonly string[]): readonly (readonly ImageEntry[])[] {
  const entries = readEntries(store);
  const chosen = texts.flatMap((text) => entriesOf(findImage(store, entries, text, env)));
  const digests = new Set((texts.length === 0 ? entries : chosen).map(({ descriptor }) => descriptor.digest));
  return [...digests].map((digest) => entries.filter(({ descriptor }) => descriptor.digest === digest));
}

/** What is looked at stays, whatever a prune thinks of it meanwhile. */
async function verifyLeased(
  work: VerifyWork,
  checkBlob: ReturnType<typeof createBlobCheck>,
  documents: readonly VerifiedDocuments[],
): Promise<LayerVerdicts> {
  const blobs = documents.flatMap(({ descriptors }) => descriptors.map(({ digest }) => digest));
  const chainIds = documents.flatMap(({ layers }) => layers.map(({ stored }) => stored.chainId));
  using _lease = await takeLease(work.context, work.store, { blobs, chainIds });
  return await verifyLayers(work, checkBlob, documents);
}

function conclude({ entries, digest, damages, layers }: VerifiedDocuments, verdicts: LayerVerdicts): VerifiedImage {
  const found = layers.flatMap(({ descriptor, stored }) => [
    ...(verdicts.blobs.get(descriptor.digest) ?? []),
    ...(verdicts.layers.get(stored.chainId) ?? []),
  ]);
  // Platforms of an index may have blobs in common.
  const all = [
    ...new Map([...damages, ...found].map((damage) => [`${damage.part} ${damage.digest}`, damage])).values(),
  ];
  return { names: entries.flatMap(({ name }) => name ?? []), digest, damages: all, isWhole: all.every(isMended) };
}
