/**
 * The changes as a changeset, image-spec layer.md: what is there as it is now, what is gone as whiteouts. Equal changes give
 * equal bytes: entries stand in the order of their names' bytes, a whiteout at the place of the name that is gone, directories
 * before what is in them.
 */
import { DevboxError } from "../../core/errors.ts";
import { type ByteString, display } from "../byte-string.ts";
import { asInImage } from "../copy/image-entry.ts";
import { beginPacking, type Emit, packDirectoryEntry, packOther } from "../copy/pack-entry.ts";
import type { ChangesRequest } from "../copy/request.ts";
import { opaqueName, whiteoutPrefix } from "../entry-name.ts";
import type { Notes } from "../notes.ts";
import { join, splitPath } from "../settle/merged.ts";
import type { TarEntry, Timestamp } from "../tar/entry.ts";
import { archiveEnd, entryHeader } from "../tar/write.ts";
import { walkChanges } from "./walk.ts";

/**
 * No byte at all when there is no change.
 * @throws DevboxError COPY_FAILED naming the path: also for a name that means something else in a changeset
 */
export function packChanges(request: ChangesRequest, notes: Notes, emit: Emit): void {
  const latest = request.latest === undefined ? undefined : { seconds: request.latest, nanoseconds: 0 };
  const packing = beginPacking(emit, notes, asInImage(latest));
  let isEmpty = true;
  walkChanges(request, {
    directory(path, directory, _below, hidesBelow) {
      isEmpty = false;
      checkName(path);
      packDirectoryEntry(packing, directory, path === "" ? "." : path);
      // Before what is in it, for those who unpack in order (layer.md "Opaque Whiteout").
      if (hidesBelow) emit(whiteout(join(path, opaqueName)));
    },
    other(path, named) {
      isEmpty = false;
      checkName(path);
      packOther(packing, named, path);
    },
    deleted(path) {
      isEmpty = false;
      checkName(path);
      const [directory, name] = splitPath(path);
      emit(whiteout(join(directory, `${whiteoutPrefix}${name}`)));
    },
    // The whiteout of its directory says so.
    hidden() {},
  });
  if (!isEmpty) emit(archiveEnd);
}

function checkName(path: ByteString): void {
  if (!splitPath(path)[1].startsWith(whiteoutPrefix)) return;
  throw new DevboxError("COPY_FAILED", {
    step: display(`/${path}`),
    because: `a layer cannot hold a file whose name begins with ${whiteoutPrefix}: it would stand for one that is gone`,
    hint: "rename it in the box, or remove it",
  });
}

const epoch: Timestamp = { seconds: 0, nanoseconds: 0 };

/** An empty file; its time is nobody's, and always the same. */
function whiteout(path: ByteString): Buffer {
  const entry: TarEntry = {
    type: "file",
    path,
    linkTarget: "",
    mode: 0o600,
    uid: 0,
    gid: 0,
    mtime: epoch,
    deviceMajor: 0,
    deviceMinor: 0,
    dataSize: 0,
    sparse: undefined,
    xattrs: new Map(),
  };
  return entryHeader(entry);
}
