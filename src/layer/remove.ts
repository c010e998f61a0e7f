/**
 * Remove a tree of any owner, depth and mode. Runs in the user namespace, as its root, so that no mode and no mapped
 * owner is in the way. Never follows a symbolic link, never leaves the file system it began on.
 */
import { lstatSync, readdirSync, renameSync, rmdirSync, unlinkSync } from "node:fs";
import { errnoName } from "../core/errors.ts";
import { type ByteString, byteString, byteStringOfText, kernelPath } from "./byte-string.ts";

/** Deeper directories are first moved to the top of the tree: every path stays shorter than PATH_MAX (4096). */
const maxPath = 3500;

/** `path`: UTF-8 text or bytes, shorter than PATH_MAX. Nothing there is no error. Throws what node:fs throws. */
export function removeTree(path: string | Buffer): void {
  const top = typeof path === "string" ? byteStringOfText(path) : byteString(path);
  const stats = lstatSync(kernelPath(top), { throwIfNoEntry: false });
  if (stats === undefined) return;
  if (!stats.isDirectory()) unlinkSync(kernelPath(top));
  else removeDirectories(top, stats.dev);
}

/** Depth first: a directory is visited (emptied of all but directories), its directories removed, then it. */
function removeDirectories(top: ByteString, device: number): void {
  const waiting: { readonly path: ByteString; emptied: boolean }[] = [{ path: top, emptied: false }];
  let moved = 0;
  for (let next = waiting.at(-1); next !== undefined; next = waiting.at(-1)) {
    if (next.emptied) {
      rmdirSync(kernelPath(next.path));
      waiting.pop();
      continue;
    }
    next.emptied = true;
    const subdirectories = removeFiles(next.path, device);
    for (const name of subdirectories) {
      const path = `${next.path}/${name}`;
      if (path.length <= maxPath) {
        waiting.push({ path, emptied: false });
        continue;
      }
      while (exists(`${top}/.devbox-remove-${moved}`)) moved++;
      const nearby = `${top}/.devbox-remove-${moved}`;
      renameSync(kernelPath(path), kernelPath(nearby));
      waiting.push({ path: nearby, emptied: false });
    }
  }
}

/** Unlink all but directories in a directory; returns the names of those. */
function removeFiles(directory: ByteString, device: number): ByteString[] {
  if (lstatSync(kernelPath(directory)).dev !== device) return [];
  const subdirectories: ByteString[] = [];
  for (const entry of readdirSync(kernelPath(directory), { encoding: "buffer" })) {
    const name = byteString(entry);
    try {
      unlinkSync(kernelPath(`${directory}/${name}`));
    } catch (error) {
      // unlink(2) says EISDIR on Linux; cheaper than asking first.
      if (errnoName(error) !== "EISDIR") throw error;
      subdirectories.push(name);
    }
  }
  return subdirectories;
}

function exists(path: ByteString): boolean {
  return lstatSync(kernelPath(path), { throwIfNoEntry: false }) !== undefined;
}
