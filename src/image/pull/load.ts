/** `devbox load`: all images of an archive into the store, under the names that they have there. */
import type { Context } from "../../core/context.ts";
import { DevboxError } from "../../core/errors.ts";
import type { HostFacts } from "../../host/facts.ts";
import type { Digest, Platform } from "../../oci/descriptor.ts";
import { parseManifest } from "../../oci/parse.ts";
import { formatReference } from "../../oci/reference.ts";
import { describeImage, isRestorable, isWhole } from "../../store/images.ts";
import { editEntries, type ImageEntry, readEntries, withNamed } from "../../store/index-file.ts";
import { takeLease } from "../../store/leases.ts";
import type { Store, StoredImage } from "../../store/types.ts";
import { parseImageName } from "../names/image-name.ts";
import { type ArchiveImage, listArchive } from "../sources/archive-images.ts";
import { openInputTree } from "../sources/archive-tree.ts";
import type { FileTree } from "../sources/file-tree.ts";
import { type ArchiveInput, openInput } from "../sources/input-stream.ts";
import { cancellable } from "../workers/cancellable.ts";
import { type BroughtContent, bringContent, refersTo } from "./bring.ts";

export interface LoadedImage {
  /** Full references; empty: it is nameless. */
  readonly names: readonly string[];
  /** Digest of the config: docker's image id. */
  readonly id: Digest;
  /** What its name stands for: of an index, the index. */
  readonly digest: Digest;
  /** Of the manifest. */
  readonly manifest: Digest;
}

export interface LoadOptions {
  /** undefined: this machine's, of an index. */
  readonly platform: Platform | undefined;
}

/**
 * Names are given when all images are there: when one fails, none is named.
 * @throws DevboxError BAD_MANIFEST for what is no image archive; what `pull` throws
 */
export async function loadImages(
  context: Context,
  store: Store,
  facts: HostFacts,
  input: ArchiveInput,
  options: LoadOptions,
): Promise<readonly LoadedImage[]> {
  const hint = "an image layout in a directory is brought by: devbox pull oci:DIR";
  using tree = await openInputTree(context, store, openInput(input, { directoryHint: hint }));
  const images = await listArchive(tree);
  if (images.length === 0) {
    throw new DevboxError("BAD_MANIFEST", { step: `load ${tree.label}`, because: "there is no image in it" });
  }
  using held = new DisposableStack();
  const brought: Brought[] = [];
  for (const each of images) {
    context.signal.throwIfAborted();
    const names = namesOf(context, each, tree.label);
    const content =
      (await leaseKnown(context, store, each)) ?? (await bring(context, store, facts, each, tree, options));
    brought.push({ names, image: held.use(content).image });
  }
  await editEntries(context, store, (entries) => brought.reduce(nameOne, entries));
  return brought.map(({ names, image }) => ({
    names,
    id: image.manifest.config.digest,
    digest: image.topDigest,
    manifest: image.manifestDescriptor.digest,
  }));
}

interface Brought {
  readonly names: readonly string[];
  readonly image: StoredImage;
}

async function bring(
  context: Context,
  store: Store,
  facts: HostFacts,
  { source, names }: ArchiveImage,
  { label }: FileTree,
  { platform }: LoadOptions,
): Promise<BroughtContent> {
  // Its only use is in messages: nothing is named by it.
  const reference = { kind: "oci-archive", path: label, ref: names[0] } as const;
  const work = { ...cancellable(context), store, facts, source };
  return await bringContent(work, { reference, top: undefined, platform });
}

/**
 * The same image, as it came from a registry: docker's archives keep neither its manifest nor its compressed layers, and with
 * those that are here it can be pushed as it was.
 */
async function leaseKnown(
  context: Context,
  store: Store,
  { source, hasManifest }: ArchiveImage,
): Promise<BroughtContent | undefined> {
  if (hasManifest) return undefined;
  const { descriptor, bytes } = await source.fetchManifest(undefined);
  const id = parseManifest(bytes, descriptor.mediaType).config.digest;
  const image = readEntries(store)
    .map((entry) => describe(store, entry))
    .find((each) => each?.manifest.config.digest === id);
  if (image === undefined) return undefined;
  const lease = await takeLease(context, store, refersTo(image));
  if (isWhole(store, image) && isRestorable(store, image))
    return { image, [Symbol.dispose]: () => lease[Symbol.dispose]() };
  lease[Symbol.dispose]();
  return undefined;
}

/** A damaged image is as good as none: loading brings what is damaged. */
function describe(store: Store, entry: ImageEntry): StoredImage | undefined {
  const nameless = { kind: "oci", path: store.images, ref: undefined } as const;
  try {
    return describeImage(store, entry, nameless, undefined);
  } catch {
    return undefined;
  }
}

function nameOne(entries: readonly ImageEntry[], { names, image }: Brought): readonly ImageEntry[] {
  const { topDigest, manifestDescriptor: descriptor } = image;
  return (names.length === 0 ? [undefined] : names).reduce<readonly ImageEntry[]>(
    (all, name) => withNamed(all, { name, topDigest, descriptor }),
    entries,
  );
}

/** What is no reference cannot be typed either: the image is there by its id. */
function namesOf({ log }: Context, { names }: ArchiveImage, label: string): readonly string[] {
  return names.flatMap((name) => {
    try {
      return [formatReference(parseImageName(name))];
    } catch (error) {
      if (!(error instanceof DevboxError) || error.code !== "BAD_REFERENCE") throw error;
      log.warn(`${label}: the name ${JSON.stringify(name)} is left out: ${error.because}`);
      return [];
    }
  });
}
