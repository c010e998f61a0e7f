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
import { cloneTree, readonlyTree, setAttributes } from "./mounts.ts";
import { attachMount, openDirectoryInRoot, openInRoot, type RootPlan } from "./paths.ts";
import { closeSlot, jumpTo } from "./steps.ts";

/** Steps that hide files behind /dev/null and directories behind an empty read-only tmpfs. */
export function maskPaths(context: RootPlan, paths: readonly string[]): void {
  if (paths.length === 0) return;
  const { plan } = context;
  const making = { slot: plan.slot() };
  for (const path of paths) {
    const [file, done] = [plan.mark("mask-file"), plan.mark("masked")];
    openDirectoryInRoot(context, path, file);
    emptyDirectory(context, making, `mask ${path}`);
    attachMount(context, `mask ${path}`);
    jumpTo(plan, done);
    plan.here(file);
    openInRoot(context, path, { orElse: done });
    cloneTree(context, `mask ${path}`, { path: "/dev/null" }, false);
    attachMount(context, `mask ${path}`);
    plan.here(done);
  }
}

/** One file system a path: a detached mount cannot be cloned before 6.15. */
function emptyDirectory({ plan, mount }: RootPlan, making: { readonly slot: number }, label: string): void {
  plan.syscall(label, "fsopen", [plan.string("tmpfs"), FSOPEN_CLOEXEC], { save: making.slot });
  for (const [key, value] of [
    ["mode", "755"],
    ["nr_inodes", "2"],
    ["size", "4096"],
  ] as const)
    plan.syscall(label, "fsconfig", [making, FSCONFIG_SET_STRING, plan.string(key), plan.string(value), 0]);
  plan.syscall(label, "fsconfig", [making, FSCONFIG_CMD_CREATE, 0, 0, 0]);
  const attributes = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC;
  plan.syscall(label, "fsmount", [making, FSMOUNT_CLOEXEC, attributes], { save: mount.slot });
  closeSlot(plan, making);
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
