/** The file system of the store: what it is, what it can, what is left of it. */
import { constants, copyFileSync, statfsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { lsetxattr } from "../../../ffi/xattr.ts";
import { describeCause } from "../../core/errors.ts";
import { type Finding, notTried, type Probe } from "../finding.ts";
import { openScratch } from "../scratch.ts";

/** statfs(2) f_type → name. */
const fileSystems: Readonly<Record<number, string>> = {
  61267: "ext4",
  1481003842: "xfs",
  2435016766: "btrfs",
  801189825: "zfs",
  4076150800: "f2fs",
  3393526350: "bcachefs",
  16914836: "tmpfs",
  2035054128: "overlay",
  26985: "nfs",
  4283649346: "cifs",
  4266872130: "smb",
  1702057286: "fuse",
  61791: "ecryptfs",
  16914839: "9p",
};

/** overlayfs wants its upper directory on a file system with d_type, xattrs and RENAME_WHITEOUT; these have none or lie. */
const unfit = new Set(["nfs", "cifs", "smb", "ecryptfs", "9p", "overlay"]);

/** Less than an image of a development environment needs. */
const littleBytes = 2_000_000_000;
const elsewhere = "put the store on ext4, xfs or btrfs: export DEVBOX_STORE=DIR";

export const probeStore: Probe = async ({ storeRoot }) => {
  const facts = tryStore(storeRoot);
  return [judgeFileSystem(facts), judgeSpace(facts)];
};

export interface StoreFacts {
  readonly root: string;
  /** Why nothing can be written there; the rest is as if there were nothing. */
  readonly unusable?: string;
  readonly fileSystem: string;
  readonly freeBytes: number;
  readonly userXattrs: boolean;
  readonly reflinks: boolean;
}

function tryStore(root: string): StoreFacts {
  try {
    using scratch = openScratch(root);
    const { type, bavail, bsize } = statfsSync(scratch.path);
    const file = join(scratch.path, "file");
    writeFileSync(file, "x".repeat(4096));
    return {
      root,
      fileSystem: fileSystems[type] ?? `type 0x${type.toString(16)}`,
      freeBytes: bavail * bsize,
      userXattrs: succeeds(() => lsetxattr(file, "user.devbox.probe", new Uint8Array([1]))),
      reflinks: succeeds(() => copyFileSync(file, join(scratch.path, "copy"), constants.COPYFILE_FICLONE_FORCE)),
    };
  } catch (error) {
    return { root, unusable: describeCause(error), fileSystem: "", freeBytes: 0, userXattrs: false, reflinks: false };
  }
}

function succeeds(act: () => unknown): boolean {
  try {
    act();
    return true;
  } catch {
    return false;
  }
}

export function judgeFileSystem(facts: StoreFacts): Finding {
  const name = "store";
  const { root, unusable, fileSystem, userXattrs, reflinks } = facts;
  if (unusable !== undefined) return { name, status: "fail", detail: `${root}: ${unusable}`, fix: elsewhere };
  if (!userXattrs)
    return { name, status: "fail", detail: `${root}: ${fileSystem} without user xattrs`, fix: elsewhere };
  if (unfit.has(fileSystem)) {
    return { name, status: "warn", detail: `${root}: boxes may not run on ${fileSystem}`, fix: elsewhere };
  }
  const abilities = ["xattrs", ...(reflinks ? ["reflinks"] : [])].join(", ");
  return { name, status: "ok", detail: `${root}: ${fileSystem} with ${abilities}` };
}

export function judgeSpace({ freeBytes, unusable }: StoreFacts): Finding {
  const name = "free space";
  if (unusable !== undefined) return notTried(name, "the store cannot be used");
  const detail = `${(freeBytes / 1e9).toFixed(1)} GB`;
  if (freeBytes >= littleBytes) return { name, status: "ok", detail };
  const fix = "devbox prune --all, or a store elsewhere: export DEVBOX_STORE=DIR";
  return { name, status: "warn", detail: `${detail}: little for images`, fix };
}
