/** Masked and read-only paths (runtime-spec config-linux.md "Masked Paths", "Readonly Paths"). A missing path is no error. */
import {
  AT_FDCWD,
  FSCONFIG_CMD_CREATE,
  FSCONFIG_SET_STRING,
  FSMOUNT_CLOEXEC,
  FSOPEN_CLOEXEC,
  MOUNT_ATTR_NODEV,
  MOUNT_ATTR_NOEXEC,
  MOUNT_ATTR_NOSUID,
  MOUNT_ATTR_RDONLY,
  O_CLOEXEC,
  O_NOFOLLOW,
  O_PATH,
} from "../../ffi/constants.ts";
import { ENODEV } from "../../ffi/errno.ts";
import type { Mark } from "../launch/plan.ts";
import type { LinuxConfig } from "../oci/runtime.ts";
import { cloneTree, readonlyTree, setAttributes } from "./detached.ts";
import { attachMount, openDirectoryInRoot, openInRoot, type RootPlan } from "./paths.ts";
import { continueIfEqual, jumpTo, readStatus, type Slot, statField } from "./steps.ts";

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

/** What hides a file, and what a directory. */
interface Mask {
  readonly file: { readonly path: string } | Slot;
  readonly making: Slot;
  /** SELinux context of the directories. */
  readonly label: string | undefined;
}

/** Steps that hide files behind /dev/null and directories behind an empty read-only tmpfs. */
export function maskPaths(context: RootPlan, { maskedPaths = [], mountLabel, namespaces }: LinuxConfig): void {
  if (maskedPaths.length === 0) return;
  const { plan } = context;
  const inUserNamespace = namespaces.some(({ type }) => type === "user");
  const file = inUserNamespace ? { path: "/dev/null" } : nullDevice(context);
  const mask: Mask = { file, making: { slot: plan.descriptor() }, label: mountLabel === "" ? undefined : mountLabel };
  for (const path of maskedPaths) {
    const label = `mask ${path}`;
    const done = plan.mark("masked");
    const kind = kernelPaths.get(path);
    if (kind === undefined) maskEither(context, path, mask, done);
    else {
      // Should it be of the other kind, it cannot be attached (ENOTDIR), and there is no box.
      openInRoot(context, path, { orElse: done });
      if (kind === "file") cloneTree(context, label, mask.file, false);
      else emptyDirectory(context, mask, label);
    }
    attachMount(context, label);
    plan.here(done);
  }
}

/**
 * The host's /dev/null, opened and looked at once. The path is the host's, before the root is entered: no image and no other box
 * has a say in it, and one that is missing is an error, not a mask that is left out (CVE-2025-31133). Where the box has all
 * of root's rights it is made certain all the same that what everybody may write to is the null device.
 */
function nullDevice({ plan }: RootPlan): Slot {
  const device = { slot: plan.descriptor() };
  const [other, good] = [plan.mark("another device"), plan.mark("the null device")];
  const label = "look at /dev/null of the host";
  const flags = O_PATH | O_NOFOLLOW | O_CLOEXEC;
  plan.syscall(label, "openat", [AT_FDCWD, plan.string("/dev/null"), flags, 0], { save: device.slot });
  const data = readStatus(plan, label, device);
  continueIfEqual(plan, label, { data, offset: statField.deviceMajor, value: 1 }, other);
  continueIfEqual(plan, label, { data, offset: statField.deviceMinor, value: 3 }, other);
  jumpTo(plan, good);
  plan.here(other);
  plan.add({ kind: "fail", label: "mask paths: /dev/null of the host is another device", errno: ENODEV });
  plan.here(good);
  return device;
}

/** Steps that leave in `found` and `mount` what there is and what hides it; if there is nothing, they go to `done`. */
function maskEither(context: RootPlan, path: string, mask: Mask, done: Mark): void {
  const { plan } = context;
  const label = `mask ${path}`;
  const [file, ready] = [plan.mark("mask-file"), plan.mark("mask-ready")];
  openDirectoryInRoot(context, path, file);
  emptyDirectory(context, mask, label);
  jumpTo(plan, ready);
  plan.here(file);
  openInRoot(context, path, { orElse: done });
  cloneTree(context, label, mask.file, false);
  plan.here(ready);
}

/** One file system a path: a detached mount cannot be cloned before 6.15. Nothing can be made in it: it needs no limits. */
function emptyDirectory({ plan, mount }: RootPlan, { making, label: secure }: Mask, label: string): void {
  plan.syscall(label, "fsopen", [plan.string("tmpfs"), FSOPEN_CLOEXEC], { save: making.slot });
  plan.syscall(label, "fsconfig", [making, FSCONFIG_SET_STRING, plan.string("mode"), plan.string("755"), 0]);
  if (secure !== undefined)
    plan.syscall(label, "fsconfig", [making, FSCONFIG_SET_STRING, plan.string("context"), plan.string(secure), 0]);
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
