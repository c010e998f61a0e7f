/**
 * Look a layer through for files that another layer has as well, and let the two share them: files at the same path and
 * of the same size, compared byte by byte. Only the layer itself is changed; the others are linked to.
 *
 * Hard links must not join what the image keeps apart. A file is replaced only if it has one name, and only by one that
 * has one name in its own tree. So all names of a shared file lie at one path of different layers, of which a box sees
 * one at most; and hard links within a layer stay what they are.
 *
 * Runs as root of the user namespace. No path is given to the kernel before each of its components is known to be a
 * directory in its tree. It may be killed at any moment: what is replaced is whole before and after.
 */
import type { BigIntStats } from "node:fs";
import { type ByteString, byteStringOfText } from "./byte-string.ts";
import type { SharedWith, WorkerRequest } from "./protocol.ts";
import { findLinks } from "./share/links.ts";
import { join, longestPath, namesIn, removeIfThere, statOf } from "./share/paths.ts";
import { chooseMethod, isSameFile, type Method, replaceByLink, type SharedPath, shareBlocks } from "./share/replace.ts";
import { countAlike, takeSample } from "./share/sample.ts";
import { type KeptTimes, keepTimes, restoreTimes } from "./share/times.ts";

export type ShareRequest = Extract<WorkerRequest, { readonly kind: "share" }>;

interface Partner {
  readonly layer: string;
  readonly tree: ByteString;
  /** Whether an inode has several names in its tree; undefined: nobody has asked yet. */
  hasOwnLinks: ((ino: bigint) => boolean) | undefined;
  files: number;
  bytes: number;
}

interface Pass {
  readonly tree: ByteString;
  /** A free path on the file system of the tree. */
  readonly temporary: ByteString;
  readonly times: KeptTimes;
  readonly partners: readonly Partner[];
  readonly method: Method;
}

/**
 * In bytes. Sharing a file costs about 50 µs, whatever its size. Of the 5,200 files of Debian's smallest system 1,200 are as
 * large as this, and take 84 % of the room. Sharing all made the pull of a second Debian a third longer or more, these a seventh.
 */
const smallestFile = 16_384n;
/** A layer shares with so many others at most, those that are most alike. */
const mostPartners = 4;
/** A layer that has fewer than one file in sixteen of the sample is not worth a walk. */
const leastAlike = 1 / 16;

/** Throws what node:fs and ffi throw. */
export async function shareLayer({ layer, others }: ShareRequest): Promise<readonly SharedWith[]> {
  const directory = byteStringOfText(layer);
  const tree = `${directory}/fs`;
  // Beside the tree, on its file system, where nobody looks.
  const temporary = `${directory}/shared-link`;
  const note = `${directory}/shared-times`;
  removeIfThere(temporary);
  restoreTimes(note, tree);
  const partners = choosePartners(tree, others);
  if (partners.length === 0) return [];
  using times = keepTimes(note, tree);
  await shareTree({ tree, temporary, times, partners, method: chooseMethod(temporary) });
  return partners
    .map(({ layer: other, files, bytes }) => ({ layer: other, files, bytes }))
    .filter(({ files }) => files > 0);
}

function choosePartners(tree: ByteString, others: readonly string[]): readonly Partner[] {
  const sample = takeSample(tree);
  return others
    .map((layer) => ({ layer, tree: `${byteStringOfText(layer)}/fs` }))
    .map((other) => ({ ...other, alike: countAlike(sample, other.tree) }))
    .filter(({ alike }) => alike > 0 && alike >= sample.length * leastAlike)
    .sort((a, b) => b.alike - a.alike)
    .slice(0, mostPartners)
    .map(({ layer, tree: theirs }) => ({ layer, tree: theirs, hasOwnLinks: undefined, files: 0, bytes: 0 }));
}

/** A directory of the layer, and the partners that have a directory at its path, too. */
interface Place {
  readonly path: ByteString;
  readonly partners: readonly Partner[];
}

/** After so many directories the worker hears whether its parent is still there. */
const directoriesAtOnce = 32;

async function shareTree(pass: Pass): Promise<void> {
  const waiting: Place[] = [{ path: "", partners: pass.partners }];
  let count = 0;
  for (let place = waiting.pop(); place !== undefined; place = waiting.pop()) {
    waiting.push(...shareDirectory(pass, place));
    if (++count % directoriesAtOnce === 0) await new Promise(setImmediate);
  }
}

/** Returns the directories in it that are worth a look. */
function shareDirectory(pass: Pass, { path, partners }: Place): readonly Place[] {
  using time = new DisposableStack();
  let isTimeKept = false;
  const places: Place[] = [];
  for (const name of namesIn(`${pass.tree}/${path}`)) {
    const inner = join(path, name);
    const ours = statOf(`${pass.tree}/${inner}`);
    if (ours?.isDirectory() === true) {
      const there = partners.filter(({ tree }) => statOf(`${tree}/${inner}`)?.isDirectory() === true);
      if (there.length > 0 && inner.length <= longestPath) places.push({ path: inner, partners: there });
    } else if (ours?.isFile() === true && ours.nlink === 1n && ours.size >= smallestFile) {
      shareFile(pass, partners, inner, ours, () => {
        if (!isTimeKept) time.use(pass.times.keep(path));
        isTimeKept = true;
      });
    }
  }
  return places;
}

/** Share one file with the first partner that has the same. `beforeChange` is called when a name in the directory is replaced. */
function shareFile(
  pass: Pass,
  partners: readonly Partner[],
  path: ByteString,
  stats: BigIntStats,
  beforeChange: () => void,
): void {
  const ours = { path: `${pass.tree}/${path}`, stats };
  for (const partner of partners) {
    const theirs = candidate(partner, path, stats);
    if (theirs === undefined || !share(pass, partner, theirs, ours, beforeChange)) continue;
    partner.files += 1;
    partner.bytes += Number(stats.blocks) * 512;
    return;
  }
}

function candidate({ tree }: Partner, path: ByteString, { size, dev }: BigIntStats): SharedPath | undefined {
  const theirs = `${tree}/${path}`;
  const stats = statOf(theirs);
  return stats?.isFile() === true && stats.size === size && stats.dev === dev ? { path: theirs, stats } : undefined;
}

function share(pass: Pass, partner: Partner, theirs: SharedPath, ours: SharedPath, beforeChange: () => void): boolean {
  if (pass.method === "blocks") {
    return shareBlocks(theirs.path, ours.path, Number(ours.stats.size));
  }
  if (!mayLink(partner, theirs.stats) || !isSameFile(theirs, ours)) return false;
  beforeChange();
  return replaceByLink(theirs.path, ours.path, pass.temporary);
}

/** Whether the other layer has the file under one name. */
function mayLink(partner: Partner, { ino, nlink }: BigIntStats): boolean {
  if (nlink === 1n) return true;
  partner.hasOwnLinks ??= findLinks(partner.tree);
  return !partner.hasOwnLinks(ino);
}
