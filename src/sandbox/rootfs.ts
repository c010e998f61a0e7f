/** The root file system: mounted, opened, and at the end made the root of the box (pivot_root(2)). */
import {
  AT_FDCWD,
  MNT_DETACH,
  MOUNT_ATTR_RDONLY,
  MS_BIND,
  MS_REC,
  MS_SLAVE,
  O_CLOEXEC,
  O_DIRECTORY,
  O_PATH,
} from "../../ffi/constants.ts";
import type { RootfsPlan } from "../bundle/rootfs-plan.ts";
import type { PlanBuilder } from "../launch/plan.ts";
import type { SandboxInput } from "./input.ts";
import { setAttributes } from "./mounts.ts";
import type { RootPlan } from "./paths.ts";
import { closeSlot } from "./steps.ts";

type OverlayRoot = Extract<RootfsPlan, { kind: "overlay" }>;

/** mount(2) copies one page of options at most; beyond it the lower layers are named by descriptors, which are shorter. */
const optionLimit = 4095;
/** The layers' descriptors get these numbers, above everything that a launcher is handed. */
const firstLayerFd = 100;

/** Steps that mount the root file system on `input.mountpoint` and open it into `root`. */
export function assembleRoot({ plan, root }: RootPlan, input: SandboxInput): void {
  const { rootfs, mountpoint } = input;
  // Host mounts keep arriving in bind mounts that ask for it (rslave), ours never leave (mount_namespaces(7)).
  plan.syscall("keep our mounts from the host", "mount", [
    plan.string("none"),
    plan.string("/"),
    0,
    MS_REC | MS_SLAVE,
    0,
  ]);
  if (rootfs.kind === "overlay") mountOverlay(plan, rootfs, input);
  else {
    // pivot_root(2) wants a mount point.
    const path = plan.string(rootfs.path);
    plan.syscall(`bind the root file system ${rootfs.path}`, "mount", [
      path,
      plan.string(mountpoint),
      0,
      MS_BIND | MS_REC,
      0,
    ]);
  }
  plan.syscall("open the root", "openat", [AT_FDCWD, plan.string(mountpoint), O_PATH | O_DIRECTORY | O_CLOEXEC, 0], {
    save: root.slot,
  });
}

/**
 * overlayfs in a user namespace (5.11): `userxattr` makes it read `user.overlay.*`. All paths are relative to the store,
 * whose names need no escaping. `volatile` (5.10) leaves out the sync of the upper at unmount: for boxes that are removed
 * at their end anyway.
 */
function mountOverlay(plan: PlanBuilder, rootfs: OverlayRoot, input: SandboxInput): void {
  plan.syscall(`enter the store ${input.storeRoot}`, "chdir", [plan.string(input.storeRoot)]);
  const tail = `,upperdir=${rootfs.upper},workdir=${rootfs.work},userxattr${rootfs.volatile ? ",volatile" : ""}`;
  let options = `lowerdir=${rootfs.lowers.join(":")}${tail}`;
  if (options.length > optionLimit) options = `lowerdir=${openLayers(plan, rootfs.lowers).join(":")}${tail}`;
  const overlay = plan.string("overlay");
  plan.syscall("mount overlay on the root", "mount", [
    overlay,
    plan.string(input.mountpoint),
    overlay,
    0,
    plan.string(options),
  ]);
}

function openLayers(plan: PlanBuilder, lowers: readonly string[]): string[] {
  const opened = plan.slot();
  return lowers.map((path, index) => {
    const fd = firstLayerFd + index;
    plan.syscall(`open the layer ${path}`, "openat", [AT_FDCWD, plan.string(path), O_PATH | O_DIRECTORY, 0], {
      save: opened,
    });
    plan.syscall(`open the layer ${path}`, "dup3", [{ slot: opened }, fd, O_CLOEXEC]);
    closeSlot(plan, { slot: opened });
    return `/proc/self/fd/${fd}`;
  });
}

/**
 * Steps that make `root` the root of the mount namespace: both arguments of pivot_root the same, so that the old root
 * lies stacked on the new one and is detached from there (pivot_root(2) "pivot_root(".", ".")").
 */
export function enterRoot({ plan, root, mount }: RootPlan, readonly: boolean): void {
  const dot = plan.string(".");
  if (readonly) {
    plan.syscall("open the root for its attributes", "openat", [root, dot, O_PATH | O_DIRECTORY | O_CLOEXEC, 0], {
      save: mount.slot,
    });
    setAttributes({ plan, root, found: root, mount }, "make the root read-only", {
      set: MOUNT_ATTR_RDONLY,
      clear: 0,
      setRecursive: 0,
      clearRecursive: 0,
    });
    closeSlot(plan, mount);
  }
  plan.syscall("enter the new root", "fchdir", [root]);
  plan.syscall("pivot_root", "pivot_root", [dot, dot]);
  plan.syscall("detach the host's root", "umount2", [dot, MNT_DETACH]);
  plan.syscall("go to /", "chdir", [plan.string("/")]);
}
