/** What an image's archive says of a file on disk: no more than what belongs to the file, for whoever unpacks it anywhere. */
import type { ByteString } from "../byte-string.ts";
import { deviceAttribute } from "../overlay.ts";
import type { TarEntry, Timestamp } from "../tar/entry.ts";
import { isSteering } from "../tree/metadata.ts";

/** @param latest later times become this one, as with SOURCE_DATE_EPOCH (reproducible-builds.org); undefined: none is too late */
export function asInImage(latest: Timestamp | undefined): (entry: TarEntry) => TarEntry {
  return (entry) => {
    const mtime = latest !== undefined && isLater(entry.mtime, latest) ? latest : entry.mtime;
    const device = entry.type === "file" ? deviceOf(entry) : undefined;
    if (entry.xattrs.size === 0) return mtime === entry.mtime ? entry : { ...entry, mtime };
    return { ...entry, ...device, mtime, xattrs: new Map([...entry.xattrs].filter(([name]) => isOfImage(name))) };
  };
}

function isLater(time: Timestamp, than: Timestamp): boolean {
  return time.seconds > than.seconds || (time.seconds === than.seconds && time.nanoseconds > than.nanoseconds);
}

/**
 * Users' own, file capabilities, ACLs (xattr(7)). Not what steers overlays and devbox, nor labels of this machine
 * (security.selinux, security.ima).
 */
export function isOfImage(name: ByteString): boolean {
  const kept = name.startsWith("user.") || name.startsWith("system.posix_acl_") || name === "security.capability";
  return kept && !isSteering(name);
}

/** An empty file that stands for a device (overlay.ts) is one again. */
function deviceOf({ dataSize, sparse, xattrs }: TarEntry): Partial<TarEntry> | undefined {
  const text = xattrs.get(deviceAttribute);
  if (text === undefined || dataSize !== 0 || sparse !== undefined) return undefined;
  const [, type, major, minor] = /^([cb]) (\d{1,7}):(\d{1,7})$/.exec(text) ?? [];
  if (type === undefined) return undefined;
  return {
    type: type === "c" ? "character" : "block",
    deviceMajor: Number(major),
    deviceMinor: Number(minor),
  };
}
