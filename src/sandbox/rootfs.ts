/** The root file system: mounted, opened, and at the end made the root of the box (pivot_root(2)). */
import {
  AT_FDCWD,
  MNT_DETACH,
  MOVE_MOUNT_F_EMPTY_PATH,
  MOVE_MOUNT_T_SYMLINKS,
  MS_MOVE,
  MS_REC,
  MS_SLAVE,
  O_CLOEXEC,
  O_DIRECTORY,
  O_PATH,
} from "../../ffi/constants.ts";
import { EACCES, EINVAL, ENOENT, EPERM } from "../../ffi/errno.ts";
import type { RootfsPlan } from "../bundle/rootfs-plan.ts";
import type { DataArgument, PlanBuilder, SyscallOptions } from "../launch/plan.ts";
import type { RuntimeConfig } from "../oci/runtime.ts";
import { readonlyMount, setAttributes } from "./detached.ts";
import type { SandboxInput } from "./input.ts";
import { returnWithRoot, sharesMounts } from "./mount-namespace.ts";
import { propagationFlags } from "./mount-options.ts";
import { firstLayerFd } from "./numbers.ts";
import type { RootPlan } from "./paths.ts";
import { type OpenedSources, takeTree } from "./sources.ts";
import { closeSlot, jumpTo } from "./steps.ts";

type OverlayRoot = Extract<RootfsPlan, { kind: "overlay" }>;

/** mount(2) copies one page of options at most; beyond it the directories are named by descriptors, which are shorter. */
const optionLimit = 4095;

/** Where the parts of a root file system lie, and where it is mounted: see `SandboxInput`. */
type RootPlace = Pick<SandboxInput, "storeRoot" | "mountpoint">;

/** Steps that mount the root file system on `input.mountpoint` and open it into `root`. */
export function assembleRoot(
  context: RootPlan,
  input: RootPlace & Pick<SandboxInput, "rootfs">,
  opened: Pick<OpenedSources, "root"> = { root: undefined },
): void {
  const { plan, root } = context;
  const { rootfs } = input;
  const mountpoint = plan.string(input.mountpoint);
  // Host mounts keep arriving in bind mounts that ask for it (rslave), ours never leave (mount_namespaces(7)).
  plan.syscall("keep our mounts from the host", "mount", [
    plan.string("none"),
    plan.string("/"),
    0,
    MS_REC | MS_SLAVE,
    0,
  ]);
  if (rootfs.kind === "overlay") {
    mountOverlay(plan, rootfs, input);
    plan.syscall("open the root", "openat", [AT_FDCWD, mountpoint, O_PATH | O_DIRECTORY | O_CLOEXEC, 0], {
      save: root.slot,
    });
  } else {
    // pivot_root(2) wants a mount point. By descriptor: a path would lead below the new mount when the root is "/".
    const { path } = rootfs;
    const label = `bind the root file system ${path}`;
    takeTree({ ...context, mount: root }, { path, label, recursive: true, number: opened.root, only: false });
    attachRoot(context, label, mountpoint);
  }
}

/**
 * At the mount point, which may be called by a symlink (runc resolves it as well). Where the way there is closed to the box's
 * root, on /: pivot_root(2) only wants a place.
 */
function attachRoot({ plan, root }: RootPlan, label: string, mountpoint: DataArgument): void {
  const [closed, attached] = [plan.mark("the way is closed"), plan.mark("attached")];
  const move = (to: DataArgument, options: SyscallOptions): void =>
    plan.syscall(
      label,
      "move_mount",
      [root, plan.string(""), AT_FDCWD, to, MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_SYMLINKS],
      options,
    );
  move(mountpoint, { tolerate: [EACCES], onError: closed });
  jumpTo(plan, attached);
  plan.here(closed);
  move(plan.string("/"), {});
  plan.here(attached);
}

/**
 * overlayfs in a user namespace (5.11): `userxattr` makes it read `user.overlay.*`. All paths are relative to the store,
 * whose names need no escaping. `volatile` (5.10) leaves out the sync of the upper at unmount: for boxes that are removed
 * at their end anyway.
 */
function mountOverlay(plan: PlanBuilder, rootfs: OverlayRoot, place: RootPlace): void {
  const directories = [...rootfs.lowers, rootfs.upper, rootfs.work];
  mountDirectories(plan, directories, place, (paths) => overlayOptions(paths, rootfs.volatile));
}

/** Steps that mount layers alone, which nobody can write to. `lowers`: two at least, topmost first, relative to the store. */
export function mountLayers(plan: PlanBuilder, lowers: readonly string[], place: RootPlace): void {
  mountDirectories(plan, lowers, place, (paths) => `lowerdir=${paths.join(":")},userxattr`);
}

function mountDirectories(
  plan: PlanBuilder,
  directories: readonly string[],
  place: RootPlace,
  optionsOf: (paths: readonly string[]) => string,
): void {
  plan.syscall(`enter the store ${place.storeRoot}`, "chdir", [plan.string(place.storeRoot)]);
  const inOnePage = optionsOf(directories);
  const short = inOnePage.length <= optionLimit;
  const options = short ? inOnePage : optionsOf(openDirectories(plan, directories));
  const overlay = plan.string("overlay");
  plan.syscall("mount overlay on the root", "mount", [
    overlay,
    plan.string(place.mountpoint),
    overlay,
    0,
    plan.string(options),
  ]);
  // Not later than this: a working directory of /proc/self/fd/100 must find nothing (CVE-2024-21626).
  if (!short) plan.syscall("close the layers", "close_range", [firstLayerFd, firstLayerFd + directories.length - 1, 0]);
}

function overlayOptions(directories: readonly string[], volatile: boolean): string {
  const lowers = directories.slice(0, -2).join(":");
  const [upper, work] = directories.slice(-2);
  return `lowerdir=${lowers},upperdir=${upper},workdir=${work},userxattr${volatile ? ",volatile" : ""}`;
}

/** From inside /proc/self/fd a descriptor's number is its path: 1000 layers fit, overlayfs takes 500. */
function openDirectories(plan: PlanBuilder, paths: readonly string[]): string[] {
  const opened = { slot: plan.slot() };
  const numbers = paths.map((path, index) => {
    const label = `open the layer ${path}`;
    const fd = firstLayerFd + index;
    plan.syscall(label, "openat", [AT_FDCWD, plan.string(path), O_PATH | O_DIRECTORY | O_CLOEXEC, 0], {
      save: opened.slot,
    });
    plan.syscall(label, "dup3", [opened, fd, O_CLOEXEC]);
    closeSlot(plan, opened);
    return String(fd);
  });
  plan.syscall("enter /proc/self/fd", "chdir", [plan.string("/proc/self/fd")]);
  return numbers;
}

/** Steps that make `root` the root of the mount namespace, or of the process alone in one that was there before. */
export function enterRoot(context: RootPlan, { root, linux }: RuntimeConfig, noPivot = false): void {
  const { plan } = context;
  if (root.readonly === true)
    setAttributes({ ...context, mount: context.root }, "make the root read-only", readonlyMount);
  if (sharesMounts(linux.namespaces)) {
    returnWithRoot(context);
    return;
  }
  plan.syscall("enter the new root", "fchdir", [context.root]);
  if (noPivot) moveRoot(plan);
  else pivotRoot(plan);
  const top = plan.string("/");
  plan.syscall("go to /", "chdir", [top]);
  // Not before: pivot_root(2) refuses a new root that is shared.
  const { rootfsPropagation } = linux;
  if (rootfsPropagation !== undefined)
    plan.syscall(`make the root ${rootfsPropagation}`, "mount", [
      plan.string("none"),
      top,
      0,
      propagationFlags(rootfsPropagation),
      0,
    ]);
}

/** Both arguments the same: the old root lies stacked on the new one then, and is detached from there (pivot_root(2)). */
function pivotRoot(plan: PlanBuilder): void {
  const dot = plan.string(".");
  plan.syscall("pivot_root", "pivot_root", [dot, dot]);
  plan.syscall("detach the host's root", "umount2", [dot, MNT_DETACH]);
}

/**
 * For a host on a ramdisk, whose root cannot be taken away (pivot_root(2), EINVAL): the new one is moved on top of it. What
 * of the host's /proc and /sys stays below would let a user namespace in the box mount them anew, whole
 * (mount_namespaces(7)); where they may not be taken away, the kernel keeps an eye on them itself (EPERM, EINVAL).
 */
function moveRoot(plan: PlanBuilder): void {
  const dot = plan.string(".");
  for (const path of ["/proc", "/sys"])
    plan.syscall(`detach the host's ${path}`, "umount2", [plan.string(path), MNT_DETACH], {
      tolerate: [EINVAL, ENOENT, EPERM],
    });
  plan.syscall("move the root onto /", "mount", [dot, plan.string("/"), 0, MS_MOVE, 0]);
  plan.syscall("change to the root", "chroot", [dot]);
}
