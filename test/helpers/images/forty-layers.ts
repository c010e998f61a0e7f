/**
 * Forty layers that use every rule of image-spec layer.md: whiteouts, opaque directories, replaced types, hard links to lower
 * layers, missing parents, special modes, owners, times, xattrs, file capabilities, sparse files, odd names.
 */
import { linkSync, mkdirSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { $ } from "bun";
import { pack, packFiles, put } from "./trees.ts";

const layerCount = 40;

/** The layer whose hard link has its target cut out of the tar: it is in layer 0. */
export const linkToBelow = 15;

/** The layer whose tar has no entries for directories. */
const withoutDirectories = 16;

/** Makes the layers' tar files in `work`, base first. */
export async function fortyLayers(work: string): Promise<readonly string[]> {
  const tars: string[] = [];
  for (let number = 0; number < layerCount; number++) {
    const tree = join(work, `layer-${number}`);
    mkdirSync(tree);
    everyLayer(tree, number);
    await (special[number] ?? (async () => {}))(tree);
    const tar = `${tree}.tar`;
    if (number === withoutDirectories) await packFiles(tree, tar);
    else await pack(tree, tar);
    if (number === linkToBelow) await $`tar --delete --file ${tar} ./lower/target`.quiet();
    tars.push(tar);
  }
  return tars;
}

/** Each layer adds, replaces and takes away a little. */
function everyLayer(tree: string, number: number): void {
  put(tree, `own/layer-${number}`, `made by layer ${number}\n`, { owner: [number * 10, number * 11] });
  put(tree, "shared/replaced", `layer ${number}\n`, { mode: 0o600 + number, mtime: 1_600_000_000 + number + 0.25 });
  put(tree, `shared/kept-${number}`, `${number}`);
  if (number >= 3) put(tree, `shared/.wh.kept-${number - 3}`, "");
  if (number % 10 === 9) put(tree, "cache/.wh..wh..opq", "");
  put(tree, `cache/entry-${number}`, `${number}`);
}

type Layer = (tree: string) => Promise<void>;

const special: Readonly<Record<number, Layer>> = {
  0: async (tree) => {
    put(tree, "etc/passwd", "root:x:0:0:root:/root:/bin/sh\n");
    put(tree, "types/file-to-directory", "a file\n");
    put(tree, "types/directory-to-file/inside", "gone later\n");
    put(tree, "types/directory-to-symlink/inside", "gone later\n");
    put(tree, "types/symlink-target/stays", "stays\n");
    symlinkSync("symlink-target", join(tree, "types/symlink-to-directory"));
    put(tree, "lower/target", "linked to from above\n", { owner: [7, 8], mode: 0o640 });
    put(tree, "implied/parent", undefined, { mode: 0o1711, owner: [3, 4] });
    put(tree, "removed/whole/tree/file", "gone later\n");
  },
  5: async (tree) => {
    put(tree, "modes/setuid", "x", { mode: 0o4755 });
    put(tree, "modes/setgid", "x", { mode: 0o2755, owner: [0, 42] });
    put(tree, "modes/sticky", undefined, { mode: 0o1777 });
    put(tree, "modes/closed", undefined, { mode: 0o000 });
    put(tree, "modes/high-id", "x", { owner: [65_534, 65_534] });
    put(tree, "times/nanoseconds", "x", { mtime: 1_500_000_000.123456 });
    put(tree, "times/before-the-epoch", "x", { mtime: -1000 });
    put(tree, "times/far", "x", { mtime: 4_000_000_000 });
  },
  6: async (tree) => {
    put(tree, "links/first", "three names\n", { owner: [9, 9] });
    linkSync(join(tree, "links/first"), join(tree, "links/second"));
    linkSync(join(tree, "links/first"), join(tree, "own/third"));
    symlinkSync("/etc/passwd", join(tree, "links/absolute"));
    symlinkSync("../../../../outside", join(tree, "links/dangling"));
  },
  7: async (tree) => {
    put(tree, "xattrs/file", "x");
    put(tree, "xattrs/directory", undefined);
    put(tree, "xattrs/capable", "x", { mode: 0o755 });
    await $`setfattr -n user.text -v value ${join(tree, "xattrs/file")}`;
    await $`setfattr -n user.bytes -v 0x00ff0001 ${join(tree, "xattrs/directory")}`;
    // cap_net_raw+ep as struct vfs_cap_data, revision 2 (linux/capability.h).
    await $`setfattr -n security.capability -v 0x0100000200200000000000000000000000000000 ${join(tree, "xattrs/capable")}`;
  },
  8: async (tree) => {
    put(tree, "sparse", undefined);
    writeFileSync(join(tree, "sparse/hole"), "start");
    truncateSync(join(tree, "sparse/hole"), 3_000_000);
  },
  9: async (tree) => {
    put(tree, `names/${"n".repeat(255)}`, "255 bytes\n");
    put(tree, `names/${"deep/".repeat(60)}file`, "deep\n");
    put(tree, "names/ümläut and space", "x");
    put(tree, "names/new\nline", "x");
    put(tree, "names/.whiteout-like", "no whiteout\n");
  },
  [linkToBelow]: async (tree) => {
    put(tree, "lower/target", "linked to from above\n", { owner: [7, 8], mode: 0o640 });
    linkSync(join(tree, "lower/target"), join(tree, "lower/through-layers"));
  },
  [withoutDirectories]: async (tree) => {
    put(tree, "implied/parent/child", "its parents have no entry here\n");
  },
  20: async (tree) => {
    put(tree, "types/file-to-directory/inside", "a directory now\n");
    put(tree, "types/directory-to-file", "a file now\n");
    symlinkSync("symlink-target", join(tree, "types/directory-to-symlink"));
    put(tree, "types/symlink-to-directory/inside", "a directory of its own\n");
  },
  21: async (tree) => {
    put(tree, ".wh.removed", "");
    put(tree, "comes/back", "x");
  },
  22: async (tree) => put(tree, ".wh.comes", ""),
  23: async (tree) => put(tree, "comes/back-again", "x"),
};
