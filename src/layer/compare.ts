/**
 * Compare two trees of a layer: the one that stands in the store with one that was made anew from its blob. Everything that
 * a box could see is compared; what the store itself may change is not: inode numbers, access and change times, and how many
 * hard links lead to a file from other layers.
 *
 * Runs as root of the user namespace, so that files of mapped ids can be read; nothing is changed, no link is followed.
 */
import { type BigIntStats, closeSync, constants, lstatSync, openSync, readdirSync } from "node:fs";
import { describeCause, errnoName } from "../core/errors.ts";
import { type ByteString, byteString, byteStringOfText, display, kernelPath } from "./byte-string.ts";
import { describeChanges } from "./compare-entry.ts";
import type { TreeDifference, WorkerRequest } from "./protocol.ts";

export type CompareRequest = Extract<WorkerRequest, { readonly kind: "compare" }>;

export interface Comparison {
  /** The first `most`, in the order of their paths. */
  readonly differences: readonly TreeDifference[];
  /** Of all. */
  readonly count: number;
}

/** Both trees must be there. Throws what node:fs throws for the tree that was made anew. */
export function compareTrees({ actual, expected, most }: CompareRequest): Comparison {
  const differences: TreeDifference[] = [];
  let count = 0;
  const found = (path: ByteString, what: string): void => {
    if (++count <= most) differences.push({ path: display(path === "" ? "/" : path), what });
  };
  const walk: Walk = { found, leaders: [new Map(), new Map()] };
  const pair: Pair = { actual: byteStringOfText(actual), expected: byteStringOfText(expected), path: "" };
  compareEntry(walk, pair, statOf(pair.actual), statOf(pair.expected));
  return { differences, count };
}

interface Walk {
  readonly found: (path: ByteString, what: string) => void;
  /** Of files with several names, by inode, the first path in this tree: [actual, expected]. */
  readonly leaders: readonly [Map<bigint, ByteString>, Map<bigint, ByteString>];
}

/** One path in both trees. `actual` and `expected` are for the kernel, `path` is relative to the root, for people. */
interface Pair {
  readonly actual: ByteString;
  readonly expected: ByteString;
  readonly path: ByteString;
}

/** Far below PATH_MAX (4096): names are 255 bytes at most. */
const longestPath = 3500;

function compareEntry(
  walk: Walk,
  pair: Pair,
  actual: BigIntStats | undefined,
  expected: BigIntStats | undefined,
): void {
  if (actual === undefined) {
    if (expected !== undefined) walk.found(pair.path, "missing");
    return;
  }
  if (expected === undefined) {
    walk.found(pair.path, "not in the image");
    return;
  }
  const [leader, wanted] = [
    leaderOf(walk.leaders[0], actual, pair.path),
    leaderOf(walk.leaders[1], expected, pair.path),
  ];
  const changes = [...describeChanges(pair, actual, expected), ...describeLink(pair.path, leader, wanted)];
  if (changes.length > 0) walk.found(pair.path, changes.join(", "));
  if (!actual.isDirectory() || !expected.isDirectory()) return;
  if (pair.actual.length <= longestPath && pair.expected.length <= longestPath) compareDirectory(walk, pair);
  else comparePinned(walk, pair);
}

/** Paths that become too long start anew at a descriptor. */
function comparePinned(walk: Walk, pair: Pair): void {
  using stack = new DisposableStack();
  const pin = (path: ByteString): ByteString => {
    const fd = openSync(kernelPath(path), constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW);
    stack.defer(() => closeSync(fd));
    return `/proc/self/fd/${fd}`;
  };
  compareDirectory(walk, { ...pair, actual: pin(pair.actual), expected: pin(pair.expected) });
}

function compareDirectory(walk: Walk, { actual, expected, path }: Pair): void {
  let present: readonly ByteString[];
  try {
    present = namesIn(actual);
  } catch (error) {
    walk.found(path, `cannot be read: ${describeCause(error)}`);
    return;
  }
  const names = [...new Set([...present, ...namesIn(expected)])].sort();
  for (const name of names) {
    const pair = {
      actual: `${actual}/${name}`,
      expected: `${expected}/${name}`,
      path: path === "" ? name : `${path}/${name}`,
    };
    compareEntry(walk, pair, statOf(pair.actual), statOf(pair.expected));
  }
}

function namesIn(directory: ByteString): ByteString[] {
  return readdirSync(kernelPath(directory), { encoding: "buffer" }).map(byteString);
}

function statOf(path: ByteString): BigIntStats | undefined {
  try {
    return lstatSync(kernelPath(path), { bigint: true });
  } catch (error) {
    if (errnoName(error) === "ENOENT") return undefined;
    throw error;
  }
}

/** Which other path of the tree is the same file; the path itself where none before it is. */
function leaderOf(leaders: Map<bigint, ByteString>, stats: BigIntStats, path: ByteString): ByteString {
  if (stats.isDirectory() || stats.nlink === 1n) return path;
  const leader = leaders.get(stats.ino) ?? path;
  leaders.set(stats.ino, leader);
  return leader;
}

function describeLink(path: ByteString, actual: ByteString, expected: ByteString): readonly string[] {
  if (actual === expected) return [];
  return [expected === path ? `is a link to ${display(actual)}` : `is no link to ${display(expected)}`];
}
