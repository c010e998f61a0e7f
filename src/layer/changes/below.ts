/** What an image shows at a place, to compare a box with: its layers read directly, without a mount. */
import { readdirSync } from "node:fs";
import { type ByteString, byteString } from "../byte-string.ts";
import {
  type Found,
  join,
  lookup,
  type MergedDirectory,
  type MergedView,
  pathInTree,
  statInTree,
} from "../settle/merged.ts";
import { isWhiteout } from "../tree/reach.ts";

/** A directory of the box. */
export interface Below {
  /** The same directory in the image; undefined: the image has none there. */
  readonly directory: MergedDirectory | undefined;
  /** What the image has in it shows through. */
  readonly isMerged: boolean;
}

export function findBelow(view: MergedView, { directory }: Below, name: ByteString): Found {
  return directory === undefined ? { kind: "absent" } : lookup(view, directory, name, 0);
}

/** The names that a directory of the image shows. */
export function namesBelow(view: MergedView, { path, trees }: MergedDirectory): readonly ByteString[] {
  const visible = new Map<ByteString, boolean>();
  for (const tree of trees) {
    for (const entry of readdirSync(pathInTree(view, tree, path), { encoding: "buffer" })) {
      const name = byteString(entry);
      if (visible.has(name)) continue;
      const stats = statInTree(view, tree, join(path, name));
      visible.set(name, stats !== undefined && !isWhiteout(stats));
    }
  }
  return [...visible].flatMap(([name, isVisible]) => (isVisible ? [name] : []));
}
