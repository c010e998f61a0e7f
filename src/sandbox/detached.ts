/** What is done to a mount before it is attached: copied from another one, given its attributes and its propagation. */
import {
  AT_EMPTY_PATH,
  AT_FDCWD,
  AT_RECURSIVE,
  MOUNT_ATTR_RDONLY,
  OPEN_TREE_CLOEXEC,
  OPEN_TREE_CLONE,
} from "../../ffi/constants.ts";
import { ENOENT, EPERM } from "../../ffi/errno.ts";
import type { PlanBuilder, SyscallOptions } from "../launch/plan.ts";
import type { MountAttributes, MountOptions } from "./mount-options.ts";
import type { RootPlan } from "./paths.ts";
import type { Slot } from "./steps.ts";

export const readonlyMount: MountAttributes = {
  set: MOUNT_ATTR_RDONLY,
  clear: 0,
  setRecursive: 0,
  clearRecursive: 0,
};

export const readonlyTree: MountAttributes = {
  set: 0,
  clear: 0,
  setRecursive: MOUNT_ATTR_RDONLY,
  clearRecursive: 0,
};

/**
 * Steps that leave a detached copy of a mount (a path of the host, or what a slot holds) in `mount`. With `orElse`, a
 * missing source continues there.
 */
export function cloneTree(
  { plan, mount }: RootPlan,
  label: string,
  source: { readonly path: string } | Slot,
  recursive: boolean,
  orElse?: string,
  missing: readonly number[] = [ENOENT],
): void {
  const [directory, path] = "path" in source ? [AT_FDCWD, source.path] : [source, ""];
  const flags =
    OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | (recursive ? AT_RECURSIVE : 0) | ("path" in source ? 0 : AT_EMPTY_PATH);
  plan.syscall(label, "open_tree", [directory, plan.string(path), flags], {
    save: mount.slot,
    ...(orElse === undefined ? {} : { tolerate: missing, onError: orElse }),
  });
}

/**
 * Steps that set attributes on the mount in `mount`: on itself, and on all below it. Attributes that are not named stay what
 * they are: those of a mount of the host are locked in a user namespace (mount_namespaces(7) "Restrictions"). To take a
 * locked one away is refused (EPERM), but for `rw`, which engines write for whatever is not `ro`: what the host has
 * read-only stays so, as under crun.
 */
export function setAttributes({ plan, mount }: RootPlan, label: string, attributes: MountAttributes): void {
  const change = (set: number, clear: number, flags: number): void => {
    if ((clear & MOUNT_ATTR_RDONLY) !== 0)
      changeMount(plan, mount, `${label}: rw`, { clear: MOUNT_ATTR_RDONLY }, flags, { tolerate: [EPERM] });
    const others = clear & ~MOUNT_ATTR_RDONLY;
    if (set !== 0 || others !== 0) changeMount(plan, mount, label, { set, clear: others }, flags);
  };
  change(attributes.set, attributes.clear, 0);
  change(attributes.setRecursive, attributes.clearRecursive, AT_RECURSIVE);
}

/** Steps that give the mount in `mount`, and with `rshared` and its kin all below it, its propagation. */
export function setPropagation(
  { plan, mount }: RootPlan,
  label: string,
  { propagation, propagationRecursive }: Pick<MountOptions, "propagation" | "propagationRecursive">,
): void {
  if (propagation === 0) return;
  changeMount(plan, mount, `${label}: propagation`, { propagation }, propagationRecursive ? AT_RECURSIVE : 0);
}

interface MountChange {
  readonly set?: number;
  readonly clear?: number;
  readonly propagation?: number;
}

/** One mount_setattr(2) on the mount that a slot holds. */
export function changeMount(
  plan: PlanBuilder,
  mount: Slot | number,
  label: string,
  change: MountChange,
  flags: number,
  options: Pick<SyscallOptions, "tolerate"> = {},
): void {
  const attr = { data: { bytes: mountAttr(change) } };
  plan.syscall(label, "mount_setattr", [mount, plan.string(""), AT_EMPTY_PATH | flags, attr, mountAttrSize], options);
}

export const mountAttrSize = 32;
/** Where the descriptor of a user namespace stands in struct mount_attr. */
export const mountAttrUserns = 24;

/** struct mount_attr (mount_setattr(2)): set, clear, propagation, userns descriptor; 64 bits each. */
export function mountAttr({ set = 0, clear = 0, propagation = 0 }: MountChange): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(mountAttrSize);
  const view = new DataView(bytes.buffer);
  view.setBigUint64(0, BigInt(set), true);
  view.setBigUint64(8, BigInt(clear), true);
  view.setBigUint64(16, BigInt(propagation), true);
  return bytes;
}
