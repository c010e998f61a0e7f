/**
 * Is a layer worth comparing with another one, file by file? Some files, spread over its tree, are looked for in the other:
 * layers without anything in common cost a few system calls.
 */
import type { BigIntStats } from "node:fs";
import type { ByteString } from "../byte-string.ts";
import { join, longestPath, namesIn, statOf } from "./paths.ts";

export interface Sample {
  /** Relative to the tree. */
  readonly path: ByteString;
  readonly stats: BigIntStats;
}

const wantedFiles = 64;
/** Descents that end in an empty directory, a link or a file that was met before find nothing. */
const descents = 256;

/**
 * Files of a tree, found by going down from its root again and again, each time another way: the k-th visit of a directory
 * takes an entry that is far from the last ones (multiples of the golden ratio). The same tree gives the same files.
 */
export function takeSample(tree: ByteString): readonly Sample[] {
  const directories = new Map<ByteString, Directory>();
  const files = new Map<ByteString, BigIntStats>();
  for (let descent = 0; descent < descents && files.size < wantedFiles; descent++) {
    let path = "";
    for (;;) {
      const next = nextEntry(directoryAt(directories, tree, path));
      if (next === undefined) break;
      const inner = join(path, next);
      if (files.has(inner)) break;
      if (directories.has(inner)) {
        path = inner;
        continue;
      }
      const stats = statOf(`${tree}/${inner}`);
      if (stats?.isFile() === true && stats.size > 0n) files.set(inner, stats);
      if (stats?.isDirectory() !== true || inner.length > longestPath) break;
      path = inner;
    }
  }
  return [...files].map(([path, stats]) => ({ path, stats }));
}

interface Directory {
  readonly names: readonly ByteString[];
  visits: number;
}

function directoryAt(directories: Map<ByteString, Directory>, tree: ByteString, path: ByteString): Directory {
  const known = directories.get(path);
  if (known !== undefined) return known;
  const directory = { names: namesIn(`${tree}/${path}`).sort(), visits: 0 };
  directories.set(path, directory);
  return directory;
}

function nextEntry(directory: Directory): ByteString | undefined {
  const turn = (++directory.visits * 0.618_033_988_75) % 1;
  return directory.names[Math.floor(turn * directory.names.length)];
}

/** How many of the files another tree may have too: a file of the same size at the same path. No link is followed. */
export function countAlike(sample: readonly Sample[], tree: ByteString): number {
  const known = new Map<ByteString, boolean>([["", true]]);
  const isDirectory = (path: ByteString): boolean => {
    const before = known.get(path);
    if (before !== undefined) return before;
    const is = isDirectory(parentOf(path)) && statOf(`${tree}/${path}`)?.isDirectory() === true;
    known.set(path, is);
    return is;
  };
  return sample.filter(({ path, stats }) => {
    const theirs = isDirectory(parentOf(path)) ? statOf(`${tree}/${path}`) : undefined;
    return theirs?.isFile() === true && theirs.size === stats.size;
  }).length;
}

function parentOf(path: ByteString): ByteString {
  return path.slice(0, Math.max(0, path.lastIndexOf("/")));
}
