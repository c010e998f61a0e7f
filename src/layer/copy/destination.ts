/**
 * Where an archive goes: docker's rules (docker-cp(1)). What is copied into a directory that is there keeps its name;
 * elsewhere it takes the last part of the path, whose directory must be there.
 */
import { fstatSync, lstatSync, mkdirSync, readlinkSync, type Stats } from "node:fs";
import { posix } from "node:path";
import { DevboxError, errnoName } from "../../core/errors.ts";
import { type ByteString, byteString, byteStringOfText, display } from "../byte-string.ts";
import type { TarEntry } from "../tar/entry.ts";
import { nameIn, type Opened, openDirectoryIn, reopen, resolveIn, splitAbsolute } from "./at.ts";
import { inPath } from "./failure.ts";
import type { UnpackRequest } from "./request.ts";

export interface Destination {
  readonly directory: Opened;
  /** The first part of every path in the archive, and what it becomes; undefined: paths stay as they are. */
  readonly rename: { readonly from: ByteString; readonly to: ByteString } | undefined;
  /** `directory` was made for the archive's top, whose metadata it takes. */
  readonly isNew: boolean;
}

/** As many as the kernel follows (path_resolution(7)). */
const maxSymlinks = 40;

/**
 * @param first the entry at the top of the archive
 * @throws DevboxError COPY_FAILED
 */
export function openDestination(root: number, request: UnpackRequest, first: TarEntry): Destination {
  return inPath(`copy to ${request.shown}`, () => {
    const path = byteStringOfText(request.path).replace(/\/\.?$/, "") || "/";
    const mustBeDirectory = request.path.length > 1 && /\/\.?$/.test(request.path);
    const found = request.into === "inside" ? resolveIn(root, path) : findFinal(root, path, request.shown);
    return choose({ root, request, mustBeDirectory }, found, first);
  });
}

interface Choosing {
  readonly root: number;
  readonly request: UnpackRequest;
  readonly mustBeDirectory: boolean;
}

function choose(choosing: Choosing, found: Opened | NamedPlace, first: TarEntry): Destination {
  const { request, mustBeDirectory } = choosing;
  const refuse = (because: string): never => {
    throw new DevboxError("COPY_FAILED", { step: `copy to ${request.shown}`, because });
  };
  if ("fd" in found) {
    using there = found;
    if (fstatSync(there.fd).isDirectory())
      return { directory: reopen(there, "directory"), rename: undefined, isNew: false };
    return refuse("it is not a directory");
  }
  const top = topOf(first.path);
  const { directory, name, stats } = found;
  if (stats?.isDirectory()) {
    using parent = directory;
    return { directory: openDirectoryIn(parent.fd, name), rename: undefined, isNew: false };
  }
  if (stats !== undefined) {
    if (first.type === "directory") return refuse("it is a file, and a directory is to be copied");
    if (mustBeDirectory) return refuse("it is not a directory");
  } else if (mustBeDirectory && first.type !== "directory") {
    return refuse("there is no such directory");
  }
  if (top !== ".") return { directory, rename: { from: top, to: name }, isNew: false };
  using parent = directory;
  mkdirSync(nameIn(parent.fd, name), 0o700);
  return { directory: openDirectoryIn(parent.fd, name), rename: undefined, isNew: true };
}

function topOf(path: ByteString): ByteString {
  return path.split("/").find((part) => part !== "" && part !== ".") === undefined ? "." : firstPart(path);
}

function firstPart(path: ByteString): ByteString {
  const [first = "."] = path.split("/");
  return first;
}

interface NamedPlace {
  readonly directory: Opened;
  readonly name: ByteString;
  /** undefined: nothing is there. */
  readonly stats: Stats | undefined;
}

/** Who copies onto a symbolic link means its target, whether that is there or not. */
function findFinal(root: number, path: ByteString, shown: string): NamedPlace | Opened {
  let wanted = path;
  for (let followed = 0; followed <= maxSymlinks; followed++) {
    if (wanted === "/") return resolveIn(root, "/");
    const { parent, name } = splitAbsolute(wanted);
    const directory = openParent(root, parent, shown);
    const own = nameIn(directory.fd, name);
    const stats = lstatSync(own, { throwIfNoEntry: false });
    if (stats?.isSymbolicLink() !== true) return { directory, name, stats };
    const target = byteString(readlinkSync(own, { encoding: "buffer" }));
    directory[Symbol.dispose]();
    wanted = posix.resolve(parent, target);
  }
  throw new DevboxError("COPY_FAILED", { step: `copy to ${shown}`, because: "too many symbolic links" });
}

function openParent(root: number, parent: ByteString, shown: string): Opened {
  try {
    using found = resolveIn(root, parent);
    return reopen(found, "directory");
  } catch (error) {
    if (errnoName(error) !== "ENOENT") throw error;
    throw new DevboxError("COPY_FAILED", {
      step: `copy to ${shown}`,
      because: `there is no directory ${display(parent)}`,
    });
  }
}
