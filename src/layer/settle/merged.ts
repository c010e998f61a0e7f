/**
 * A layer and the layers below it as one tree, as overlayfs would show it: read directly, without a mount.
 * Tree 0 is the layer that is being settled; the others follow, topmost first.
 */
import { lstatSync, readlinkSync, type Stats } from "node:fs";
import { lgetxattr } from "../../../ffi/xattr.ts";
import { type ByteString, byteString, kernelPath } from "../byte-string.ts";
import { opaqueAttribute } from "../overlay.ts";
import { maxSymlinks } from "../tree/lookup.ts";
import { isWhiteout } from "../tree/reach.ts";

export interface MergedView {
  /** Absolute paths. */
  readonly trees: readonly ByteString[];
}

/** A directory that one or more trees have at the same path. */
export interface MergedDirectory {
  /** Relative, free of symbolic links, "" for the root. */
  readonly path: ByteString;
  readonly parent: MergedDirectory | undefined;
  /** Indexes of the trees that show in it, topmost first; empty: it is not there yet. */
  readonly trees: readonly number[];
}

export type Found =
  | { readonly kind: "absent" }
  | { readonly kind: "directory"; readonly directory: MergedDirectory }
  | { readonly kind: "other"; readonly tree: number; readonly stats: Stats };

export function rootOf(view: MergedView): MergedDirectory {
  return { path: "", parent: undefined, trees: view.trees.map((_, index) => index) };
}

export function join(directory: ByteString, name: ByteString): ByteString {
  return directory === "" ? name : `${directory}/${name}`;
}

/** Where a tree has a path. Every component before the last must be known to be a directory. */
export function pathInTree(view: MergedView, tree: number, path: ByteString): string | Buffer {
  return kernelPath(`${view.trees[tree] ?? ""}/${path}`);
}

export function statInTree(view: MergedView, tree: number, path: ByteString): Stats | undefined {
  return lstatSync(pathInTree(view, tree, path), { throwIfNoEntry: false });
}

/** What a name shows; `from` 1: below the layer that is being settled. */
export function lookup(view: MergedView, directory: MergedDirectory, name: ByteString, from: 0 | 1): Found {
  const path = join(directory.path, name);
  const trees: number[] = [];
  for (const tree of directory.trees) {
    if (tree < from) continue;
    const stats = statInTree(view, tree, path);
    if (stats === undefined) continue;
    if (!stats.isDirectory()) {
      if (trees.length === 0 && !isWhiteout(stats)) return { kind: "other", tree, stats };
      break;
    }
    trees.push(tree);
    if (lgetxattr(pathInTree(view, tree, path), opaqueAttribute) !== undefined) break;
  }
  return trees.length === 0 ? { kind: "absent" } : { kind: "directory", directory: { path, parent: directory, trees } };
}

/**
 * The directory that a path means, symbolic links followed within the root; what is missing comes as a directory without
 * trees. undefined: a file or a loop of links is in the way.
 */
export function resolveDirectory(view: MergedView, path: ByteString): MergedDirectory | undefined {
  const waiting = path.split("/").reverse();
  let at = rootOf(view);
  let symlinks = 0;
  for (let name = waiting.pop(); name !== undefined; name = waiting.pop()) {
    if (name === "" || name === ".") continue;
    if (name === "..") {
      at = at.parent ?? at;
      continue;
    }
    const found = lookup(view, at, name, 0);
    if (found.kind === "directory") at = found.directory;
    else if (found.kind === "absent") at = { path: join(at.path, name), parent: at, trees: [] };
    else if (!found.stats.isSymbolicLink() || ++symlinks > maxSymlinks) return undefined;
    else {
      const link = pathInTree(view, found.tree, join(at.path, name));
      const target = byteString(readlinkSync(link, { encoding: "buffer" }));
      if (target.startsWith("/")) at = rootOf(view);
      waiting.push(...target.split("/").reverse());
    }
  }
  return at;
}

/** `a/b/c` → [`a/b`, `c`]. */
export function splitPath(path: ByteString): readonly [ByteString, ByteString] {
  const slash = path.lastIndexOf("/");
  return slash === -1 ? ["", path] : [path.slice(0, slash), path.slice(slash + 1)];
}
