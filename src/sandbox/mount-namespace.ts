/**
 * A box in a mount namespace that was there before: the runtime's own, or one that is joined by path. Its root file system is
 * put together in a mount namespace of its own all the same; then the init process goes back to where it belongs, and
 * changes to a detached copy of what it has built. So nothing of the box ever appears among the mounts of others, pivot_root(2)
 * does not take their root away, and nothing is left when the box ends, or when it fails half way.
 */
import {
  AT_EMPTY_PATH,
  AT_FDCWD,
  AT_RECURSIVE,
  CLONE_NEWNS,
  O_CLOEXEC,
  O_RDONLY,
  OPEN_TREE_CLOEXEC,
  OPEN_TREE_CLONE,
} from "../../ffi/constants.ts";
import type { PlanBuilder } from "../launch/plan.ts";
import type { Namespace } from "../oci/runtime.ts";
import type { OpenNamespace } from "./join-namespaces.ts";
import { mountNamespaceFd } from "./numbers.ts";
import type { RootPlan } from "./paths.ts";

/** Is the mount namespace of the box one that was there before? */
export function sharesMounts(namespaces: readonly Namespace[]): boolean {
  return !namespaces.some(({ type, path }) => type === "mount" && path === undefined);
}

/** Steps of the launcher that leave the namespace to go back to at a number that the plan of the box knows. */
export function keepMountNamespace(plan: PlanBuilder, opened: readonly OpenNamespace[]): void {
  const label = "keep the mount namespace";
  plan.scoped(() => {
    const joined = opened.find(({ type }) => type === "mount");
    const slot = joined?.slot ?? plan.slot();
    if (joined === undefined) {
      const path = plan.string("/proc/self/ns/mnt");
      plan.syscall(label, "openat", [AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0], { save: slot });
    }
    plan.syscall(label, "dup3", [{ slot }, mountNamespaceFd, O_CLOEXEC]);
    if (joined === undefined) plan.syscall("close a descriptor", "close", [{ slot }]);
  });
}

export function closeMountNamespace(plan: PlanBuilder): void {
  plan.syscall("close the mount namespace", "close", [mountNamespaceFd]);
}

/**
 * Steps that go back, with the root that was built: `root` holds the copy then. It belongs to no namespace, so /proc/self/mounts
 * does not tell of it, and nothing more can be mounted in it.
 */
export function returnWithRoot({ plan, root }: RootPlan): void {
  const flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH | AT_RECURSIVE;
  plan.syscall("take the root along", "open_tree", [root, plan.string(""), flags], { save: root.slot });
  plan.syscall("go back to the mount namespace", "setns", [mountNamespaceFd, CLONE_NEWNS]);
  closeMountNamespace(plan);
  plan.syscall("enter the new root", "fchdir", [root]);
  plan.syscall("change to the root", "chroot", [plan.string(".")]);
  plan.syscall("go to /", "chdir", [plan.string("/")]);
}
