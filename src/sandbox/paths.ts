/**
 * Paths inside the root file system. An image is hostile: every path is resolved by the kernel within the root
 * (openat2(2), RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS), never as a string, and used as a descriptor afterwards.
 */
import {
  AT_FDCWD,
  MOVE_MOUNT_F_EMPTY_PATH,
  MOVE_MOUNT_T_EMPTY_PATH,
  O_CLOEXEC,
  O_CREAT,
  O_DIRECTORY,
  O_NOCTTY,
  O_NONBLOCK,
  O_PATH,
  O_RDONLY,
  O_WRONLY,
  RESOLVE_BENEATH,
  RESOLVE_IN_ROOT,
  RESOLVE_NO_MAGICLINKS,
  RESOLVE_NO_SYMLINKS,
  RESOLVE_NO_XDEV,
  S_IFREG,
} from "../../ffi/constants.ts";
import { EEXIST, ELOOP, ENOENT, ENOTDIR } from "../../ffi/errno.ts";
import type { Data } from "../../ffi/launcher/wire.ts";
import type { PlanBuilder } from "../launch/plan.ts";
import { jumpTo } from "./steps.ts";

/** The planner's view of one root: the builder, and the slots of descriptors that its helpers share. */
export interface RootPlan {
  readonly plan: PlanBuilder;
  /** Holds a descriptor (O_PATH) of the root. */
  readonly root: { readonly slot: number };
  /** The directory or file found last. */
  readonly found: { readonly slot: number };
  /** The directory that what is found last lies in, where it is needed. */
  readonly parent: { readonly slot: number };
  /** The mount made last. */
  readonly mount: { readonly slot: number };
  /** The procfs that this plan has mounted on /proc of the box, if `ownProc` is set. */
  readonly proc: { readonly slot: number };
  readonly progress: Progress;
}

/** What the planner knows of the steps so far. */
interface Progress {
  ownProc: boolean;
  /** Mounts that become read-only when all is built: their labels, in the order of their descriptors. */
  readonly late: string[];
}

/** The view of a new plan. */
export function rootPlan(plan: PlanBuilder): RootPlan {
  const descriptor = (): { readonly slot: number } => ({ slot: plan.descriptor() });
  const slots = { root: descriptor(), found: descriptor(), parent: descriptor(), mount: descriptor() };
  return { plan, ...slots, proc: descriptor(), progress: { ownProc: false, late: [] } };
}

const howSize = 24;

/** struct open_how (openat2(2)): flags, mode, resolve; 64 bits each. */
export function openHow(flags: number, mode: number, resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS): Data {
  const bytes = new Uint8Array(howSize);
  const view = new DataView(bytes.buffer);
  view.setBigUint64(0, BigInt(flags), true);
  view.setBigUint64(8, BigInt(mode), true);
  view.setBigUint64(16, BigInt(resolve), true);
  return { bytes };
}

const anything = openHow(O_PATH | O_CLOEXEC, 0);
const anyDirectory = openHow(O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
const ordinaryDirectory = openHow(O_PATH | O_DIRECTORY | O_CLOEXEC, 0, RESOLVE_IN_ROOT | RESOLVE_NO_SYMLINKS);
const newFile = openHow(O_RDONLY | O_CREAT | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0o644);

/**
 * Errors that mean "no such path here", also where the path leads over a magic link or in circles (ELOOP). Not EACCES: what
 * we may not look at may be there, and be seen by a process with other groups.
 */
const absent = [ENOENT, ENOTDIR, ELOOP];

/** Steps that open `path` (in the root) into `found`. With `orElse`, a missing path continues there. */
export function openInRoot(
  { plan, root, found }: RootPlan,
  path: string,
  options: { readonly how?: Data; readonly label?: string; readonly orElse?: string } = {},
): void {
  const { how = anything, label = `find ${path} in the root`, orElse } = options;
  plan.syscall(label, "openat2", [root, plan.string(inside(path)), { data: how }, howSize], {
    save: found.slot,
    ...(orElse === undefined ? {} : { tolerate: absent, onError: orElse }),
  });
}

/** Steps that open the directory `path`; a path that is missing, or is something else, continues at `orElse`. */
export function openDirectoryInRoot(context: RootPlan, path: string, orElse: string): void {
  openInRoot(context, path, { how: anyDirectory, orElse });
}

export interface DirectoryOptions {
  /** What the directory is for, in errors: "make the mount point /data/x: read-only file system". */
  readonly purpose?: string;
  /** Refuse a path that leads over a symlink, also within the root. */
  readonly symlinks?: boolean;
}

/** Steps that make the directory `path` and its parents where they are missing, and leave it open in `found`. */
export function makeDirectoryInRoot(context: RootPlan, path: string, options: DirectoryOptions = {}): void {
  const { plan, root, found } = context;
  const { purpose = "mount point", symlinks = true } = options;
  const how = symlinks ? anyDirectory : ordinaryDirectory;
  let walked = "";
  let parent = root;
  for (const name of inside(path).split("/")) {
    walked += `/${name}`;
    // What exists is EEXIST, also on a read-only file system (mkdir(2)). If it is no directory, or a symlink that leads
    // nowhere, the open that follows says so.
    plan.syscall(`make the ${purpose} ${walked}`, "mkdirat", [parent, plan.string(name), 0o755], {
      tolerate: [EEXIST],
    });
    openInRoot(context, walked, { how, label: `enter the ${purpose} ${walked}` });
    parent = found;
  }
}

/**
 * Steps that make `path` a file to mount on, where it is missing, and leave it open in `found`. A symlink that leads
 * nowhere inside the image (resolv.conf often does) is replaced by a file.
 */
export function makeFileInRoot(context: RootPlan, path: string): void {
  const { plan, root, found, parent } = context;
  const [done, missing, dangling] = [plan.mark("file"), plan.mark("missing"), plan.mark("dangling")];
  const { directory, name } = splitPath(path);
  makeDirectoryInRoot({ ...context, found: parent }, directory);
  openInRoot(context, path, { orElse: missing });
  jumpTo(plan, done);
  plan.here(missing);
  const create = [root, plan.string(inside(path)), { data: newFile }, howSize] as const;
  const label = `make the mount point ${path}`;
  plan.syscall(label, "openat2", create, { save: found.slot, tolerate: [ENOENT], onError: dangling });
  jumpTo(plan, done);
  plan.here(dangling);
  plan.syscall(`replace the dangling symlink ${path}`, "unlinkat", [parent, plan.string(name), 0]);
  plan.syscall(label, "mknodat", [parent, plan.string(name), S_IFREG | 0o644, 0]);
  openInRoot(context, path);
  plan.here(done);
}

/**
 * Steps that open `path` below /proc for writing into `found`, and never something else that lies there: of the procfs that
 * this plan has made, by its descriptor, without crossing a mount, or of the host's, whose paths no image and no volume has
 * touched. So neither a mount over /proc (CVE-2019-16884), nor a symlink in its place (CVE-2023-27561), nor one that is put
 * there while we look (CVE-2025-52881) redirects what is written. Settings of namespaces are those of whoever opens the file,
 * in every procfs (proc_sys(5)).
 */
export function openInProc({ plan, proc, found, progress }: RootPlan, path: string, label: string): void {
  const resolve = RESOLVE_BENEATH | RESOLVE_NO_XDEV | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
  const how = { data: openHow(O_WRONLY | O_CLOEXEC, 0, progress.ownProc ? resolve : RESOLVE_NO_MAGICLINKS) };
  const [directory, name] = progress.ownProc ? [proc, inside(path)] : [AT_FDCWD, `/proc/${inside(path)}`];
  plan.syscall(label, "openat2", [directory, plan.string(name), how, howSize], { save: found.slot });
}

/** Steps that attach the detached mount in `mount` to what `found` holds. */
export function attachMount({ plan, mount, found }: RootPlan, label: string): void {
  const empty = plan.string("");
  plan.syscall(label, "move_mount", [mount, empty, found, empty, MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH]);
}

/** `/a/b/` → `a/b`; `/` → `.`: relative to the root's descriptor. */
export function inside(path: string): string {
  const relative = path
    .split("/")
    .filter((part) => part !== "" && part !== ".")
    .join("/");
  return relative === "" ? "." : relative;
}

/** The same with `..` taken out as text, as runc compares paths: where it leads unless symlinks turn it. */
export function cleanInside(path: string): string {
  const parts: string[] = [];
  for (const part of inside(path).split("/")) {
    if (part === "..") parts.pop();
    else parts.push(part);
  }
  return parts.join("/") || ".";
}

export function splitPath(path: string): { directory: string; name: string } {
  const parts = inside(path).split("/");
  const name = parts.pop() ?? ".";
  return { directory: `/${parts.join("/")}`, name };
}
