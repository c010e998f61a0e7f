/**
 * Where the content of an image goes to, for `push`, `save` and `copy`: a registry, or files laid out in one of several
 * ways. The mirror of source.ts.
 *
 * Order: every blob, then the manifests that name it (those of an index before the index), `commit` at last. Nothing has a
 * name before it is whole: an interrupted copy leaves no half tag and no half file.
 */
import type { ProgressTask } from "../../core/context.ts";
import type { Descriptor, Digest } from "../../oci/descriptor.ts";

/** What a destination can hold. The engine (copy-image.ts) makes what is not so into what is. */
export interface DestinationForm {
  /** "oci": docker's media types are rewritten to OCI's (image-spec media-types.md "Compatibility Matrix"). "any": bytes stay. */
  readonly manifests: "any" | "oci";
  /** "plain": layers are stored uncompressed, under their diffIDs (docker save). "any": bytes stay. */
  readonly layers: "any" | "plain";
  /** Layers that come uncompressed are packed on their way: registries are fed from archives. */
  readonly packsPlainLayers: boolean;
  /** Layers that registries may not keep stay where their `urls` say (image-spec layer.md "Non-Distributable Layers"). */
  readonly leavesForeignLayers: boolean;
  /** false: one image, never an index. */
  readonly indexes: boolean;
  /** How many `putBlob` may run at a time. 1: they come in the order of the manifest, so that equal images make equal archives. */
  readonly blobsAtOnce: number;
}

export interface BlobContent {
  readonly descriptor: Descriptor;
  /**
   * The content from `offset` on, or from an earlier offset where its source cannot start in the middle. May be called
   * several times: an upload that broke off goes on. Not verified: the destination verifies, or a registry does.
   */
  open(offset: number): Promise<{ readonly stream: AsyncIterable<Uint8Array>; readonly offset: number }>;
  /** Repositories of the destination's registry that have it, it seems: an upload may be spared (distribution-spec "Mounting"). */
  readonly mountFrom?: readonly string[];
}

export interface ManifestContent {
  readonly descriptor: Descriptor;
  readonly bytes: Uint8Array;
}

export interface ImageDestination extends AsyncDisposable {
  /** For messages: `127.0.0.1:5000/debian:12`, `oci:/path`. */
  readonly label: string;
  readonly form: DestinationForm;
  /** Bytes of a blob that is known to be there already; undefined: `putBlob` finds out. */
  sizeOf(digest: Digest): number | undefined;
  /** @throws DevboxError DIGEST_MISMATCH when the content is not what its descriptor says; what writing throws */
  putBlob(content: BlobContent, task: ProgressTask): Promise<"copied" | "there" | "mounted">;
  /**
   * @param names undefined: it is named by an index only. Else it is what was asked for: a registry tags it as its reference
   * says, archives and layouts list it under `names` (none: without a name).
   */
  putManifest(content: ManifestContent, names: readonly string[] | undefined): Promise<void>;
  /** All is there, of several images too. Disposing without it takes back what can be taken back. */
  commit(): Promise<void>;
}
