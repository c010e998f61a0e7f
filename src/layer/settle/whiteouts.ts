/** Whiteouts where they mean something, and only there. */
import { readdirSync, unlinkSync } from "node:fs";
import { AT_FDCWD, S_IFCHR } from "../../../ffi/constants.ts";
import { mknodat } from "../../../ffi/libc.ts";
import { lsetxattr } from "../../../ffi/xattr.ts";
import { type ByteString, byteString } from "../byte-string.ts";
import { opaqueAttribute, opaqueValue } from "../overlay.ts";
import { isWhiteout } from "../tree/reach.ts";
import { keepTimes, type Settling } from "./copy-up.ts";
import { join, lookup, pathInTree, resolveDirectory, rootOf, splitPath, statInTree } from "./merged.ts";

/** Remove the whiteout at `path` if no layer below has what it hides: `ls` would show it where nothing is merged. */
export function settleWhiteout(settling: Settling, path: ByteString): void {
  const { view } = settling;
  const [parentPath, name] = splitPath(path);
  const parent = resolveDirectory(view, parentPath);
  if (parent?.trees[0] !== 0) return;
  const own = join(parent.path, name);
  const stats = statInTree(view, 0, own);
  if (stats === undefined || !isWhiteout(stats) || lookup(view, parent, name, 1).kind !== "absent") return;
  keepTimes(settling, parent.path);
  unlinkSync(pathInTree(view, 0, own));
}

/**
 * Hide everything that the layers below have. overlayfs merges the roots of its layers whatever their attributes say, so an
 * opaque root is spelled out, name by name.
 */
export function hideAllBelow(settling: Settling): void {
  const { view } = settling;
  const root = rootOf(view);
  keepTimes(settling, "");
  for (let tree = 1; tree < view.trees.length; tree++) {
    for (const entry of readdirSync(pathInTree(view, tree, ""), { encoding: "buffer" })) {
      const name = byteString(entry);
      if (lookup(view, root, name, 1).kind === "absent") continue;
      const own = statInTree(view, 0, name);
      if (own === undefined) mknodat(AT_FDCWD, pathInTree(view, 0, name), S_IFCHR, 0);
      else if (own.isDirectory()) lsetxattr(pathInTree(view, 0, name), opaqueAttribute, opaqueValue);
    }
  }
}
