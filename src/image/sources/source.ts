/**
 * Where the content of an image comes from, for `pull`: a registry, or files laid out in one of several ways.
 */
import type { Descriptor } from "../../oci/descriptor.ts";

export interface FetchedManifest {
  readonly descriptor: Descriptor;
  /** Verified against `descriptor`. */
  readonly bytes: Uint8Array;
}

export interface ImageSource extends AsyncDisposable {
  /** What the reference names now, asked as cheaply as can be. */
  resolve(): Promise<Descriptor>;
  /** The bytes of a manifest or index; undefined: of what the reference names. */
  fetchManifest(wanted: Descriptor | undefined): Promise<FetchedManifest>;
  /** A small blob whole, verified against its descriptor. */
  fetchSmallBlob(descriptor: Descriptor, maxBytes: number): Promise<Uint8Array>;
  /**
   * The content from `offset` on, or from an earlier offset where the source cannot start in the middle. Not verified:
   * the taker hashes it together with what it has.
   */
  fetchBlob(
    descriptor: Descriptor,
    request: { readonly offset: number },
  ): Promise<{ readonly stream: AsyncIterable<Uint8Array>; readonly offset: number }>;
}
