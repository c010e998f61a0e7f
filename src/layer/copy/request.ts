/**
 * What a copy worker is asked for and answers: one request as JSON on its command line, one reply as a JSON line on a
 * descriptor of its own. Files travel between two workers as a tar archive in a pipe; a worker with both sides in its
 * request needs no pipe.
 */
import type { ErrorCode } from "../../core/errors.ts";

export interface CopyRequest {
  /** Descriptor for the reply. */
  readonly reply: number;
  /** Where the files come from: they go to stdout, or to `to`. */
  readonly from?: PackRequest;
  /** Where they go: they come from stdin, or from `from`. */
  readonly to?: UnpackRequest;
  /** In place of both: what a box has changed, to stdout. */
  readonly changes?: ChangesRequest;
}

interface Place {
  /** Descriptor of the directory that paths are resolved in; left out: this machine's root. */
  readonly root?: number;
  /** Absolute and clean, but for what its end says: `/` a directory is meant, `/.` its content. */
  readonly path: string;
  /** The path as the user knows it, for messages: `web:/etc/hosts`. */
  readonly shown: string;
}

export interface PackRequest extends Place {
  /** A symbolic link as the last part of the path means its target. */
  readonly follow: boolean;
  /** What files have of devbox and of this machine is left out, and devices are devices. */
  readonly asInImage?: true;
}

export interface ChangesRequest {
  /** A changeset (image-spec layer.md), or `KIND PATH` in bytes, each with a NUL behind it. */
  readonly as: "archive" | "list";
  /** Absolute: the directory that an overlay writes to. */
  readonly upper: string;
  /** Absolute: the trees below it, topmost first. */
  readonly lowers: readonly string[];
  /** Where things were mounted in the box: what was made for that is no change of its. */
  readonly mountPoints: readonly string[];
  /** Seconds since the epoch; later times in the archive become this one. */
  readonly latest?: number;
}

export interface UnpackRequest extends Place {
  /**
   * "auto": docker's rules, for an archive with one entry at its top: into the directory that is there, else under the last
   * part of the path. "inside": the path must be a directory, which gets what the archive has.
   */
  readonly into: "auto" | "inside";
  /** Owners of the archive, or all to the box's root, or left as they are made: the caller's. */
  readonly owner: "archive" | "root" | "caller";
  /** Beginnings of the names of extended attributes that are taken over. */
  readonly xattrs: readonly string[];
  /** Take over setuid and setgid. */
  readonly specialBits: boolean;
  /** A directory that is there takes the metadata of the archive's top as well. */
  readonly topMetadata: boolean;
}

export type CopyReply =
  | {
      readonly kind: "done";
      /** What could not be copied as it is, for the user. */
      readonly notes: readonly string[];
    }
  | {
      readonly kind: "failed";
      readonly code: ErrorCode;
      readonly step: string;
      readonly because: string | undefined;
      readonly hint?: string;
      /** The reader of our archive has gone: it knows why. */
      readonly isBrokenPipe: boolean;
    };
