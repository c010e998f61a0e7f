/** Putting one thing at a name, whatever was there: in an archive the last entry wins, also over another type. */
import { mkdirSync, unlinkSync } from "node:fs";
import { errnoName } from "../../core/errors.ts";
import type { ByteString } from "../byte-string.ts";
import { removeTree } from "../remove.ts";
import { addDirectory, type DirectoryNode, forgetDirectory, type LayerTree } from "./directory.ts";
import { pathTo } from "./reach.ts";

/** Call `make` with the path for `name`; if something stands there, remove it and call again. `make` must fail with EEXIST. */
export function place<Result>(
  tree: LayerTree,
  directory: DirectoryNode,
  name: ByteString,
  make: (path: string | Buffer) => Result,
): Result {
  dropPendingLink(directory, name);
  const path = pathTo(tree, directory, name);
  try {
    return make(path);
  } catch (error) {
    if (errnoName(error) !== "EEXIST") throw error;
  }
  clear(tree, directory, name);
  return make(pathTo(tree, directory, name));
}

/**
 * The directory at `name`: the one that is there, or a new one. A new one that replaces a file, a link or a whiteout of this
 * very layer is fresh: unpacked one layer after another, whatever the layers below had there would be gone by now.
 */
export function placeDirectory(
  tree: LayerTree,
  parent: DirectoryNode,
  name: ByteString,
  mode: number,
): { readonly node: DirectoryNode; readonly made: boolean } {
  const existing = parent.children.get(name);
  if (existing !== undefined) return { node: existing, made: false };
  let replaces = dropPendingLink(parent, name);
  const path = pathTo(tree, parent, name);
  try {
    mkdirSync(path, mode);
  } catch (error) {
    if (errnoName(error) !== "EEXIST") throw error;
    unlinkSync(path);
    mkdirSync(path, mode);
    replaces = true;
    tree.lastLookup = undefined;
  }
  const node = addDirectory(parent, name);
  if (replaces) makeFresh(node);
  return { node, made: true };
}

/** Remove what stands at `name`. */
export function clear(tree: LayerTree, directory: DirectoryNode, name: ByteString): void {
  const child = directory.children.get(name);
  const path = pathTo(tree, directory, name);
  if (child === undefined) {
    unlinkSync(path);
  } else {
    removeTree(path);
    forgetDirectory(tree, child);
  }
  // A path that led through what is gone may lead elsewhere now.
  tree.lastLookup = undefined;
}

/** The directory stands for itself from now on. */
export function makeFresh(node: DirectoryNode): void {
  node.fresh = true;
  node.opaque = true;
}

/** A link that waits to be made at `name` is not wanted any more; true if there was one. */
export function dropPendingLink(directory: DirectoryNode, name: ByteString): boolean {
  const link = directory.links?.get(name);
  if (link === undefined) return false;
  link.replaced = true;
  directory.links?.delete(name);
  return true;
}
