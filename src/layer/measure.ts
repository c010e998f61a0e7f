/** How much room trees take on the disk: what du(1) counts, holes not, files with several names once. */
import { lstatSync, readdirSync } from "node:fs";
import { errnoName } from "../core/errors.ts";
import { type ByteString, byteString, byteStringOfText, kernelPath } from "./byte-string.ts";

export interface TreeSize {
  readonly bytes: number;
  /** A directory in it could not be read: there is more. */
  readonly isClosed: boolean;
}

/** stat(2): st_blocks is in units of 512 bytes, whatever the file system's blocks are. */
const blockBytes = 512;

/** What is removed meanwhile counts as nothing. Throws what node:fs throws for a disk that fails. */
export function measureTree(path: string): TreeSize {
  const seen = new Set<string>();
  const waiting: ByteString[] = [byteStringOfText(path)];
  let bytes = 0;
  let isClosed = false;
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    const stats = unlessGone(next, (name) => lstatSync(name));
    if (stats === undefined || stats === "closed") continue;
    if (!stats.isDirectory() && stats.nlink > 1) {
      const inode = `${stats.dev}:${stats.ino}`;
      if (seen.has(inode)) continue;
      seen.add(inode);
    }
    bytes += stats.blocks * blockBytes;
    if (!stats.isDirectory()) continue;
    const names = unlessGone(next, (name) => readdirSync(name, { encoding: "buffer" }));
    if (names === "closed") isClosed = true;
    else for (const name of names ?? []) waiting.push(`${next}/${byteString(name)}`);
  }
  return { bytes, isClosed };
}

function unlessGone<T>(path: ByteString, read: (path: string | Buffer) => T): T | "closed" | undefined {
  try {
    return read(kernelPath(path));
  } catch (error) {
    const errno = errnoName(error);
    if (errno === "EACCES" || errno === "EPERM") return "closed";
    // ENAMETOOLONG: so deep that its own files hardly matter.
    if (errno === "ENOENT" || errno === "ENOTDIR" || errno === "ENAMETOOLONG") return undefined;
    throw error;
  }
}
