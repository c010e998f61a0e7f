/**
 * Mounts of type cgroup (runtime-spec config.md; runc's "cgroup"): the control groups as the box may see them. Version 2 is
 * one tree; a host on version 1 has one for each controller, which lie in a tmpfs.
 */
import {
  MOUNT_ATTR_NODEV,
  MOUNT_ATTR_NOEXEC,
  MOUNT_ATTR_NOSUID,
  MOUNT_ATTR_RDONLY,
  O_CLOEXEC,
  O_DIRECTORY,
  O_PATH,
} from "../../ffi/constants.ts";
import { EBUSY, EEXIST, EINVAL, ENODEV, ENOENT, EPERM } from "../../ffi/errno.ts";
import type { RuntimeMount } from "../oci/runtime.ts";
import { cloneTree, readonlyTree, setAttributes, setPropagation } from "./detached.ts";
import { type FileSystemRequest, newFileSystem } from "./file-system.ts";
import type { CgroupTree, SandboxInput } from "./input.ts";
import type { MountOptions } from "./mount-options.ts";
import { attachMount, makeDirectoryInRoot, type RootPlan } from "./paths.ts";
import { jumpTo, type Slot } from "./steps.ts";

/** Steps for a mount of type cgroup or cgroup2. */
export function cgroupMount(context: RootPlan, mount: RuntimeMount, options: MountOptions, input: SandboxInput): void {
  const trees = input.cgroupTrees ?? [];
  const namespaced = input.config.linux.namespaces.some(({ type }) => type === "cgroup");
  if (mount.type === "cgroup" && trees.length > 0) mountTrees(context, mount, options, { trees, namespaced });
  else mountUnified(context, mount, options);
}

/** What the kernel says where it has no such tree for us. */
const refused = [EPERM, EBUSY, EINVAL, ENODEV, ENOENT];

/**
 * Version 2, under the box's own cgroup namespace. A host on version 1, or a kernel that refuses it to us, shows the host's
 * tree read-only, as runc's rootless spec does; a host without cgroups shows none.
 */
function mountUnified(context: RootPlan, { destination }: RuntimeMount, options: MountOptions): void {
  const { plan } = context;
  const [other, attach, none] = [plan.mark("cgroup-refused"), plan.mark("cgroup-attach"), plan.mark("no-cgroup")];
  const label = `mount cgroup2 on ${destination}`;
  const attributes = options.attributes.set | options.attributes.setRecursive;
  newFileSystem(context, {
    ...{ type: "cgroup2", label, source: "cgroup", options, attributes },
    refusal: { tolerate: refused, onError: other },
  });
  jumpTo(plan, attach);
  plan.here(other);
  cloneTree(context, "bind the host's /sys/fs/cgroup", { path: "/sys/fs/cgroup" }, true, none);
  const recursive = readonlyTree.setRecursive | (attributes & closed);
  setAttributes(context, "make the host's /sys/fs/cgroup read-only", { ...readonlyTree, setRecursive: recursive });
  plan.here(attach);
  setPropagation(context, label, options);
  makeDirectoryInRoot(context, destination);
  attachMount(context, label);
  plan.here(none);
}

const closed = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC;

interface OwnTrees {
  readonly trees: readonly CgroupTree[];
  /** The box is in a cgroup namespace, in which a tree begins at its own group; without one, root would mount the host's. */
  readonly namespaced: boolean;
}

/**
 * Version 1: a tree of the box's cgroup namespace; without one, or where it may not be mounted (one that is not ours), the
 * group's directory is bound. Names of several controllers have links for each (cgroups(7)).
 */
function mountTrees(
  context: RootPlan,
  { destination }: RuntimeMount,
  options: MountOptions,
  { trees, namespaced }: OwnTrees,
): void {
  const { plan } = context;
  const label = `mount tmpfs on ${destination}`;
  const readonly = (options.attributes.set | options.attributes.setRecursive) & MOUNT_ATTR_RDONLY;
  newFileSystem(context, {
    type: "tmpfs",
    label,
    source: "tmpfs",
    options: { flags: [], parameters: ["mode=755"] },
    attributes: closed,
  });
  setPropagation(context, label, options);
  makeDirectoryInRoot(context, destination);
  attachMount(context, label);
  plan.scoped(() => {
    const top = { slot: plan.slot() };
    plan.syscall(label, "openat", [context.mount, plan.string("."), O_PATH | O_DIRECTORY | O_CLOEXEC, 0], {
      save: top.slot,
    });
    const attributes = closed | readonly;
    for (const tree of trees) mountTree(context, { destination, tree, top, attributes, namespaced });
    const flags = readonly === 0 ? undefined : readonlyTree;
    if (flags !== undefined)
      setAttributes({ ...context, mount: top }, `${label}: ro`, { ...flags, set: MOUNT_ATTR_RDONLY, setRecursive: 0 });
    plan.syscall("close a descriptor", "close", [top]);
  });
}

interface TreeMount extends Pick<OwnTrees, "namespaced"> {
  readonly destination: string;
  readonly tree: CgroupTree;
  readonly top: Slot;
  readonly attributes: number;
}

function mountTree(context: RootPlan, { destination, tree, top, attributes, namespaced }: TreeMount): void {
  const { plan, found } = context;
  const { name } = tree;
  const label = `mount the control groups ${name} on ${destination}/${name}`;
  const [other, attach, none] = [plan.mark("refused"), plan.mark("attach"), plan.mark("no such tree")];
  if (namespaced) {
    newFileSystem(context, treeRequest(tree, label, attributes, other));
    jumpTo(plan, attach);
  }
  plan.here(other);
  cloneTree(context, label, { path: tree.directory }, true, none);
  setAttributes(context, label, { set: 0, clear: 0, setRecursive: attributes, clearRecursive: 0 });
  plan.here(attach);
  plan.syscall(label, "mkdirat", [top, plan.string(name), 0o755], { tolerate: [EEXIST] });
  plan.syscall(label, "openat", [top, plan.string(name), O_PATH | O_DIRECTORY | O_CLOEXEC, 0], { save: found.slot });
  attachMount(context, label);
  for (const controller of name.includes(",") ? name.split(",") : [])
    plan.syscall(label, "symlinkat", [plan.string(name), top, plan.string(controller)], { tolerate: [EEXIST] });
  plan.here(none);
}

function treeRequest(
  { controllers, version }: CgroupTree,
  label: string,
  attributes: number,
  onError: string,
): FileSystemRequest {
  const refusal = { tolerate: refused, onError };
  if (version === 2)
    return { type: "cgroup2", label, source: "cgroup", options: { flags: [], parameters: [] }, attributes, refusal };
  return {
    type: "cgroup",
    label,
    source: "cgroup",
    options: { flags: [], parameters: controllers },
    attributes,
    refusal,
  };
}
