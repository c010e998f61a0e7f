/** The end of a layer: directories get their metadata, and what needs the layers below is written down. */
import { chmodSync } from "node:fs";
import { lchown } from "../../../ffi/libc.ts";
import { lremovexattr, lsetxattr } from "../../../ffi/xattr.ts";
import { DevboxError, errnoName } from "../../core/errors.ts";
import { type ByteString, toBase64 } from "../byte-string.ts";
import type { Notes } from "../notes.ts";
import { opaqueAttribute, opaqueValue } from "../overlay.ts";
import type { Pending } from "../protocol.ts";
import {
  type DirectoryNode,
  eachDirectory,
  fullPath,
  isAttached,
  type LayerTree,
  type PendingLink,
} from "./directory.ts";
import { findDirectory, impliedMode, impliedTime } from "./lookup.ts";
import { applyMetadata, setTimes } from "./metadata.ts";
import { isWhiteout, pathOfDirectory, statIn } from "./reach.ts";

const defaultAcl = "system.posix_acl_default";

/** The root as every layer begins, whatever it inherited from the directory that the store lies in (acl(5), setgid). */
export function prepareRoot(): void {
  try {
    lremovexattr("/", defaultAcl);
  } catch (error) {
    const errno = errnoName(error);
    if (errno !== "ENODATA" && errno !== "EOPNOTSUPP") throw error;
  }
  lchown("/", 0, 0);
  chmodSync("/", impliedMode);
}

export function finishTree(tree: LayerTree, notes: Notes): Pending {
  const parents: string[] = [];
  for (const node of eachDirectory(tree)) {
    finishDirectory(tree, node, notes);
    if (node.entry === undefined && !node.fresh) parents.push(toBase64(fullPath(node)));
  }
  const whiteouts = tree.whiteouts.filter(({ directory }) => isAttached(directory)).map((one) => toBase64(pathOf(one)));
  if (tree.root.opaque) whiteouts.push("");
  const links = tree.links.filter((link) => !link.replaced && isAttached(link.directory));
  return { parents, links: links.map((link) => describeLink(tree, link)), whiteouts };
}

function finishDirectory(tree: LayerTree, node: DirectoryNode, notes: Notes): void {
  const path = pathOfDirectory(tree, node);
  if (node.opaque && node.parent !== undefined) lsetxattr(path, opaqueAttribute, opaqueValue);
  if (node.entry === undefined) setTimes(path, impliedTime);
  else applyMetadata(path, node.entry, notes);
}

function describeLink(tree: LayerTree, link: PendingLink): Pending["links"][number] {
  return { path: toBase64(pathOf(link)), target: toBase64(link.target), below: hasOwnTarget(tree, link.target) };
}

/** Something of this layer stands at the target, or in the way to it, since the link came. */
function hasOwnTarget(tree: LayerTree, target: ByteString): boolean {
  const slash = target.lastIndexOf("/");
  try {
    const directory = findDirectory(tree, slash === -1 ? "" : target.slice(0, slash));
    const stats = directory === undefined ? undefined : statIn(tree, directory, target.slice(slash + 1));
    return stats !== undefined && !isWhiteout(stats);
  } catch (error) {
    if (error instanceof DevboxError) return true;
    throw error;
  }
}

function pathOf({ directory, name }: Pick<PendingLink, "directory" | "name">): string {
  const parent = fullPath(directory);
  return parent === "" ? name : `${parent}/${name}`;
}
