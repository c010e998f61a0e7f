/**
 * A tar archive into a tree: what `cp` puts into a box or onto this machine. Neither the archive nor the tree is trusted:
 * nothing is made or changed outside of the destination, whatever they say, and however the tree changes meanwhile.
 */
import {
  closeSync,
  constants,
  fstatSync,
  ftruncateSync,
  linkSync,
  lstatSync,
  mkdirSync,
  openSync,
  symlinkSync,
  unlinkSync,
  writeSync,
} from "node:fs";
import { S_IFBLK, S_IFCHR, S_IFIFO } from "../../../ffi/constants.ts";
import { lchown, mknodat } from "../../../ffi/libc.ts";
import { DevboxError, errnoName } from "../../core/errors.ts";
import { type ByteString, display, kernelPath } from "../byte-string.ts";
import type { Notes } from "../notes.ts";
import type { TarEntry } from "../tar/entry.ts";
import { createTarReader, type TarReader } from "../tar/reader.ts";
import { type OpenFile, writeFile } from "../tree/file.ts";
import { setTimes } from "../tree/metadata.ts";
import { directoryBelow, nameIn } from "./at.ts";
import { setMetadata, type Taking } from "./attributes.ts";
import { type Destination, openDestination } from "./destination.ts";
import { createDirectoryChain, type DirectoryChain } from "./directory-chain.ts";
import { inPath } from "./failure.ts";
import type { UnpackRequest } from "./request.ts";

interface Unpacking {
  readonly root: number;
  readonly request: UnpackRequest;
  readonly notes: Notes;
  destination: Destination | undefined;
  chain: DirectoryChain | undefined;
  /** Made by us, and owed their metadata at the end. */
  readonly made: { readonly path: ByteString; readonly entry: TarEntry }[];
  file: Writing | undefined;
}

interface Writing {
  readonly fd: number;
  readonly entry: TarEntry;
  readonly path: string | Buffer;
  readonly sparse: OpenFile | undefined;
  position: number;
}

/** To be fed with the archive; `finish` at its end. @throws DevboxError COPY_FAILED, from any call */
export function createUnpacker(root: number, request: UnpackRequest, notes: Notes): TarReader {
  const state: Unpacking = {
    root,
    request,
    notes,
    destination: undefined,
    chain: undefined,
    made: [],
    file: undefined,
  };
  const reader = createTarReader({
    begin: (entry) => inPath(display(entry.path), () => beginEntry(state, entry)),
    data: (chunk, start, end) => writeData(state, chunk, start, end),
    end: () => endFile(state),
  });
  return {
    push: reader.push,
    finish: () => {
      reader.finish();
      finishDirectories(state);
    },
  };
}

function beginEntry(state: Unpacking, entry: TarEntry): void {
  const isFirst = state.destination === undefined;
  const destination = state.destination ?? openDestination(state.root, state.request, entry);
  const chain = state.chain ?? createDirectoryChain(destination.directory.fd);
  state.destination = destination;
  state.chain = chain;
  const parts = partsOf(entry.path, destination);
  const name = parts.at(-1);
  if (name === undefined) {
    if (entry.type !== "directory") throw refuse(entry, "it is no directory, and stands at the top");
    if (isFirst && (destination.isNew || state.request.topMetadata)) state.made.push({ path: "", entry });
    return;
  }
  const parent = chain.enter(parts.slice(0, -1));
  if (entry.type === "directory") makeDirectory(state, parent, name, parts.join("/"), entry);
  else makeOther(state, parent, name, entry);
}

/** Cleaned, and with the new name at their head. Nothing in them leads up. */
function partsOf(path: ByteString, { rename }: Destination): ByteString[] {
  const parts = path.split("/").filter((part) => part !== "" && part !== ".");
  if (parts.includes("..")) {
    const because = "the name leads out of the destination";
    throw new DevboxError("COPY_FAILED", { step: display(path), because });
  }
  if (rename !== undefined && parts[0] === rename.from) parts[0] = rename.to;
  return parts;
}

function refuse(entry: TarEntry, because: string): DevboxError {
  return new DevboxError("COPY_FAILED", { step: display(entry.path), because });
}

function makeDirectory(state: Unpacking, parent: number, name: ByteString, path: ByteString, entry: TarEntry): void {
  const own = nameIn(parent, name);
  const there = lstatSync(own, { throwIfNoEntry: false });
  // What is there already stays as it is: copying into /tmp must not close it to others.
  if (there?.isDirectory()) return;
  if (there !== undefined) throw refuse(entry, "a directory cannot take the place of a file that is there");
  mkdirSync(own, 0o700);
  state.made.push({ path, entry });
}

function makeOther(state: Unpacking, parent: number, name: ByteString, entry: TarEntry): void {
  const own = nameIn(parent, name);
  if (entry.type === "file") {
    beginFile(state, own, entry);
    return;
  }
  clear(own, entry);
  switch (entry.type) {
    case "symlink":
      symlinkSync(kernelPath(entry.linkTarget), own);
      setOwner(state, own, entry);
      setTimes(own, entry.mtime);
      return;
    case "hardlink":
      makeLink(state, own, entry);
      return;
    default:
      makeNode(state, own, entry);
  }
}

function beginFile(state: Unpacking, path: string | Buffer, entry: TarEntry): void {
  const fd = openNew(path, entry);
  const sparse = entry.sparse === undefined ? undefined : { fd, path, entry, segment: 0, done: 0 };
  state.file = { fd, entry, path, sparse, position: 0 };
}

const createFlags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;

function openNew(path: string | Buffer, entry: TarEntry): number {
  try {
    clear(path, entry);
    return openSync(path, createFlags, 0o600);
  } catch (error) {
    if (errnoName(error) !== "EBUSY") throw error;
  }
  // A file that something is mounted on, /etc/hosts of a box: it cannot be removed, but written to.
  const fd = openSync(path, constants.O_WRONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  if (!fstatSync(fd).isFile()) {
    closeSync(fd);
    throw refuse(entry, "something is mounted in its place");
  }
  ftruncateSync(fd, 0);
  return fd;
}

/** Takes away what is there, unless it is a directory. */
function clear(path: string | Buffer, entry: TarEntry): void {
  try {
    unlinkSync(path);
  } catch (error) {
    const errno = errnoName(error);
    if (errno === "ENOENT") return;
    // unlink(2) of a directory: EISDIR on Linux, EPERM says POSIX.
    if (errno === "EISDIR") throw refuse(entry, "a directory is there");
    throw error;
  }
}

/** Its target is in the archive, before it. */
function makeLink(state: Unpacking, own: string | Buffer, entry: TarEntry): void {
  const { destination } = state;
  if (destination === undefined) return;
  const target = partsOf(entry.linkTarget, destination);
  const name = target.pop();
  if (name === undefined) throw refuse(entry, "it is a link to the top");
  using directory = directoryBelow(destination.directory.fd, target.join("/"));
  // link(2) follows no symbolic link.
  linkSync(nameIn(directory.fd, name), own);
}

const nodeTypes = { fifo: S_IFIFO, character: S_IFCHR, block: S_IFBLK } as const;

function makeNode(state: Unpacking, own: string | Buffer, entry: TarEntry): void {
  if (entry.type !== "fifo" && entry.type !== "character" && entry.type !== "block") return;
  const { deviceMajor: major, deviceMinor: minor } = entry;
  const device = (BigInt(major & 0xfff) << 8n) | BigInt(minor & 0xff) | (BigInt(minor >>> 8) << 20n);
  try {
    // Complete from the start: chmod(2) would follow a symbolic link that has taken its place. The umask is 0.
    mknodat(-100, own, nodeTypes[entry.type] | (entry.mode & 0o777), entry.type === "fifo" ? 0 : device);
  } catch (error) {
    if (errnoName(error) !== "EPERM") throw error;
    state.notes.add("device", `${display(entry.path)}: devices cannot be made, and are left out`);
    return;
  }
  setOwner(state, own, entry);
  setTimes(own, entry.mtime);
}

function setOwner({ request }: Unpacking, path: string | Buffer, { uid, gid }: TarEntry): void {
  if (request.owner === "archive") lchown(path, uid, gid);
  else if (request.owner === "root") lchown(path, 0, 0);
}

/** A piece as long as this that is all zeros becomes a hole. */
const holeBytes = 64 * 1024;
const zeros = Buffer.alloc(holeBytes);

function writeData({ file }: Unpacking, chunk: Buffer, start: number, end: number): void {
  if (file === undefined) return;
  inPath(display(file.entry.path), () => {
    if (file.sparse !== undefined) writeFile(file.sparse, chunk, start, end);
    else writePieces(file, chunk, start, end);
  });
}

function writePieces(file: Writing, chunk: Buffer, start: number, end: number): void {
  for (let at = start; at < end; ) {
    const length = Math.min(end - at, holeBytes);
    const isHole = length === holeBytes && chunk.compare(zeros, 0, holeBytes, at, at + length) === 0;
    const written = isHole ? length : writeSync(file.fd, chunk, at, length, file.position);
    file.position += written;
    at += written;
  }
}

function endFile(state: Unpacking): void {
  const { file } = state;
  if (file === undefined) return;
  state.file = undefined;
  const { fd, entry, path } = file;
  inPath(display(entry.path), () => {
    try {
      ftruncateSync(fd, entry.sparse?.realSize ?? entry.dataSize);
      setMetadata(takingOf(state), fd, entry);
    } finally {
      closeSync(fd);
    }
    setTimes(path, entry.mtime);
  });
}

function takingOf({ request, notes }: Unpacking): Taking {
  return { ...request, notes };
}

/** The innermost first: making something in a directory changes its time. */
function finishDirectories(state: Unpacking): void {
  const { destination, made } = state;
  state.chain?.[Symbol.dispose]();
  if (destination === undefined) return;
  using top = destination.directory;
  for (const { path, entry } of made.toReversed()) {
    inPath(display(entry.path), () => {
      try {
        using directory = directoryBelow(top.fd, path);
        setMetadata(takingOf(state), directory.fd, entry);
        setTimes(`/proc/self/fd/${directory.fd}/.`, entry.mtime);
      } catch (error) {
        // Somebody in the box has taken it away again.
        if (!["ENOENT", "ENOTDIR", "ELOOP"].includes(errnoName(error) ?? "")) throw error;
      }
    });
  }
}
