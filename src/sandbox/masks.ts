/** Masked and read-only paths (runtime-spec config-linux.md "Masked Paths", "Readonly Paths"). A missing path is no error. */
import {
  FSCONFIG_CMD_CREATE,
  FSCONFIG_SET_STRING,
  FSMOUNT_CLOEXEC,
  FSOPEN_CLOEXEC,
  MOUNT_ATTR_NODEV,
  MOUNT_ATTR_NOEXEC,
  MOUNT_ATTR_NOSUID,
  MOUNT_ATTR_RDONLY,
} from "../../ffi/constants.ts";
import type { Mark } from "../launch/plan.ts";
import { cloneTree, readonlyTree, setAttributes } from "./mounts.ts";
import { attachMount, openDirectoryInRoot, openInRoot, type RootPlan } from "./paths.ts";
import { jumpTo, type Slot } from "./steps.ts";

/** What the kernel's own files are, always: for these the plan need not provide for both. */
const kernelPaths: ReadonlyMap<string, "file" | "directory"> = new Map([
  ["/proc/acpi", "directory"],
  ["/proc/asound", "directory"],
  ["/proc/interrupts", "file"],
  ["/proc/kcore", "file"],
  ["/proc/keys", "file"],
  ["/proc/latency_stats", "file"],
  ["/proc/sched_debug", "file"],
  ["/proc/scsi", "directory"],
  ["/proc/timer_list", "file"],
  ["/proc/timer_stats", "file"],
  ["/sys/devices/virtual/powercap", "directory"],
  ["/sys/firmware", "directory"],
]);

/** Steps that hide files behind /dev/null and directories behind an empty read-only tmpfs. */
export function maskPaths(context: RootPlan, paths: readonly string[]): void {
  if (paths.length === 0) return;
  const { plan } = context;
  const making = { slot: plan.descriptor() };
  for (const path of paths) {
    const label = `mask ${path}`;
    const done = plan.mark("masked");
    const kind = kernelPaths.get(path);
    if (kind === undefined) maskEither(context, path, making, done);
    else {
      // Should it be of the other kind, it cannot be attached (ENOTDIR), and there is no box.
      openInRoot(context, path, { orElse: done });
      if (kind === "file") cloneTree(context, label, { path: "/dev/null" }, false);
      else emptyDirectory(context, making, label);
    }
    attachMount(context, label);
    plan.here(done);
  }
}

/** Steps that leave in `found` and `mount` what there is and what hides it; if there is nothing, they go to `done`. */
function maskEither(context: RootPlan, path: string, making: Slot, done: Mark): void {
  const { plan } = context;
  const label = `mask ${path}`;
  const [file, ready] = [plan.mark("mask-file"), plan.mark("mask-ready")];
  openDirectoryInRoot(context, path, file);
  emptyDirectory(context, making, label);
  jumpTo(plan, ready);
  plan.here(file);
  openInRoot(context, path, { orElse: done });
  cloneTree(context, label, { path: "/dev/null" }, false);
  plan.here(ready);
}

/** One file system a path: a detached mount cannot be cloned before 6.15. Nothing can be made in it: it needs no limits. */
function emptyDirectory({ plan, mount }: RootPlan, making: Slot, label: string): void {
  plan.syscall(label, "fsopen", [plan.string("tmpfs"), FSOPEN_CLOEXEC], { save: making.slot });
  plan.syscall(label, "fsconfig", [making, FSCONFIG_SET_STRING, plan.string("mode"), plan.string("755"), 0]);
  plan.syscall(label, "fsconfig", [making, FSCONFIG_CMD_CREATE, 0, 0, 0]);
  const attributes = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC;
  plan.syscall(label, "fsmount", [making, FSMOUNT_CLOEXEC, attributes], { save: mount.slot });
}

/** Steps that bind each path on itself, read-only with all mounts below. */
export function makeReadonly(context: RootPlan, paths: readonly string[]): void {
  const { plan, found } = context;
  for (const path of paths) {
    const done = plan.mark("readonly");
    openInRoot(context, path, { orElse: done });
    cloneTree(context, `make ${path} read-only`, found, true);
    setAttributes(context, `make ${path} read-only`, readonlyTree);
    attachMount(context, `make ${path} read-only`);
    plan.here(done);
  }
}
