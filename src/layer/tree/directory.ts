/**
 * The directories of a layer under construction, in memory: which exist, what the archive said of them. The rest (files,
 * links, whiteouts) is only on disk. All real directories are here, so whatever else stands in a path is no directory.
 */
import type { ByteString } from "../byte-string.ts";
import type { TarEntry } from "../tar/entry.ts";

export interface DirectoryNode {
  readonly parent: DirectoryNode | undefined;
  readonly name: ByteString;
  /** Absolute within the layer, "" for the root; undefined where it would be too long for the kernel (see reach.ts). */
  readonly path: ByteString | undefined;
  readonly children: Map<ByteString, DirectoryNode>;
  /** The archive's own entry, the last one; undefined: the directory was only needed by others. */
  entry: TarEntry | undefined;
  /** Nothing of the layers below shows in it. */
  opaque: boolean;
  /** It takes the place of what the layers below have there, so it inherits nothing from a directory of theirs. */
  fresh: boolean;
  /** Hard links in it that wait for the layers below, by name. */
  links: Map<ByteString, PendingLink> | undefined;
  removed: boolean;
}

/** A hard link whose target this layer did not have when the link came. */
export interface PendingLink {
  readonly directory: DirectoryNode;
  readonly name: ByteString;
  /** Cleaned, relative to the root. */
  readonly target: ByteString;
  /** A later entry took its place. */
  replaced: boolean;
}

export interface Whiteout {
  readonly directory: DirectoryNode;
  readonly name: ByteString;
}

/** Everything known about the layer under construction. */
export interface LayerTree {
  readonly root: DirectoryNode;
  readonly links: PendingLink[];
  readonly whiteouts: Whiteout[];
  /** The last directory that was looked up by its path: entries come directory by directory. */
  lastLookup: { readonly path: ByteString; readonly node: DirectoryNode } | undefined;
  /** Where the process stands, if it had to go there for a long path. */
  workingDirectory: DirectoryNode | undefined;
}

/** Room for a name of 255 bytes within PATH_MAX (4096). */
const maxDirectoryPath = 3800;

export function createLayerTree(): LayerTree {
  const root = newNode(undefined, "");
  return { root, links: [], whiteouts: [], lastLookup: undefined, workingDirectory: undefined };
}

export function addDirectory(parent: DirectoryNode, name: ByteString): DirectoryNode {
  const node = newNode(parent, name);
  parent.children.set(name, node);
  return node;
}

function newNode(parent: DirectoryNode | undefined, name: ByteString): DirectoryNode {
  const path = parent === undefined ? "" : parent.path === undefined ? undefined : `${parent.path}/${name}`;
  return {
    parent,
    name,
    path: path !== undefined && path.length > maxDirectoryPath ? undefined : path,
    children: new Map(),
    entry: undefined,
    opaque: false,
    fresh: false,
    links: undefined,
    removed: false,
  };
}

/** Take a directory out of the picture, with all in it. */
export function forgetDirectory(tree: LayerTree, node: DirectoryNode): void {
  node.parent?.children.delete(node.name);
  node.removed = true;
  tree.lastLookup = undefined;
  tree.workingDirectory = undefined;
}

export function isAttached(node: DirectoryNode): boolean {
  for (let at: DirectoryNode | undefined = node; at !== undefined; at = at.parent) if (at.removed) return false;
  return true;
}

/** Path relative to the root without leading slash, however long; "" for the root itself. */
export function fullPath(node: DirectoryNode): ByteString {
  const names: ByteString[] = [];
  for (let at = node; at.parent !== undefined; at = at.parent) names.push(at.name);
  return names.reverse().join("/");
}

/** Every directory, parents first. Iterative: a hostile archive may be deeper than the stack. */
export function* eachDirectory(tree: LayerTree): Generator<DirectoryNode> {
  const waiting = [tree.root];
  for (let node = waiting.pop(); node !== undefined; node = waiting.pop()) {
    yield node;
    for (const child of node.children.values()) waiting.push(child);
  }
}
