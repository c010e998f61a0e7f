/**
 * What the pulling process and its apply workers say to each other: JSON, one message a line, on the worker's
 * stdin (requests) and stdout (replies). A worker lives inside the user namespace of the default map, owns no secrets,
 * and handles one request at a time, chrooted into the new layer directory while it applies.
 *
 * The compressed blob is not sent through the pipe: the worker reads the file that the download appends to, as far as
 * it has been told that it is there. So a resumed download and a blob that is already complete are the same case.
 */
import type { Digest } from "../oci/descriptor.ts";

export type Compression = "none" | "gzip" | "zstd";

export type WorkerRequest =
  | {
      readonly kind: "apply";
      /** For error texts: `layer 3 of 7 (sha256:1234…)`. */
      readonly label: string;
      /** The blob or its growing partial file. */
      readonly blob: string;
      readonly compression: Compression;
      /** Existing empty directory that becomes the layer's tree. */
      readonly target: string;
      /** Expected digest of the uncompressed tar; a mismatch is an error. undefined: report what it is. */
      readonly diffId: Digest | undefined;
      /** Whole size of the compressed blob in bytes; undefined: "complete" will tell. */
      readonly sizeBytes: number | undefined;
      /** Uncompressed bytes after which the layer is refused. */
      readonly maxBytes: number;
    }
  /** The first `bytes` of the blob are on disk. Sent while an apply is under way, ascending, at last with sizeBytes. */
  | { readonly kind: "available"; readonly bytes: number }
  /** What has been told as available is all of the blob. Needed only where `sizeBytes` was not known. */
  | { readonly kind: "complete" }
  /** Give the apply under way up; the worker answers "failed" with code INTERRUPTED and stays usable. */
  | { readonly kind: "abort" }
  /** Do what needs the layers below: see `Pending`. `lowers`: trees of the layers below, topmost first. */
  | {
      readonly kind: "settle";
      readonly label: string;
      readonly target: string;
      readonly lowers: readonly string[];
      readonly pending: Pending;
    }
  /** Remove a tree, also where its files belong to mapped ids or its directories are closed to us. */
  | { readonly kind: "remove"; readonly path: string }
  /** Compare the tree of a layer with one that was made anew. At most so many differences are told. */
  | {
      readonly kind: "compare";
      readonly label: string;
      readonly actual: string;
      readonly expected: string;
      readonly most: number;
    }
  /** Let a layer share files with others, see share.ts. Directories of layers: `fs` is in them. */
  | { readonly kind: "share"; readonly label: string; readonly layer: string; readonly others: readonly string[] }
  /** How much room a tree takes on the disk, also where it is closed to the caller. */
  | { readonly kind: "measure"; readonly path: string };

export type WorkerReply =
  | { readonly kind: "ready" }
  | {
      readonly kind: "applied";
      readonly diffId: Digest;
      readonly entries: number;
      /** Uncompressed bytes of the tar stream. */
      readonly bytes: number;
      readonly pending: Pending;
      /** What was not made as the archive says, for `-v`: devices that became empty files. */
      readonly notes: readonly string[];
    }
  | { readonly kind: "settled" }
  | { readonly kind: "removed" }
  | { readonly kind: "shared"; readonly shared: readonly SharedWith[] }
  | { readonly kind: "compared"; readonly differences: readonly TreeDifference[]; readonly count: number }
  | { readonly kind: "measured"; readonly bytes: number }
  | {
      readonly kind: "failed";
      readonly code: string;
      readonly step: string;
      readonly because: string | undefined;
      readonly hint: string | undefined;
    };

/**
 * What could not be done without the layers below, since layers are applied side by side. Paths are base64 of raw bytes,
 * relative to the layer's root.
 * - `parents`: directories made because an entry needed them, though the archive has no entry for them: they take
 *   owner, mode, times and xattrs of the same directory below (and become what is below: a symlink below is followed).
 * - `links`: hard links whose target was not in this layer: the file is brought up from below and linked. `below`: the
 *   layer has got a file of its own at the target later, which is not the one that is meant.
 * - `whiteouts`: what this layer hides. Those that hide nothing are removed, since overlayfs shows whiteouts in directories
 *   that no other layer has. "" stands for the whole root (overlayfs ignores an opaque root).
 *
 * A layer with any of these must be settled, the bottom layer too (with no lowers).
 */
export interface Pending {
  readonly parents: readonly string[];
  readonly links: readonly { readonly path: string; readonly target: string; readonly below: boolean }[];
  readonly whiteouts: readonly string[];
}

/** A path of a layer that is not as its blob says. */
export interface TreeDifference {
  /** Relative to the layer's root, for people; "/" is the root. */
  readonly path: string;
  /** `missing`, `not in the image`, `content, mode 0644, not 0755`. */
  readonly what: string;
}

/** What a layer shares with another one. */
export interface SharedWith {
  /** The directory of the other layer, as it was given. */
  readonly layer: string;
  readonly files: number;
  /** On disk: what the files took. */
  readonly bytes: number;
}
