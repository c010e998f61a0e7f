/** Owner, mode, extended attributes and times of what was made, in the order in which the kernel does not undo them. */
import { chmodSync } from "node:fs";
import { AT_FDCWD } from "../../../ffi/constants.ts";
import { EINVAL, SyscallError } from "../../../ffi/errno.ts";
import { lchown, utimensat } from "../../../ffi/libc.ts";
import { lsetxattr } from "../../../ffi/xattr.ts";
import { DevboxError, errnoName } from "../../core/errors.ts";
import { type ByteString, bytesOf, display, kernelPath } from "../byte-string.ts";
import type { Notes } from "../notes.ts";
import type { TarEntry, Timestamp } from "../tar/entry.ts";

/** setuid, setgid, sticky: chown(2) clears the first two, and mkdir(2) ignores them. */
export const specialBits = 0o7000;

/** lchown(2), where the owner is not the one that new files have anyway. */
export function setOwner(path: string | Buffer, uid: number, gid: number): void {
  try {
    lchown(path, uid, gid);
  } catch (error) {
    // user_namespaces(7): EINVAL for an id that is not mapped.
    if (!(error instanceof SyscallError && error.errno === EINVAL)) throw error;
    throw new DevboxError("NO_SUBIDS", {
      step: `give it to ${uid}:${gid}`,
      because: "this owner is beyond the ids that the user may map",
      hint: "an administrator can grant more ids (subuid(5)): sudo usermod --add-subuids 100000-165535 --add-subgids 100000-165535 $USER",
      cause: error,
    });
  }
}

/** utimensat(2): access and modification time both, so that a tree does not depend on when it was made. */
export function setTimes(path: string | Buffer, time: Timestamp): void {
  utimensat(AT_FDCWD, path, time, time);
}

/** All but the content of something that exists with the permission bits of its entry and belongs to 0:0. */
export function applyMetadata(path: string | Buffer, entry: TarEntry, notes: Notes): void {
  if (entry.uid !== 0 || entry.gid !== 0) setOwner(path, entry.uid, entry.gid);
  if (entry.type !== "symlink" && (entry.mode & specialBits) !== 0) chmodSync(path, entry.mode);
  if (entry.xattrs.size > 0) setXattrs(path, entry, notes);
  setTimes(path, entry.mtime);
}

/** Names that overlayfs, fuse-overlayfs or devbox read: from an image they would steer the mount. `trusted` is the kernel's. */
const steering = ["trusted.", "user.overlay.", "user.fuseoverlayfs.", "user.devbox."];

export function isSteering(attribute: ByteString): boolean {
  return steering.some((prefix) => attribute.startsWith(prefix));
}

/** What the file system or the kernel may say to an attribute that it does not take; docker and umoci go on then, too. */
export const toleratedOfXattrs: ReadonlySet<string | undefined> = new Set([
  "EPERM",
  "EACCES",
  "EOPNOTSUPP",
  "ENOTSUP",
  "EINVAL",
  "E2BIG",
  "ERANGE",
  "ENOSPC",
  "ENODATA",
]);

/**
 * `security.capability` becomes one of this user namespace by itself (capabilities(7), "Namespaced file capabilities"),
 * `system.posix_acl_*` has its ids translated; after lchown, which clears the former, and after chmod, which changes the latter.
 */
function setXattrs(path: string | Buffer, entry: TarEntry, notes: Notes): void {
  for (const [name, value] of entry.xattrs) {
    if (isSteering(name)) {
      notes.add(`left out ${name}`, `${display(entry.path)}: the attribute ${display(name)} was left out`);
      continue;
    }
    setXattr(path, entry, name, value, notes);
  }
}

function setXattr(path: string | Buffer, entry: TarEntry, name: ByteString, value: ByteString, notes: Notes): void {
  try {
    lsetxattr(path, kernelPath(name), bytesOf(value));
  } catch (error) {
    const errno = errnoName(error);
    if (!toleratedOfXattrs.has(errno)) throw error;
    notes.add(`${name} ${errno}`, `${display(entry.path)}: the attribute ${display(name)} could not be set (${errno})`);
  }
}
