/**
 * The entries of an archive, one after another, as files below "/", into which the process is chrooted. What the layer says
 * about the layers below is kept in the form that overlayfs understands (whiteouts, opaque directories) or handed to settle.ts.
 */
import { chmodSync, linkSync, symlinkSync } from "node:fs";
import { AT_FDCWD, S_IFIFO } from "../../../ffi/constants.ts";
import { mknodat } from "../../../ffi/libc.ts";
import { lsetxattr } from "../../../ffi/xattr.ts";
import { DevboxError, errnoName } from "../../core/errors.ts";
import { type ByteString, bytesOf, display } from "../byte-string.ts";
import { cleanPath, parseEntryName } from "../entry-name.ts";
import type { Notes } from "../notes.ts";
import { deviceAttribute } from "../overlay.ts";
import type { TarEntry } from "../tar/entry.ts";
import type { TarSink } from "../tar/state.ts";
import type { DirectoryNode, LayerTree, PendingLink } from "./directory.ts";
import { closeFile, type OpenFile, openFile, writeFile } from "./file.ts";
import { ensureDirectory, findDirectory } from "./lookup.ts";
import { applyMetadata } from "./metadata.ts";
import { clear, dropPendingLink, place, placeDirectory } from "./place.ts";
import { isWhiteout, pathTo, statIn } from "./reach.ts";
import { hideBelow } from "./whiteout.ts";

export interface TreeWriter extends TarSink {
  /** Let go of a file that an error left open. */
  abandon(): void;
}

export function createTreeWriter(tree: LayerTree, notes: Notes): TreeWriter {
  let file: OpenFile | undefined;
  return {
    begin: (entry) => {
      file = beginEntry(tree, notes, entry);
    },
    data: (chunk, start, end) => {
      if (file !== undefined) writeFile(file, chunk, start, end);
    },
    end: () => {
      if (file === undefined) return;
      const finished = file;
      file = undefined;
      closeFile(finished);
      applyMetadata(finished.path, finished.entry, notes);
    },
    abandon: () => {
      if (file !== undefined) closeFile(file);
      file = undefined;
    },
  };
}

/** Make what the entry says; a file is returned open, its data follows. */
function beginEntry(tree: LayerTree, notes: Notes, entry: TarEntry): OpenFile | undefined {
  const meaning = parseEntryName(entry.path);
  switch (meaning.kind) {
    case "ignored":
      return undefined;
    case "root":
      describeRoot(tree, entry);
      return undefined;
    case "opaque":
      // Wherever in the archive it stands: it speaks of the layers below only.
      ensureDirectory(tree, meaning.directory).opaque = true;
      return undefined;
    case "whiteout":
      hideBelow(tree, ensureDirectory(tree, meaning.directory), meaning.name);
      return undefined;
    case "plain":
      return makeEntry(tree, notes, entry, ensureDirectory(tree, meaning.directory), meaning.name);
  }
}

function describeRoot(tree: LayerTree, entry: TarEntry): void {
  if (entry.type !== "directory") {
    throw invalid(entry, "the root can only be a directory");
  }
  chmodSync("/", entry.mode & 0o777);
  tree.root.entry = entry;
}

function makeEntry(
  tree: LayerTree,
  notes: Notes,
  entry: TarEntry,
  directory: DirectoryNode,
  name: ByteString,
): OpenFile | undefined {
  switch (entry.type) {
    case "file":
      return place(tree, directory, name, (path) => openFile(path, entry));
    case "directory":
      makeDirectory(tree, entry, directory, name);
      return undefined;
    case "symlink":
      place(tree, directory, name, (path) => symlinkSync(bytesOf(entry.linkTarget), path));
      break;
    case "hardlink":
      makeLink(tree, entry, directory, name);
      return undefined;
    case "fifo":
      place(tree, directory, name, (path) => mknodat(AT_FDCWD, path, S_IFIFO | (entry.mode & 0o777), 0));
      break;
    case "character":
    case "block":
      makeDevice(tree, notes, entry, directory, name);
      break;
  }
  applyMetadata(pathTo(tree, directory, name), entry, notes);
  return undefined;
}

/** Its metadata comes at the end (finish.ts): entries that follow would change its time, and setgid or ACLs change them. */
function makeDirectory(tree: LayerTree, entry: TarEntry, directory: DirectoryNode, name: ByteString): void {
  const { node, made } = placeDirectory(tree, directory, name, entry.mode & 0o777);
  if (!made) chmodSync(pathTo(tree, directory, name), entry.mode & 0o777);
  node.entry = entry;
}

/**
 * A device cannot be made in a user namespace (mknod(2), EPERM), except 0:0, which would be a whiteout to overlayfs and hide
 * a file without the archive saying so. So every device is an empty file that remembers, for whoever writes the tree out again.
 */
function makeDevice(tree: LayerTree, notes: Notes, entry: TarEntry, directory: DirectoryNode, name: ByteString): void {
  const empty: TarEntry = { ...entry, type: "file", sparse: undefined };
  closeFile(place(tree, directory, name, (path) => openFile(path, empty)));
  const device = `${entry.type === "character" ? "c" : "b"} ${entry.deviceMajor}:${entry.deviceMinor}`;
  notes.add("device", `${display(entry.path)}: an empty file stands for the device ${device}`);
  try {
    lsetxattr(pathTo(tree, directory, name), deviceAttribute, Buffer.from(device));
  } catch (error) {
    if (errnoName(error) !== "EOPNOTSUPP") throw error;
  }
}

function makeLink(tree: LayerTree, entry: TarEntry, directory: DirectoryNode, name: ByteString): void {
  const target = cleanPath(entry.linkTarget);
  if (target.startsWith(`${cleanPath(entry.path)}/`))
    throw invalid(entry, "it would replace the directory of its target");
  const slash = target.lastIndexOf("/");
  const targetName = target.slice(slash + 1);
  const targetDirectory =
    targetName === "" ? undefined : findDirectory(tree, slash === -1 ? "" : target.slice(0, slash));
  const stats = targetDirectory === undefined ? undefined : statIn(tree, targetDirectory, targetName);
  if (targetDirectory === undefined || stats === undefined || isWhiteout(stats)) {
    awaitLink(tree, directory, name, target);
    return;
  }
  if (stats.isDirectory()) throw invalid(entry, `${display(target)} is a directory, which cannot be linked`);
  const sameDirectory = targetDirectory === directory;
  if (sameDirectory && targetName === name) return;
  if (!sameDirectory && targetDirectory.path === undefined && directory.path === undefined) {
    throw invalid(entry, "both paths of this hard link are too long");
  }
  // The new path last: going to a deep directory for it leaves an absolute path valid. link(2) follows no symbolic link.
  const existing = pathTo(tree, targetDirectory, targetName);
  place(tree, directory, name, (path) => linkSync(existing, path));
}

/** The target must be in a layer below: remember, and let nothing older stand in its place. */
function awaitLink(tree: LayerTree, directory: DirectoryNode, name: ByteString, target: ByteString): void {
  if (statIn(tree, directory, name) !== undefined) clear(tree, directory, name);
  dropPendingLink(directory, name);
  const link: PendingLink = { directory, name, target, replaced: false };
  directory.links ??= new Map();
  directory.links.set(name, link);
  tree.links.push(link);
}

function invalid(entry: TarEntry, because: string): DevboxError {
  return new DevboxError("LAYER_INVALID", { step: display(entry.path), because });
}
