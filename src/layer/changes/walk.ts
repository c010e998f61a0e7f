/**
 * The changes of a box against its image, out of the directory that its overlay writes to: everything in there is a change,
 * so nothing else is walked (Documentation/filesystems/overlayfs.rst). What is there belongs to the box, which may be
 * running: names are looked at from directories that are open, and no symbolic link is followed.
 */
import { type BigIntStats, fstatSync, lstatSync, readdirSync } from "node:fs";
import { fgetxattr } from "../../../ffi/xattr.ts";
import { errnoName } from "../../core/errors.ts";
import { type ByteString, byteString, byteStringOfText, display } from "../byte-string.ts";
import { type Opened, openDirectoryIn } from "../copy/at.ts";
import { inPath } from "../copy/failure.ts";
import { lookAt, type Named } from "../copy/pack-entry.ts";
import type { ChangesRequest } from "../copy/request.ts";
import { opaqueAttribute, opaqueValue } from "../overlay.ts";
import { type Found, join, type MergedDirectory, type MergedView, pathInTree, rootOf } from "../settle/merged.ts";
import { compareDirectory } from "./alike.ts";
import { type Below, findBelow, namesBelow } from "./below.ts";
import { findMountTraces } from "./mount-traces.ts";
import { openUpper } from "./upper.ts";

/** Told of every change: of a directory before what is in it, and of names in the order of their bytes. Paths are relative. */
export interface ChangeVisitor {
  /** `below`: what the image has there. `hidesBelow`: it takes the place of a directory of the image, with all in it. */
  directory(path: ByteString, directory: Opened, below: Found, hidesBelow: boolean): void;
  other(path: ByteString, named: Named, below: () => Found): void;
  /** The image has something there, which is gone. */
  deleted(path: ByteString): void;
  /** The same, where the directory that it was in has been replaced: that says so already. */
  hidden(path: ByteString): void;
}

interface Walk {
  readonly view: MergedView;
  readonly traces: ReadonlySet<ByteString>;
  readonly visitor: ChangeVisitor;
}

/** A directory of the upper one; the root has the path "". */
interface Entered {
  readonly path: ByteString;
  readonly directory: Opened;
  readonly below: Below;
  /** Tells the visitor of it and of those above, once: call before anything in it is told. */
  readonly announce: () => void;
}

/** @throws DevboxError COPY_FAILED naming the path */
export function walkChanges(request: ChangesRequest, visitor: ChangeVisitor): void {
  const view: MergedView = { trees: request.lowers.map(byteStringOfText) };
  // A layer that is missing would look as if the box had made everything.
  for (const tree of request.lowers) lstatSync(tree);
  using top = openUpper(request.upper);
  const traces = findMountTraces(top, view, request.mountPoints);
  const root = rootOf(view);
  const below: Found = { kind: "directory", directory: root };
  const announce = once(() => visitor.directory("", top, below, false));
  // Its time changes when a mount point is made in it, which is no change of the box.
  if (hasOtherMode(view, top)) announce();
  walkDirectory(
    { view, traces, visitor },
    { path: "", directory: top, below: { directory: root, isMerged: true }, announce },
  );
}

function walkDirectory(walk: Walk, entered: Entered): void {
  const names = readdirSync(`/proc/self/fd/${entered.directory.fd}`, { encoding: "buffer" }).map(byteString).sort();
  for (const name of names) {
    const path = join(entered.path, name);
    if (walk.traces.has(path)) continue;
    try {
      inPath(display(`/${path}`), () => visitName(walk, entered, path, name));
    } catch (error) {
      // It was removed between being listed and being looked at.
      if (!(error instanceof Error && errnoName(error.cause) === "ENOENT")) throw error;
    }
  }
  tellHidden(walk, entered, names);
}

function visitName(walk: Walk, entered: Entered, path: ByteString, name: ByteString): void {
  const named = lookAt(entered.directory.fd, name);
  if (named.stats.isDirectory()) {
    using directory = openDirectoryIn(entered.directory.fd, name);
    visitDirectory(walk, entered, path, directory);
  } else if (isWhiteout(named.stats)) {
    // In a directory that is not merged it would hide nothing.
    if (!entered.below.isMerged || findBelow(walk.view, entered.below, name).kind === "absent") return;
    entered.announce();
    walk.visitor.deleted(path);
  } else {
    entered.announce();
    walk.visitor.other(path, named, () => findBelow(walk.view, entered.below, name));
  }
}

function visitDirectory(walk: Walk, entered: Entered, path: ByteString, directory: Opened): void {
  const { view, visitor } = walk;
  const found = findBelow(view, entered.below, path.slice(path.lastIndexOf("/") + 1));
  const isOverBelow = entered.below.isMerged && found.kind === "directory";
  const isMerged = isOverBelow && !isOpaque(directory);
  const announce = once(() => {
    entered.announce();
    visitor.directory(path, directory, found, isOverBelow && !isMerged);
  });
  // What was opened to be written and was not is there as it was, with the directories above it.
  if (found.kind !== "directory" || !isMerged || !isUnchanged(view, directory, found.directory)) announce();
  const below: Below = { directory: found.kind === "directory" ? found.directory : undefined, isMerged };
  walkDirectory(walk, { path, directory, below, announce });
}

/** What the image has in a directory that was replaced, and the new one has not. */
function tellHidden({ view, visitor }: Walk, { path, below }: Entered, names: readonly ByteString[]): void {
  if (below.directory === undefined || below.isMerged) return;
  const own = new Set(names);
  for (const name of namesBelow(view, below.directory)) if (!own.has(name)) visitor.hidden(join(path, name));
}

/** "y" alone: "x" stands for a directory with whiteouts of another form in it, which is merged. */
function isOpaque({ fd }: Opened): boolean {
  const value = fgetxattr(fd, opaqueAttribute);
  return value !== undefined && Buffer.compare(value, opaqueValue) === 0;
}

function isWhiteout(stats: BigIntStats): boolean {
  return stats.isCharacterDevice() && stats.rdev === 0n;
}

function isUnchanged(view: MergedView, directory: Opened, below: MergedDirectory): boolean {
  const { isAlike, hasSameTime } = compareDirectory(view, directory, below);
  return isAlike && hasSameTime;
}

function hasOtherMode(view: MergedView, { fd }: Opened): boolean {
  return view.trees.length > 0 && fstatSync(fd).mode !== lstatSync(pathInTree(view, 0, "")).mode;
}

function once(action: () => void): () => void {
  let isDue = true;
  return () => {
    if (isDue) action();
    isDue = false;
  };
}
