/**
 * Paths inside the root file system. An image is hostile: every path is resolved by the kernel within the root
 * (openat2(2), RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS), never as a string, and used as a descriptor afterwards.
 */
import {
  MOVE_MOUNT_F_EMPTY_PATH,
  MOVE_MOUNT_T_EMPTY_PATH,
  O_CLOEXEC,
  O_CREAT,
  O_DIRECTORY,
  O_NOFOLLOW,
  O_PATH,
  O_RDONLY,
  RESOLVE_IN_ROOT,
  RESOLVE_NO_MAGICLINKS,
} from "../../ffi/constants.ts";
import { EACCES, EEXIST, ELOOP, ENOENT, ENOTDIR, EROFS } from "../../ffi/errno.ts";
import type { Data } from "../../ffi/launcher/wire.ts";
import type { PlanBuilder } from "../launch/plan.ts";
import { closeSlot, jumpTo } from "./steps.ts";

/** The planner's view of one root: the builder, and the slots that its helpers share. */
export interface RootPlan {
  readonly plan: PlanBuilder;
  /** Holds a descriptor (O_PATH) of the root. */
  readonly root: { readonly slot: number };
  /** Scratch: the directory or file found last. */
  readonly found: { readonly slot: number };
  readonly mount: { readonly slot: number };
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
const newFile = openHow(O_RDONLY | O_CREAT | O_CLOEXEC, 0o644);

/** Steps that open `path` (in the root) into `found`. With `orElse`, a missing path continues there. */
export function openInRoot(
  { plan, root, found }: RootPlan,
  path: string,
  options: { readonly directory?: boolean; readonly orElse?: string } = {},
): void {
  const how = options.directory === true ? anyDirectory : anything;
  plan.syscall(`find ${path} in the root`, "openat2", [root, plan.string(inside(path)), { data: how }, howSize], {
    save: found.slot,
    ...(options.orElse === undefined ? {} : { tolerate: [ENOENT, ENOTDIR, EACCES, ELOOP], onError: options.orElse }),
  });
}

/** Steps that close the descriptor in `found`. */
export function closeFound({ plan, found }: RootPlan): void {
  closeSlot(plan, found);
}

/** Steps that make the directory `path` and its parents where they are missing, and leave it open in `found`. */
export function makeDirectoryInRoot(context: RootPlan, path: string, mode = 0o755): void {
  const { plan, root, found } = context;
  const done = plan.mark("directory");
  // Most mount points exist; the walk that makes the missing parents is the exception.
  const missing = plan.mark("missing");
  openInRoot(context, path, { directory: true, orElse: missing });
  jumpTo(plan, done);
  plan.here(missing);
  let walked = "";
  plan.syscall(`open the root`, "openat2", [root, plan.string("."), { data: anyDirectory }, howSize], {
    save: found.slot,
  });
  for (const name of inside(path).split("/")) {
    walked += `/${name}`;
    // A read-only place is no failure yet: the open that follows tells whether the directory is there.
    plan.syscall(`make the directory ${walked}`, "mkdirat", [found, plan.string(name), mode], {
      tolerate: [EEXIST, EROFS, EACCES],
    });
    closeSlot(plan, found);
    openInRoot(context, walked, { directory: true });
  }
  plan.here(done);
}

/**
 * Steps that make `path` a file to mount on, where it is missing, and leave it open in `found`. A symlink that leads
 * nowhere inside the image (resolv.conf often does) is replaced by a file.
 */
export function makeFileInRoot(context: RootPlan, path: string): void {
  const { plan, root, found } = context;
  const done = plan.mark("file");
  const missing = plan.mark("missing");
  const dangling = plan.mark("dangling");
  openInRoot(context, path, { orElse: missing });
  jumpTo(plan, done);
  plan.here(missing);
  const { parent, name } = splitPath(path);
  makeDirectoryInRoot(context, parent);
  closeSlot(plan, found);
  const create = [root, plan.string(inside(path)), { data: newFile }, howSize] as const;
  plan.syscall(`make the file ${path}`, "openat2", create, { save: found.slot, tolerate: [ENOENT], onError: dangling });
  jumpTo(plan, done);
  plan.here(dangling);
  openInRoot(context, parent, { directory: true });
  plan.syscall(`replace the dangling symlink ${path}`, "unlinkat", [found, plan.string(name), 0]);
  plan.syscall(`make the file ${path}`, "openat", [found, plan.string(name), O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0o644], {
    save: context.mount.slot,
  });
  closeSlot(plan, context.mount);
  closeSlot(plan, found);
  openInRoot(context, path);
  plan.here(done);
}

/** Steps that attach the detached mount in `mount` to what `found` holds, and close both. */
export function attachMount({ plan, mount, found }: RootPlan, label: string): void {
  const empty = plan.string("");
  plan.syscall(label, "move_mount", [mount, empty, found, empty, MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH]);
  closeSlot(plan, mount);
  closeSlot(plan, found);
}

/** `/a/b/` → `a/b`; `/` → `.`: relative to the root's descriptor. */
export function inside(path: string): string {
  const relative = path
    .split("/")
    .filter((part) => part !== "" && part !== ".")
    .join("/");
  return relative === "" ? "." : relative;
}

export function splitPath(path: string): { parent: string; name: string } {
  const parts = inside(path).split("/");
  const name = parts.pop() ?? ".";
  return { parent: `/${parts.join("/")}`, name };
}
