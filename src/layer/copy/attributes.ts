/** Owner, mode and extended attributes of an open file or directory: by descriptor, since names may change their meaning. */
import { fchmodSync, fchownSync } from "node:fs";
import { fsetxattr } from "../../../ffi/xattr.ts";
import { errnoName } from "../../core/errors.ts";
import { type ByteString, bytesOf, display, kernelPath } from "../byte-string.ts";
import type { Notes } from "../notes.ts";
import type { TarEntry } from "../tar/entry.ts";
import { isSteering, specialBits, toleratedOfXattrs } from "../tree/metadata.ts";
import type { UnpackRequest } from "./request.ts";

export type Taking = Pick<UnpackRequest, "owner" | "xattrs" | "specialBits"> & { readonly notes: Notes };

/** Owner first: chown(2) takes setuid bits and file capabilities away. */
export function setMetadata(taking: Taking, fd: number, entry: TarEntry): void {
  if (taking.owner === "archive") fchownSync(fd, entry.uid, entry.gid);
  else if (taking.owner === "root") fchownSync(fd, 0, 0);
  // The sticky bit gives nobody a right.
  fchmodSync(fd, taking.specialBits ? entry.mode : entry.mode & ~(specialBits & ~0o1000));
  for (const [name, value] of entry.xattrs) if (isTaken(taking, name)) setXattr(taking, fd, entry, name, value);
}

function isTaken({ xattrs }: Taking, name: ByteString): boolean {
  return xattrs.some((prefix) => name.startsWith(prefix)) && !isSteering(name);
}

function setXattr({ notes }: Taking, fd: number, entry: TarEntry, name: ByteString, value: ByteString): void {
  try {
    fsetxattr(fd, kernelPath(name), bytesOf(value));
  } catch (error) {
    const errno = errnoName(error);
    if (!toleratedOfXattrs.has(errno)) throw error;
    notes.add(`${name} ${errno}`, `${display(entry.path)}: the attribute ${display(name)} could not be set (${errno})`);
  }
}
