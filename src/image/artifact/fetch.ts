/** Artifacts on their way in: the manifest, and its files as streams. */

import type { Context } from "../../core/context.ts";
import { DevboxError } from "../../core/errors.ts";
import { once } from "../../core/streams.ts";
import { type ArtifactFile, artifactFiles } from "../../oci/artifact.ts";
import type { Descriptor, Platform } from "../../oci/descriptor.ts";
import type { Manifest } from "../../oci/image.ts";
import { parseAnyManifest } from "../../oci/parse.ts";
import { hostPlatform, selectPlatform } from "../../oci/platform.ts";
import { familiarName, type Reference } from "../../oci/reference.ts";
import { embeddedContent } from "../../oci/verify.ts";
import type { RegistryAccess } from "../../registry/access.ts";
import type { Store } from "../../store/types.ts";
import { verified } from "../copy/verified.ts";
import { openSource } from "../sources/open-source.ts";
import type { FetchedManifest, ImageSource } from "../sources/source.ts";
import { cancellable } from "../workers/cancellable.ts";

export interface ArtifactOptions extends RegistryAccess {
  /** Of an index; undefined: this machine's. */
  readonly platform: Platform | undefined;
}

export interface Artifact extends AsyncDisposable {
  readonly descriptor: Descriptor;
  readonly manifest: Manifest;
  /** Of the manifest, as they were sent. */
  readonly bytes: Uint8Array;
  readonly files: readonly ArtifactFile[];
  /**
   * The content of a file or of the config, to be iterated once. Verified: it throws before its end where the bytes are not
   * what the descriptor says, so a reader that comes to the end has the right ones.
   * @throws DevboxError SIZE_MISMATCH, DIGEST_MISMATCH, and what the source throws
   */
  read(descriptor: Descriptor): AsyncIterable<Uint8Array>;
  /** What is being read ends with an error, and nothing more is read. */
  cancel(reason: unknown): void;
}

/** An index may list indexes; as for images, see resolve.ts. */
const maxDepth = 4;

/**
 * Nothing of it is stored.
 * @param store for the temporary files of packed archives
 * @param reference with an absolute path, if any
 * @throws DevboxError BAD_MANIFEST where its files have hostile names; NO_MATCHING_PLATFORM; what the source throws
 */
export async function fetchArtifact(
  context: Context,
  store: Store,
  reference: Reference,
  { platform, ...access }: ArtifactOptions,
): Promise<Artifact> {
  await using held = new AsyncDisposableStack();
  const inner = cancellable(context);
  const source = held.use(await openSource(inner.context, store, reference, access));
  const { descriptor, bytes, manifest } = await findManifest(source, platform ?? hostPlatform(), reference);
  const files = artifactFiles(manifest);
  const owned = held.move();
  return {
    descriptor,
    manifest,
    bytes,
    files,
    read: (wanted) => content(inner.context, source, wanted),
    cancel: inner.cancel,
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

/** What the reference names, whatever it is: an index too, unless a platform of it is asked for. */
export async function fetchDocument(
  context: Context,
  store: Store,
  reference: Reference,
  { platform, ...access }: ArtifactOptions,
): Promise<FetchedManifest> {
  await using source = await openSource(context, store, reference, access);
  return platform === undefined
    ? await source.fetchManifest(undefined)
    : await findManifest(source, platform, reference);
}

async function findManifest(source: ImageSource, platform: Platform, reference: Reference) {
  const name = familiarName(reference);
  let wanted: Descriptor | undefined;
  for (let depth = 0; depth < maxDepth; depth++) {
    const { descriptor, bytes } = await source.fetchManifest(wanted);
    const document = parseAnyManifest(bytes, descriptor.mediaType, `read the manifest of ${name}`);
    if (document.kind === "manifest") {
      const { mediaType } = document.manifest;
      const { digest, size } = descriptor;
      return { descriptor: { mediaType, digest, size }, bytes, manifest: document.manifest };
    }
    wanted = selectPlatform(document.index, platform, name);
  }
  const because = `indexes are nested more than ${maxDepth} deep`;
  throw new DevboxError("BAD_MANIFEST", { step: `read the index of ${name}`, because });
}

async function* content(context: Context, source: ImageSource, wanted: Descriptor): AsyncGenerator<Uint8Array> {
  const embedded = embeddedContent(wanted);
  const stream = embedded === undefined ? (await source.fetchBlob(wanted, { offset: 0 })).stream : once(embedded);
  for await (const chunk of verified(stream, wanted, `fetch ${wanted.digest}`)) {
    context.signal.throwIfAborted();
    yield chunk;
  }
}
