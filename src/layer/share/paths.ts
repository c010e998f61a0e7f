/** Paths in trees of layers, each component of which is known to be a directory. */
import { type BigIntStats, lstatSync, readdirSync, unlinkSync } from "node:fs";
import { errnoName } from "../../core/errors.ts";
import { type ByteString, byteString, kernelPath } from "../byte-string.ts";

/** Deeper directories are left alone: what stays far below PATH_MAX (4096) needs no care. */
export const longestPath = 2000;

export function statOf(path: ByteString): BigIntStats | undefined {
  return lstatSync(kernelPath(path), { bigint: true, throwIfNoEntry: false });
}

export function namesIn(directory: ByteString): ByteString[] {
  return readdirSync(kernelPath(directory), { encoding: "buffer" }).map(byteString);
}

/** `path`: relative to a tree, "" for its root. */
export function join(path: ByteString, name: ByteString): ByteString {
  return path === "" ? name : `${path}/${name}`;
}

export function removeIfThere(path: ByteString): void {
  try {
    unlinkSync(kernelPath(path));
  } catch (error) {
    if (errnoName(error) !== "ENOENT") throw error;
  }
}
