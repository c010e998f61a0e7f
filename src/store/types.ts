/** The store as plain data; the functions stand beside. */

import type { Descriptor, Digest } from "../oci/descriptor.ts";
import type { ImageConfig, Manifest } from "../oci/image.ts";
import type { Reference } from "../oci/reference.ts";

/** Where everything lies: `$DEVBOX_STORE`, else `$XDG_DATA_HOME/devbox`, else `~/.local/share/devbox`. */
export interface Store {
  /** Absolute, real path; the paths below lie in it. */
  readonly root: string;
  /** OCI image layout. */
  readonly images: string;
  readonly layers: string;
  readonly boxes: string;
  /** Downloads under way, kept across runs to resume. */
  readonly ingest: string;
  readonly locks: string;
}

/** An applied layer on disk. */
export interface StoredLayer {
  readonly chainId: Digest;
  readonly diffId: Digest;
  /** Relative to `Store.root`, free of characters that overlayfs would need escaped: `store/layers/<hex>/fs`. */
  readonly path: string;
}

/** An image whose blobs and layers are all there, ready to run. */
export interface StoredImage {
  readonly reference: Reference;
  /** The image manifest of the chosen platform. */
  readonly manifestDescriptor: Descriptor;
  /** What the registry answered for the reference: differs from the manifest's when that is an index. */
  readonly topDigest: Digest;
  readonly manifest: Manifest;
  readonly config: ImageConfig;
  /** Base first, as in the manifest. */
  readonly layers: readonly StoredLayer[];
}

/** A box on disk: `boxes/<id>/`. */
export interface BoxPaths {
  readonly id: string;
  /** Absolute. */
  readonly directory: string;
  readonly config: string;
  readonly state: string;
  /** Held with flock for as long as the box's supervisor lives: whoever gets it knows that the box is dead. */
  readonly lock: string;
}

/** `boxes/<id>/state.json`. */
export interface BoxRecord {
  readonly version: 1;
  readonly id: string;
  readonly name: string;
  readonly image: string;
  /** Not for a box on a directory of the host. */
  readonly manifestDigest?: Digest;
  /** chainIDs of the layers, base first: prune keeps what a box refers to. */
  readonly chainIds: readonly Digest[];
  readonly created: string;
  readonly command: readonly string[];
  readonly labels: Readonly<Record<string, string>>;
  /** Remove the box when it has ended. */
  readonly ephemeral: boolean;
  readonly status: "created" | "running" | "exited";
  /** Host pid of the init process while running. */
  readonly pid?: number;
  /** Wait status as an exit code, once known. */
  readonly exitCode?: number;
}
