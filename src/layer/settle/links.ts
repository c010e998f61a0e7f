/** Hard links to files of the layers below: the file is brought up into this layer, so that both names are one file. */
import { linkSync, unlinkSync } from "node:fs";
import { DevboxError } from "../../core/errors.ts";
import { type ByteString, display } from "../byte-string.ts";
import { isWhiteout } from "../tree/reach.ts";
import { copyUp, ensureInLayer, keepTimes, type Settling } from "./copy-up.ts";
import {
  join,
  lookup,
  type MergedDirectory,
  type MergedView,
  pathInTree,
  resolveDirectory,
  splitPath,
  statInTree,
} from "./merged.ts";

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
  else if (source.path !== path) linkSync(pathInTree(view, 0, source.path), pathInTree(view, 0, path));
}

/** `link`: the layer has the file at `path` (now). `copy`: what is at its path in the box is another file, or nothing. */
type Source =
  | { readonly kind: "link"; readonly path: ByteString }
  | { readonly kind: "copy"; readonly from: string | Buffer };

function sourceOf(settling: Settling, link: BelowLink): Source {
  const { view } = settling;
  const visible = link.below ? undefined : find(view, link);
  if (visible === undefined) return { kind: "copy", from: fileBelow(view, link) };
  const { directory, tree, path } = visible;
  if (tree === 0) return { kind: "link", path };
  ensureInLayer(settling, directory);
  keepTimes(settling, directory.path);
  copyUp(pathInTree(view, tree, path), pathInTree(view, 0, path));
  return { kind: "link", path };
}

/** The layer hides its target from itself, which it may: the link was there first. */
function fileBelow(view: MergedView, link: BelowLink): string | Buffer {
  const below: MergedView = { trees: view.trees.slice(1) };
  const found = find(below, link);
  if (found === undefined) throw invalid(link, "no layer has its target");
  return pathInTree(below, found.tree, found.path);
}

interface FoundFile {
  readonly directory: MergedDirectory;
  readonly tree: number;
  readonly path: ByteString;
}

/** The target, as a view shows it; undefined: it does not. */
function find(view: MergedView, link: BelowLink): FoundFile | undefined {
  const [parent, name] = splitPath(link.target);
  const directory = resolveDirectory(view, parent);
  const found = directory === undefined ? undefined : lookup(view, directory, name, 0);
  if (directory === undefined || found === undefined || found.kind === "absent") return undefined;
  if (found.kind === "directory") throw invalid(link, "its target is a directory");
  return { directory, tree: found.tree, path: join(directory.path, name) };
}

function invalid(link: BelowLink, because: string): DevboxError {
  return new DevboxError("LAYER_INVALID", { step: `link ${display(link.path)} to ${display(link.target)}`, because });
}
