/** Hard links to files of the layers below: the file is brought up into this layer, so that both names are one file. */
import { linkSync, unlinkSync } from "node:fs";
import { DevboxError } from "../../core/errors.ts";
import { type ByteString, display } from "../byte-string.ts";
import { isWhiteout } from "../tree/reach.ts";
import { copyUp, ensureInLayer, keepTimes, type Settling } from "./copy-up.ts";
import { join, lookup, type MergedDirectory, pathInTree, resolveDirectory, splitPath, statInTree } from "./merged.ts";

export interface BelowLink {
  readonly path: ByteString;
  readonly target: ByteString;
  /** The layer has another file at the target. */
  readonly below: boolean;
}

/** Throws LAYER_INVALID if no layer has the target, or if it is a directory. */
export function settleLink(settling: Settling, link: BelowLink): void {
  const { view } = settling;
  const [parentPath, name] = splitPath(link.path);
  const parent = resolveDirectory(view, parentPath);
  if (parent === undefined) throw invalid(link, "a file is in the way");
  ensureInLayer(settling, parent);
  keepTimes(settling, parent.path);
  const path = join(parent.path, name);
  const there = statInTree(view, 0, path);
  // Only what came from another directory (parents.ts) can stand here; it is as good.
  if (there !== undefined && !isWhiteout(there)) return;
  const source = sourceOf(settling, link);
  if (there !== undefined) unlinkSync(pathInTree(view, 0, path));
  if (source.kind === "copy") copyUp(source.from, pathInTree(view, 0, path));
  else linkSync(pathInTree(view, 0, source.path), pathInTree(view, 0, path));
}

/** `link`: the layer has the file at `path` (now). `copy`: the name at which it lies below is another file's, or hidden. */
type Source =
  | { readonly kind: "link"; readonly path: ByteString }
  | { readonly kind: "copy"; readonly from: string | Buffer };

function sourceOf(settling: Settling, link: BelowLink): Source {
  const { view } = settling;
  const [targetParent, targetName] = splitPath(link.target);
  const directory = resolveDirectory(view, targetParent);
  if (directory === undefined) throw invalid(link, "a file is in the way to its target");
  const path = join(directory.path, targetName);
  const own = directory.trees[0] === 0 ? statInTree(view, 0, path) : undefined;
  if (own !== undefined && !isWhiteout(own) && !own.isDirectory() && !link.below) return { kind: "link", path };
  const from = below(settling, link, directory, targetName);
  if (own !== undefined) return { kind: "copy", from };
  ensureInLayer(settling, directory);
  keepTimes(settling, directory.path);
  copyUp(from, pathInTree(view, 0, path));
  return { kind: "link", path };
}

function below({ view }: Settling, link: BelowLink, directory: MergedDirectory, name: ByteString): string | Buffer {
  const found = lookup(view, directory, name, 1);
  if (found.kind === "other") return pathInTree(view, found.tree, join(directory.path, name));
  throw invalid(link, found.kind === "absent" ? "no layer has its target" : "its target is a directory");
}

function invalid(link: BelowLink, because: string): DevboxError {
  return new DevboxError("LAYER_INVALID", { step: `link ${display(link.path)} to ${display(link.target)}`, because });
}
