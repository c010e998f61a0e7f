/**
 * Paths that the kernel takes. Archives may hold paths longer than PATH_MAX (path_resolution(7)); those are reached by
 * going to their directory and naming the file alone. The process is chrooted into the layer, "/" is its root.
 */
import { closeSync, constants, lstatSync, openSync, type Stats } from "node:fs";
import { O_PATH } from "../../../ffi/constants.ts";
import { fchdir } from "../../../ffi/libc.ts";
import { type ByteString, kernelPath } from "../byte-string.ts";
import type { DirectoryNode, LayerTree } from "./directory.ts";

const openFlags = O_PATH | constants.O_DIRECTORY | constants.O_NOFOLLOW;

/** A path for `name` in `directory`; valid until the next call for another directory. */
export function pathTo(tree: LayerTree, directory: DirectoryNode, name: ByteString): string | Buffer {
  if (directory.path !== undefined) return kernelPath(`${directory.path}/${name}`);
  enter(tree, directory);
  return kernelPath(name);
}

/** A path for the directory itself. */
export function pathOfDirectory(tree: LayerTree, node: DirectoryNode): string | Buffer {
  return node.parent === undefined ? "/" : pathTo(tree, node.parent, node.name);
}

function enter(tree: LayerTree, directory: DirectoryNode): void {
  const chain: DirectoryNode[] = [];
  let at: DirectoryNode | undefined = directory;
  while (at !== undefined && at !== tree.workingDirectory && at.path === undefined) {
    chain.push(at);
    at = at.parent;
  }
  if (at !== undefined && at !== tree.workingDirectory) go(kernelPath(at.path === "" ? "/" : (at.path ?? "/")));
  for (const node of chain.reverse()) go(kernelPath(node.name));
  tree.workingDirectory = directory;
}

function go(path: string | Buffer): void {
  const fd = openSync(path, openFlags);
  try {
    fchdir(fd);
  } finally {
    closeSync(fd);
  }
}

/** lstat(2), undefined if nothing is there. */
export function statIn(tree: LayerTree, directory: DirectoryNode, name: ByteString): Stats | undefined {
  return lstatSync(pathTo(tree, directory, name), { throwIfNoEntry: false });
}

/** An overlay whiteout is a character device 0:0 (Documentation/filesystems/overlayfs.rst, "whiteouts and opaque directories"). */
export function isWhiteout(stats: Stats): boolean {
  return stats.isCharacterDevice() && stats.rdev === 0;
}
