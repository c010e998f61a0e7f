/** The trees of the small test images, made by root in a directory and packed by GNU tar with owners, times in ns and xattrs. */
import {
  chmodSync,
  chownSync,
  copyFileSync,
  lutimesSync,
  mkdirSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { $ } from "bun";

const format = [
  "--format=pax",
  "--pax-option=delete=atime,delete=ctime",
  "--sort=name",
  "--numeric-owner",
  "--sparse",
  "--xattrs",
  "--xattrs-include=*",
];

/** Packs a tree into `tar`: names sorted so that the bytes depend on the tree alone. */
export async function pack(tree: string, tar: string): Promise<void> {
  await $`tar --create --file ${tar} --directory ${tree} ${format} .`.quiet();
}

/** Packs only what is no directory. */
export async function packFiles(tree: string, tar: string): Promise<void> {
  await $`cd ${tree} && find . ! -type d -print0 | sort -z | tar --create --file ${tar} ${format} --null --files-from -`.quiet();
}

interface FileOptions {
  readonly mode?: number;
  readonly owner?: readonly [uid: number, gid: number];
  /** Seconds since the epoch, with fractions. */
  readonly mtime?: number;
}

/** A fixed date, so that images made on two machines are the same. */
const someTime = 1_700_000_000;

/** Writes a file (`content`) or, without content, a directory. */
export function put(tree: string, path: string, content: string | undefined, options: FileOptions = {}): void {
  const at = join(tree, path);
  mkdirSync(content === undefined ? at : dirname(at), { recursive: true });
  if (content !== undefined) writeFileSync(at, content);
  const [uid, gid] = options.owner ?? [0, 0];
  chownSync(at, uid, gid);
  chmodSync(at, options.mode ?? (content === undefined ? 0o755 : 0o644));
  const mtime = options.mtime ?? someTime;
  utimesSync(at, mtime, mtime);
}

/** busybox from Debian's busybox-static, with users, groups and the directories that a system has. */
export async function busyboxTree(tree: string): Promise<void> {
  for (const directory of ["bin", "etc", "usr/bin", "var/lib", "dev", "proc", "sys", "run", "mnt"]) {
    put(tree, directory, undefined);
  }
  put(tree, "tmp", undefined, { mode: 0o1777 });
  put(tree, "root", undefined, { mode: 0o700 });
  put(tree, "home/dev", undefined, { owner: [1000, 1000] });
  copyFileSync("/bin/busybox", join(tree, "bin/busybox"));
  chmodSync(join(tree, "bin/busybox"), 0o755);
  const applets = (await $`/bin/busybox --list`.text()).trim().split("\n");
  for (const applet of applets.filter((name) => name !== "busybox")) {
    symlinkSync("busybox", join(tree, "bin", applet));
    lutimesSync(join(tree, "bin", applet), someTime, someTime);
  }
  put(
    tree,
    "etc/passwd",
    "root:x:0:0:root:/root:/bin/sh\nbin:x:2:2::/bin:/bin/false\ndev:x:1000:1000::/home/dev:/bin/sh\n",
  );
  put(tree, "etc/group", "root:x:0:\nbin:x:2:\nvideo:x:44:dev\nwheel:x:50:root,dev\ndev:x:1000:\n");
  put(tree, "etc/os-release", 'ID=busybox\nPRETTY_NAME="busybox test image"\n');
  put(tree, "etc/not-a-program", "#! nothing\n", { mode: 0o755 });
  put(tree, "etc/no-permission", "#!/bin/sh\necho never\n", { mode: 0o644 });
  put(tree, "data/from-image", "content of the image\n", { owner: [1000, 1000] });
}

/** 100 directories of 1000 small files: what a node_modules does to a file system. */
export function manyFilesTree(tree: string, files: number): void {
  for (let index = 0; index < files; index++) {
    const directory = join(tree, "many", `d${Math.floor(index / 1000)}`);
    if (index % 1000 === 0) mkdirSync(directory, { recursive: true });
    writeFileSync(join(directory, `file-${index}.txt`), `content of file ${index}\n`);
  }
}
