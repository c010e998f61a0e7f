/**
 * From a path of the archive to the directory it means. Symbolic links of the same layer are followed, as they are when
 * an archive is unpacked in order, but always inside the layer's root (umoci, containerd and podman decide so too).
 * Links of the layers below are followed later, in settle.ts.
 */
import { readlinkSync } from "node:fs";
import { DevboxError } from "../../core/errors.ts";
import { type ByteString, byteString, display } from "../byte-string.ts";
import type { DirectoryNode, LayerTree } from "./directory.ts";
import { placeDirectory } from "./place.ts";
import { isWhiteout, pathTo, statIn } from "./reach.ts";

/** As many as the kernel follows (path_resolution(7), MAXSYMLINKS). */
export const maxSymlinks = 40;

/** Mode of directories that an archive needs but does not describe; settle.ts gives them what is below. */
export const impliedMode = 0o755;

/** And their time: fixed, so that the same archive always gives the same tree. */
export const impliedTime = { seconds: 0, nanoseconds: 0 };

/** The directory at the cleaned path `path`; missing ones are made. Throws LAYER_INVALID if a file is in the way. */
export function ensureDirectory(tree: LayerTree, path: ByteString): DirectoryNode {
  if (tree.lastLookup?.path === path) return tree.lastLookup.node;
  const node = walk(tree, path, (parent, name) => placeDirectory(tree, parent, name, impliedMode).node);
  if (node === undefined) throw new DevboxError("INTERNAL", { step: `make ${display(path)}` });
  tree.lastLookup = { path, node };
  return node;
}

/** The directory at the cleaned path `path`, if this layer has it. */
export function findDirectory(tree: LayerTree, path: ByteString): DirectoryNode | undefined {
  return walk(tree, path, () => undefined);
}

type Missing = (parent: DirectoryNode, name: ByteString) => DirectoryNode | undefined;

function walk(tree: LayerTree, path: ByteString, missing: Missing): DirectoryNode | undefined {
  const waiting = path.split("/").reverse();
  let node: DirectoryNode | undefined = tree.root;
  let symlinks = 0;
  for (let name = waiting.pop(); name !== undefined && node !== undefined; name = waiting.pop()) {
    if (name === "" || name === ".") continue;
    if (name === "..") {
      // Only symbolic links bring it here; the parent of the root is the root.
      node = node.parent ?? node;
      continue;
    }
    const child: DirectoryNode | undefined = node.children.get(name);
    if (child !== undefined) {
      node = child;
      continue;
    }
    const target = symlinkTarget(tree, node, name, path);
    if (target === undefined) {
      node = missing(node, name);
      continue;
    }
    if (++symlinks > maxSymlinks) throw blocked(path, "too many symbolic links lead to it");
    if (target.startsWith("/")) node = tree.root;
    waiting.push(...target.split("/").reverse());
  }
  return node;
}

/** Where the symbolic link at `name` leads; undefined: nothing of this layer is there. Anything else is in the way. */
function symlinkTarget(
  tree: LayerTree,
  directory: DirectoryNode,
  name: ByteString,
  path: ByteString,
): ByteString | undefined {
  const stats = statIn(tree, directory, name);
  if (stats === undefined || isWhiteout(stats)) return undefined;
  if (!stats.isSymbolicLink()) throw blocked(path, `${display(name)} in it is not a directory`);
  return byteString(readlinkSync(pathTo(tree, directory, name), { encoding: "buffer" }));
}

function blocked(path: ByteString, because: string): DevboxError {
  return new DevboxError("LAYER_INVALID", { step: `in ${display(path)}`, because });
}
