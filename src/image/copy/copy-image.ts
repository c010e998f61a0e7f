/**
 * The copy engine: an image from any source to any destination, without unpacking it.
 *
 *     what the source names ─choose─▶ manifest ─plan─▶ blobs side by side ─▶ manifest, changed only where it must be ─▶ index
 *
 * What is no image (an artifact; image-spec manifest.md "Guidelines for Artifact Usage") is copied as it is.
 */

import type { Context } from "../../core/context.ts";
import { DevboxError } from "../../core/errors.ts";
import { convertIndex, encodeManifest, isImage } from "../../oci/convert.ts";
import type { Descriptor } from "../../oci/descriptor.ts";
import { digestOf } from "../../oci/digest.ts";
import type { Index, Manifest } from "../../oci/image.ts";
import { parseAnyManifest } from "../../oci/parse.ts";
import { parseImageConfig } from "../../oci/parse-config.ts";
import { formatPlatform, hostPlatform, isManifestType, normalizePlatform, selectPlatform } from "../../oci/platform.ts";
import { runsOn } from "../../store/images.ts";
import type { Store } from "../../store/types.ts";
import type { ImageDestination } from "../destinations/destination.ts";
import { fetchConfig } from "../sources/config.ts";
import type { FetchedManifest, ImageSource } from "../sources/source.ts";
import { cancellable } from "../workers/cancellable.ts";
import { createBlobCopier } from "./blob.ts";
import { copyManifest } from "./manifest.ts";
import { type Copied, type CopyOptions, type CopyWork, refuseChange } from "./work.ts";

export type { Copied, CopyOptions } from "./work.ts";

/** An index may list indexes (image-index.md "manifests"); none in the wild goes deeper than two. */
const maxDepth = 4;

/**
 * The caller commits the destination, after the last of its images.
 * @param store for the temporary files of layers that are packed anew
 * @throws DevboxError of both sides, the first failure; NO_MATCHING_PLATFORM; UNSUPPORTED_MEDIA_TYPE what the destination
 *   cannot hold; DIGEST_MISMATCH, SIZE_MISMATCH; INTERRUPTED when the context is cancelled
 */
export async function copyImage(
  context: Context,
  store: Store,
  source: ImageSource,
  destination: ImageDestination,
  options: CopyOptions,
): Promise<Copied> {
  const inner = cancellable(context);
  const blobs = createBlobCopier({ ...inner, source, destination, mountFrom: options.mountFrom });
  const work: CopyWork = { context: inner.context, store, source, destination, options, blobs, documents: new Map() };
  try {
    const top = await source.fetchManifest(undefined);
    const wanted = options.all ? top : await choose(work, top);
    const { mediaType, digest, size } = await copyDocument(work, wanted, options.names, 0);
    return { mediaType, digest, size };
  } catch (error) {
    throw context.signal.aborted ? interrupted(destination, error) : error;
  }
}

/** Through indexes down to the manifest of the platform. */
async function choose(work: CopyWork, top: FetchedManifest): Promise<FetchedManifest> {
  const { source, destination, options } = work;
  let found = top;
  for (let depth = 0; depth < maxDepth; depth++) {
    const document = parseAnyManifest(found.bytes, found.descriptor.mediaType);
    if (document.kind === "manifest") {
      if (found === top) await requirePlatform(work, document.manifest);
      return found;
    }
    const { platform = hostPlatform() } = options;
    const entry = selectPlatform(document.index, platform, `the index for ${destination.label}`);
    found = await source.fetchManifest(entry);
  }
  throw tooDeep(top.descriptor);
}

/** A manifest that no index lists is for what its config says. */
async function requirePlatform({ source, options }: CopyWork, manifest: Manifest): Promise<void> {
  const { platform } = options;
  if (platform === undefined || !isImage(manifest)) return;
  const is = parseImageConfig(await fetchConfig(source, manifest.config));
  if (runsOn(is, platform)) return;
  throw new DevboxError("NO_MATCHING_PLATFORM", {
    step: `choose ${formatPlatform(platform)} from the image`,
    because: `it is there for ${formatPlatform(normalizePlatform(is))} only`,
    hint: "take another tag, or leave --platform out",
  });
}

/** A manifest or index, with all that it lists. */
async function copyDocument(
  work: CopyWork,
  fetched: FetchedManifest,
  names: readonly string[] | undefined,
  depth: number,
): Promise<Copied> {
  const { descriptor, bytes } = fetched;
  const document = parseAnyManifest(bytes, descriptor.mediaType);
  if (document.kind === "manifest") return await copyManifest(work, fetched, document.manifest, names);
  if (depth === maxDepth) throw tooDeep(descriptor);
  if (!work.destination.form.indexes) throw noIndexes(work.destination, document.index);
  return await copyIndex(work, fetched, document.index, names, depth);
}

async function copyIndex(
  work: CopyWork,
  fetched: FetchedManifest,
  index: Index,
  names: readonly string[] | undefined,
  depth: number,
): Promise<Copied> {
  const { context, destination, options, source } = work;
  const listed: Descriptor[] = [];
  for (const entry of index.manifests) {
    context.signal.throwIfAborted();
    // An index may list anything (image-index.md "manifests"); what is no manifest is a blob.
    if (isManifestType(entry.mediaType)) {
      const key = `${entry.mediaType} ${entry.digest} ${entry.size}`;
      const before = work.documents.get(key);
      const copied = before ?? (await copyDocument(work, await source.fetchManifest(entry), undefined, depth + 1));
      work.documents.set(key, copied);
      listed.push(copied.digest === entry.digest ? entry : relisted(entry, copied));
    } else listed.push(await work.blobs.copy(entry));
  }
  const form = options.form ?? (destination.form.manifests === "oci" ? "oci" : undefined);
  const made = form === undefined ? { ...index, manifests: listed } : convertIndex(index, form, listed);
  const isSame = made.mediaType === index.mediaType && listed.every((entry, at) => entry === index.manifests[at]);
  if (!isSame) refuseChange(work, fetched.descriptor, "what it lists is not what it was");
  const bytes = isSame ? fetched.bytes : encodeManifest(made);
  const descriptor = { mediaType: made.mediaType, digest: digestOf(bytes), size: bytes.byteLength };
  await destination.putManifest({ descriptor: isSame ? fetched.descriptor : descriptor, bytes }, names);
  return isSame ? fetched.descriptor : descriptor;
}

/** Its platform and annotations stay; embedded content is that of before. */
function relisted({ data: _, ...entry }: Descriptor, { mediaType, digest, size }: Copied): Descriptor {
  return { ...entry, mediaType, digest, size };
}

function noIndexes({ label }: ImageDestination, { manifests }: Index): DevboxError {
  const platforms = manifests.flatMap(({ platform }) => (platform === undefined ? [] : [formatPlatform(platform)]));
  return new DevboxError("UNSUPPORTED_MEDIA_TYPE", {
    step: `copy all platforms to ${label}`,
    because: "docker's archives hold one platform of an image",
    hint: `copy one of ${platforms.join(", ")} with --platform, or to oci-archive:FILE`,
  });
}

function tooDeep({ digest }: Descriptor): DevboxError {
  const because = `indexes are nested more than ${maxDepth} deep`;
  return new DevboxError("BAD_MANIFEST", { step: `read index ${digest}`, because });
}

function interrupted({ label }: ImageDestination, cause: unknown): DevboxError {
  const because = "interrupted; nothing has got a name there";
  return new DevboxError("INTERRUPTED", { step: `copy to ${label}`, because, cause });
}
