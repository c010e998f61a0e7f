/**
 * Remove a tree that (mostly) belongs to us: the fast way for boxes, without starting anything.
 * Names are bytes here: a box may have made files whose names are no UTF-8.
 */
import { chmodSync, readdirSync, rmdirSync, unlinkSync } from "node:fs";
import { errnoName } from "../core/errors.ts";

/**
 * Remove what we may remove below and including `path`; symbolic links are removed, never followed.
 * @returns false when something is left: files in directories of mapped ids, which need the user namespace
 */
export function removeTree(path: string): boolean {
  return removeBelow(Buffer.from(path));
}

const slash = Buffer.from("/");

function removeBelow(directory: Buffer): boolean {
  const names = readNames(directory);
  if (names === undefined) return false;
  let all = true;
  for (const name of names) all = removeEntry(Buffer.concat([directory, slash, name])) && all;
  return all && succeeds(() => rmdirSync(directory));
}

/** unlink(2) answers EISDIR for a directory, so no stat is needed to tell. */
function removeEntry(path: Buffer): boolean {
  try {
    unlinkSync(path);
    return true;
  } catch (error) {
    const name = errnoName(error);
    return name === "EISDIR" ? removeBelow(path) : name === "ENOENT";
  }
}

/** undefined: closed to us. overlayfs leaves its `work/work` with mode 0, which its owner can open again. */
function readNames(directory: Buffer): readonly Buffer[] | undefined {
  try {
    return readdirSync(directory, "buffer");
  } catch (error) {
    if (errnoName(error) === "ENOENT") return [];
  }
  try {
    chmodSync(directory, 0o700);
    return readdirSync(directory, "buffer");
  } catch {
    return undefined;
  }
}

function succeeds(remove: () => void): boolean {
  try {
    remove();
    return true;
  } catch (error) {
    return errnoName(error) === "ENOENT";
  }
}
