/** A file or a tree as a tar archive: what `cp` takes out of a box or off this machine, and what `export` writes. */
import { fstatSync, readdirSync } from "node:fs";
import { DevboxError, errnoName } from "../../core/errors.ts";
import { type ByteString, byteString, byteStringOfText, display } from "../byte-string.ts";
import type { Notes } from "../notes.ts";
import { archiveEnd } from "../tar/write.ts";
import { type Opened, openDirectoryIn, reopen, resolveIn, splitAbsolute } from "./at.ts";
import { inPath } from "./failure.ts";
import { asInImage } from "./image-entry.ts";
import {
  beginPacking,
  type Emit,
  lookAt,
  type Packing,
  packDirectoryEntry,
  packFile,
  packOther,
} from "./pack-entry.ts";
import type { PackRequest } from "./request.ts";

/** @throws DevboxError COPY_FAILED naming the path */
export function pack(root: number, request: PackRequest, notes: Notes, emit: Emit): void {
  const packing = beginPacking(emit, notes, request.asInImage === true ? asInImage(undefined) : undefined);
  const path = byteStringOfText(request.path);
  inPath(`copy ${request.shown}`, () => packTop(packing, root, path, request));
  emit(archiveEnd);
}

function packTop(packing: Packing, root: number, path: ByteString, { follow, shown }: PackRequest): void {
  const isContent = path === "/" || path.endsWith("/.");
  const clean = path.replace(/\/\.?$/, "") || "/";
  const { parent, name } = splitAbsolute(clean);
  const entry = isContent ? "." : name;
  if (!follow && clean === path) {
    using directory = resolveIn(root, parent);
    packEntry(packing, directory.fd, name, entry);
    return;
  }
  using found = resolveIn(root, clean);
  const stats = fstatSync(found.fd);
  if (!stats.isDirectory() && clean !== path)
    throw new DevboxError("COPY_FAILED", { step: `copy ${shown}`, because: "it is not a directory" });
  if (stats.isDirectory()) {
    using directory = reopen(found, "directory");
    packDirectory(packing, directory, entry);
  } else if (stats.isFile()) {
    using file = reopen(found, "file");
    packFile(packing, file, entry);
  } else {
    using directory = resolveIn(root, parent);
    packEntry(packing, directory.fd, name, entry);
  }
}

/** `path`: in the archive. */
function packEntry(packing: Packing, directory: number, name: ByteString, path: ByteString): void {
  const named = lookAt(directory, name);
  if (!named.stats.isDirectory()) {
    packOther(packing, named, path);
    return;
  }
  using inner = openDirectoryIn(directory, name);
  packDirectory(packing, inner, path);
}

function packDirectory(packing: Packing, directory: Opened, path: ByteString): void {
  packDirectoryEntry(packing, directory, path);
  const names = readdirSync(`/proc/self/fd/${directory.fd}`, { encoding: "buffer" }).map(byteString).sort();
  for (const name of names) {
    const inner = path === "." ? `./${name}` : `${path}/${name}`;
    try {
      inPath(display(inner), () => packEntry(packing, directory.fd, name, inner));
    } catch (error) {
      // It was removed between being listed and being looked at.
      if (!(error instanceof DevboxError && errnoName(error.cause) === "ENOENT")) throw error;
    }
  }
}
