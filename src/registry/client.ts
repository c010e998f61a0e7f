/**
 * The distribution-spec client: manifests, blobs and referrers of one repository, by pull and by push.
 *
 * Promises: what is small comes verified; what is large comes and goes as a stream of bounded memory that survives broken
 * connections; secrets go only to whom they belong, and into no message. Never writes to disk, never parses images.
 */
import type { Context } from "../core/context.ts";
import type { Descriptor, Digest } from "../oci/descriptor.ts";
import { openSession, type RegistryClientOptions } from "./open-session.ts";
import { type BlobRequest, type BlobStream, fetchBlob, fetchSmallBlob } from "./pull/blob.ts";
import { type FetchedManifest, fetchManifest, resolveManifest } from "./pull/manifest.ts";
import type { Pushed, UploadContent, UploadOptions } from "./push/upload.ts";

export type { RegistryClientOptions } from "./open-session.ts";

export interface RegistryClient extends AsyncDisposable {
  /** The descriptor of a tag or digest, without its content: one HEAD as a rule. */
  resolve(tagOrDigest: string): Promise<Descriptor>;
  /** A manifest or index of at most 4 MiB, verified. */
  fetchManifest(wanted: string | Descriptor): Promise<FetchedManifest>;
  /** A stream that resumes by itself; its digest is for the reader to verify. */
  fetchBlob(descriptor: Descriptor, request?: BlobRequest): Promise<BlobStream>;
  /** A blob of at most `maxBytes` (4 MiB), verified. */
  fetchSmallBlob(descriptor: Descriptor, maxBytes?: number): Promise<Uint8Array>;
  /** Is the blob in this repository? One HEAD. */
  hasBlob(descriptor: Descriptor): Promise<boolean>;
  /**
   * See to it that the blob is in this repository. Wants `access: "push"`.
   * @throws DIGEST_MISMATCH, SIZE_MISMATCH where the content is not what its descriptor says; nothing is stored then.
   */
  pushBlob(content: UploadContent, options?: UploadOptions): Promise<Pushed>;
  /**
   * Store a manifest or index whose blobs and manifests are there. Wants `access: "push"`.
   * `subject`: the registry lists it among the referrers of its subject; false: `putReferrersTag` is for the caller to call.
   */
  putManifest(
    tagOrDigest: string,
    bytes: Uint8Array,
    mediaType: string,
  ): Promise<{ readonly digest: Digest; readonly subject: boolean }>;
  /** Manifests that name `subject` as theirs, by the referrers API or its tag; of one artifact type where that is given. */
  referrers(subject: Digest, artifactType?: string): Promise<readonly Descriptor[]>;
  /** Add to the tag that lists the referrers of `subject` where a registry has no API for it. Wants `access: "push"`. */
  putReferrersTag(subject: Digest, referrer: Descriptor): Promise<void>;
  /** All tags of this repository. */
  listTags(): Promise<readonly string[]>;
  /** Ends the connections, and with them what is under way. */
  close(): Promise<void>;
}

const SMALL_BLOB_BYTES = 4 * 1024 * 1024;

/** A client for one repository. Nothing is sent, and undici not loaded, before the first request. */
export function createRegistryClient(context: Context, options: RegistryClientOptions): RegistryClient {
  const { session, close } = openSession(context, options);
  return {
    resolve: (tagOrDigest) => resolveManifest(session, tagOrDigest),
    fetchManifest: (wanted) => fetchManifest(session, wanted),
    fetchBlob: (descriptor, request = { offset: 0 }) => fetchBlob(session, descriptor, request),
    fetchSmallBlob: (descriptor, maxBytes = SMALL_BLOB_BYTES) => fetchSmallBlob(session, descriptor, maxBytes),
    hasBlob: async (descriptor) => (await import("./push/upload-session.ts")).hasBlob(session, descriptor),
    pushBlob: async (content, options = {}) => (await import("./push/upload.ts")).pushBlob(session, content, options),
    putManifest: async (tagOrDigest, bytes, mediaType) =>
      (await import("./push/push-manifest.ts")).putManifest(session, tagOrDigest, bytes, mediaType),
    referrers: async (subject, artifactType) =>
      (await import("./referrers/referrers.ts")).listReferrers(session, subject, artifactType),
    putReferrersTag: async (subject, referrer) =>
      (await import("./referrers/referrers-tag.ts")).putReferrersTag(session, subject, referrer),
    listTags: async () => (await import("./referrers/tags.ts")).listTags(session),
    close,
    [Symbol.asyncDispose]: close,
  };
}
