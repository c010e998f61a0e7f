/** Whether a directory of a box is as the image has it, but for its times. */
import { fstatSync, lstatSync } from "node:fs";
import type { ByteString } from "../byte-string.ts";
import type { Opened } from "../copy/at.ts";
import { isOfImage } from "../copy/image-entry.ts";
import { xattrsOf } from "../copy/pack-entry.ts";
import { type MergedDirectory, type MergedView, pathInTree } from "../settle/merged.ts";

export interface Alike {
  /** Owner, mode and attributes. */
  readonly isAlike: boolean;
  readonly hasSameTime: boolean;
}

/** The third: of the image, which has it in one layer at least. */
export function compareDirectory(view: MergedView, { fd }: Opened, { path, trees }: MergedDirectory): Alike {
  const lower = pathInTree(view, trees[0] ?? 0, path);
  const [is, was] = [fstatSync(fd, { bigint: true }), lstatSync(lower, { bigint: true })];
  const isAlike =
    is.mode === was.mode && is.uid === was.uid && is.gid === was.gid && isEqual(ownXattrs(fd), ownXattrs(lower));
  return { isAlike, hasSameTime: is.mtimeNs === was.mtimeNs };
}

function ownXattrs(file: number | string | Buffer): ReadonlyMap<ByteString, ByteString> {
  return new Map([...xattrsOf(file)].filter(([name]) => isOfImage(name)));
}

function isEqual(a: ReadonlyMap<ByteString, ByteString>, b: ReadonlyMap<ByteString, ByteString>): boolean {
  return a.size === b.size && [...a].every(([name, value]) => b.get(name) === value);
}
