/**
 * Directories that the layer needed and did not describe become what is below: they take its metadata, or, where below is
 * a symbolic link to a directory (`lib` → `usr/lib`, say), their content goes to where it leads, as if the layers had been
 * unpacked one over the other.
 */
import { readdirSync, renameSync, rmdirSync, unlinkSync } from "node:fs";
import { lgetxattr, lsetxattr } from "../../../ffi/xattr.ts";
import { type ByteString, byteString } from "../byte-string.ts";
import { opaqueAttribute, opaqueValue } from "../overlay.ts";
import { removeTree } from "../remove.ts";
import { isWhiteout } from "../tree/reach.ts";
import { ensureInLayer, keepTimes, type Settling, takeMetadata } from "./copy-up.ts";
import { join, lookup, type MergedDirectory, pathInTree, resolveDirectory, splitPath, statInTree } from "./merged.ts";

/** In the layer's root, while a directory is between two places. */
const transit = ".devbox-transit";

/** Room for the paths of the trees before it; deeper directories keep what they were made with. */
const maxSettledPath = 3000;

/** `paths` relative to the root, "" for the root itself. */
export function settleParents(settling: Settling, paths: readonly ByteString[]): void {
  const depth = (path: ByteString): number => (path === "" ? 0 : path.split("/").length);
  const near = paths.filter((path) => path.length <= maxSettledPath);
  const merged = new Set<ByteString>();
  for (const path of near.toSorted((a, b) => depth(a) - depth(b)))
    if (!merged.has(path)) settleParent(settling, path, merged);
}

/** `merged` collects directories that became part of another one of the layer, which has its own metadata. */
function settleParent(settling: Settling, path: ByteString, merged: Set<ByteString>): void {
  const { view } = settling;
  if (path === "") {
    if (view.trees.length > 1) takeMetadata(settling, "", 1);
    return;
  }
  const [parentPath, name] = splitPath(path);
  const parent = resolveDirectory(view, parentPath);
  // The parent may have led elsewhere since, and this with it.
  if (parent?.trees[0] !== 0 || !statInTree(view, 0, join(parent.path, name))?.isDirectory()) return;
  const below = lookup(view, parent, name, 1);
  if (below.kind === "directory") takeMetadata(settling, below.directory.path, below.directory.trees[0] ?? 0);
  else if (below.kind === "other" && below.stats.isSymbolicLink())
    followBelow(settling, parent, name, { path, merged });
}

interface Journey {
  /** As the archive names it. */
  readonly path: ByteString;
  readonly merged: Set<ByteString>;
}

function followBelow(settling: Settling, parent: MergedDirectory, name: ByteString, journey: Journey): void {
  const { view } = settling;
  const from = pathInTree(view, 0, join(parent.path, name));
  const aside = pathInTree(view, 0, transit);
  keepTimes(settling, parent.path);
  keepTimes(settling, "");
  // Out of the way, so that the path means what it means below.
  renameSync(from, aside);
  const destination = resolveDirectory(view, join(parent.path, name));
  if (destination === undefined) {
    renameSync(aside, from);
    return;
  }
  moveInto(settling, transit, ensureInLayer(settling, destination), journey);
}

/** Move what is in the directory `source` of the layer into `destination`, then remove it. */
function moveInto(settling: Settling, source: ByteString, destination: MergedDirectory, journey: Journey): void {
  const { view } = settling;
  const from = pathInTree(view, 0, source);
  keepTimes(settling, destination.path);
  if (lgetxattr(from, opaqueAttribute) !== undefined) setOpaque(settling, destination.path);
  for (const entry of readdirSync(from, { encoding: "buffer" })) {
    const name = byteString(entry);
    const next = { path: join(journey.path, name), merged: journey.merged };
    moveEntry(settling, join(source, name), destination, name, next);
  }
  rmdirSync(from);
}

function moveEntry(
  settling: Settling,
  source: ByteString,
  destination: MergedDirectory,
  name: ByteString,
  journey: Journey,
): void {
  const { view } = settling;
  const target = join(destination.path, name);
  const [moving, there] = [statInTree(view, 0, source), statInTree(view, 0, target)];
  if (moving?.isDirectory() && there?.isDirectory()) {
    journey.merged.add(journey.path);
    moveInto(settling, source, { path: target, parent: destination, trees: [0] }, journey);
    return;
  }
  if (moving !== undefined && isWhiteout(moving) && there !== undefined) {
    // It hides what is below; what the layer itself has there does so, too.
    unlinkSync(pathInTree(view, 0, source));
    if (there.isDirectory()) setOpaque(settling, target);
    return;
  }
  if (there !== undefined) removeTree(pathInTree(view, 0, target));
  renameSync(pathInTree(view, 0, source), pathInTree(view, 0, target));
  if (there !== undefined && moving?.isDirectory()) setOpaque(settling, target);
}

function setOpaque({ view }: Settling, path: ByteString): void {
  lsetxattr(pathInTree(view, 0, path), opaqueAttribute, opaqueValue);
}
