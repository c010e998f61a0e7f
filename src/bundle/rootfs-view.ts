/**
 * Looking into a box's root file system before it is mounted: the merged view of layer directories, by overlayfs' rules
 * (kernel, filesystems/overlayfs.rst "whiteouts and opaque directories"), with symlinks resolved inside the root.
 *
 * Promises: nothing outside the given directories is read, whatever the image's symlinks say. It is a view for
 * /etc/passwd and the like of layers at rest; the tree of a running box is the kernel's to resolve (openat2(2)).
 */
import { closeSync, constants, fstatSync, lstatSync, openSync, readlinkSync, readSync, type Stats } from "node:fs";
import { lgetxattr } from "../../ffi/xattr.ts";
import { DevboxError } from "../core/errors.ts";

/** As in the kernel's path walk (path_resolution(7)). */
const MAX_SYMLINKS = 40;

export interface Found {
  /** On the host; of a merged directory, its topmost part. */
  readonly path: string;
  readonly stat: Stats;
}

interface Directory extends Found {
  /** Its parts in the layers, topmost first. */
  readonly parts: readonly string[];
}

/**
 * What `path` names in the root made of `layers` (absolute, topmost first), symlinks followed; undefined: nothing.
 * @throws the error of lstat(2) or readlink(2); BAD_CONFIG where symlinks go in circles.
 */
export function findInRoot(layers: readonly string[], path: string): Found | undefined {
  const root = directoryOf(layers);
  if (root === undefined) return undefined;
  const walked: Directory[] = [root];
  const ahead = splitReversed(path);
  let symlinks = 0;
  for (let name = ahead.pop(); name !== undefined; name = ahead.pop()) {
    if (name === "..") {
      if (walked.length > 1) walked.pop();
      continue;
    }
    const entry = findEntry(walked.at(-1)?.parts ?? [], name);
    if (entry === undefined) return undefined;
    if ("parts" in entry) {
      walked.push(entry);
    } else if (entry.stat.isSymbolicLink()) {
      symlinks += 1;
      if (symlinks > MAX_SYMLINKS) throw tooManySymlinks(path);
      const target = readlinkSync(entry.path);
      if (target.startsWith("/")) walked.length = 1;
      ahead.push(...splitReversed(target));
    } else {
      return ahead.length === 0 ? entry : undefined;
    }
  }
  return walked.at(-1);
}

function splitReversed(path: string): string[] {
  return path
    .split("/")
    .filter((name) => name !== "" && name !== ".")
    .reverse();
}

function directoryOf(parts: readonly string[]): Directory | undefined {
  const [path] = parts;
  return path === undefined ? undefined : { path, stat: lstatSync(path), parts };
}

/** One name in a merged directory. */
function findEntry(parents: readonly string[], name: string): Found | Directory | undefined {
  let top: Found | undefined;
  const parts: string[] = [];
  for (const parent of parents) {
    const path = `${parent}/${name}`;
    const stat = lstatSync(path, { throwIfNoEntry: false });
    if (stat === undefined) continue;
    if (isWhiteout(stat)) break;
    if (top === undefined && !stat.isDirectory()) return { path, stat };
    // A file below a directory is hidden by it, and so is all below an opaque directory. Opacity is asked only where
    // a layer below has the name too.
    const above = parts.at(-1);
    if (!stat.isDirectory() || (above !== undefined && isOpaque(above))) break;
    top ??= { path, stat };
    parts.push(path);
  }
  return top === undefined ? undefined : { ...top, parts };
}

function isWhiteout(stat: Stats): boolean {
  return stat.isCharacterDevice() && stat.rdev === 0;
}

const LETTER_Y = 0x79;

/** The layers are mounted with `userxattr`, so the mark is in user.*, not in trusted.*. */
function isOpaque(path: string): boolean {
  const value = lgetxattr(path, "user.overlay.opaque");
  return value?.length === 1 && value[0] === LETTER_Y;
}

function tooManySymlinks(path: string): DevboxError {
  return new DevboxError("BAD_CONFIG", {
    step: `find ${path} in the image`,
    because: `more than ${MAX_SYMLINKS} symbolic links`,
  });
}

/**
 * The text of a regular file in the root; undefined: there is none.
 * @throws BAD_CONFIG where it is larger than `maxBytes` or cannot be read.
 */
export function readTextInRoot(layers: readonly string[], path: string, maxBytes: number): string | undefined {
  const step = `read ${path} of the image`;
  try {
    const found = findInRoot(layers, path);
    return found?.stat.isFile() === true ? readBounded(found.path, maxBytes, step) : undefined;
  } catch (cause) {
    if (cause instanceof DevboxError) throw cause;
    throw new DevboxError("BAD_CONFIG", { step, cause });
  }
}

function readBounded(path: string, maxBytes: number, step: string): string {
  const descriptor = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    const { size } = fstatSync(descriptor);
    if (size > maxBytes) {
      throw new DevboxError("BAD_CONFIG", { step, because: `it has ${size} bytes; at most ${maxBytes} are accepted` });
    }
    const buffer = Buffer.allocUnsafe(size);
    let filled = 0;
    for (let count = -1; count !== 0 && filled < size; filled += count) {
      count = readSync(descriptor, buffer, filled, size - filled, null);
    }
    return buffer.toString("utf8", 0, filled);
  } finally {
    closeSync(descriptor);
  }
}
