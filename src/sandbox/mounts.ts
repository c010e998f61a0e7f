/**
 * The mounts of config.json (runtime-spec config.md "Mounts") as steps: made detached (fsopen(2), open_tree(2)),
 * given their attributes, and attached by descriptor to a destination that the kernel resolved inside the root.
 */
import {
  AT_EMPTY_PATH,
  AT_FDCWD,
  AT_RECURSIVE,
  FSCONFIG_CMD_CREATE,
  FSCONFIG_SET_FLAG,
  FSCONFIG_SET_STRING,
  FSMOUNT_CLOEXEC,
  FSOPEN_CLOEXEC,
  MOUNT_ATTR_RDONLY,
  OPEN_TREE_CLOEXEC,
  OPEN_TREE_CLONE,
} from "../../ffi/constants.ts";
import { EBUSY, EINVAL, ENODEV, ENOENT, EPERM } from "../../ffi/errno.ts";
import type { Data } from "../../ffi/launcher/wire.ts";
import type { RuntimeMount } from "../oci/runtime.ts";
import type { SandboxInput } from "./input.ts";
import { type MountAttributes, type MountOptions, parseMountOptions } from "./mount-options.ts";
import { attachMount, makeDirectoryInRoot, makeFileInRoot, type RootPlan } from "./paths.ts";
import { jumpTo } from "./steps.ts";

/** Steps for one mount of config.json. */
export function mountInRoot(context: RootPlan, mount: RuntimeMount, input: SandboxInput): void {
  const options = parseMountOptions(mount.options ?? [], mount.type);
  if (options.bind) bindMount(context, mount, options, input);
  else if (mount.type === "cgroup" || mount.type === "cgroup2") cgroupMount(context, mount, options);
  else typeMount(context, mount, options);
}

function typeMount(context: RootPlan, mount: RuntimeMount, options: MountOptions): void {
  const type = mount.type ?? "none";
  const label = `mount ${type} on ${mount.destination}`;
  newFileSystem(context, type, label, options, mount.source);
  setPropagation(context, label, options);
  // Later steps rely on what they find there, and a symlink could be turned meanwhile by who shares a volume with this
  // box (CVE-2019-19921): runc wants ordinary directories for these two as well.
  makeDirectoryInRoot(context, mount.destination, { symlinks: type !== "proc" && type !== "sysfs" });
  attachMount(context, label);
}

/** Steps that leave a new detached file system of `type` in `mount`. */
function newFileSystem(
  { plan, mount, found }: RootPlan,
  type: string,
  label: string,
  options: MountOptions,
  source: string | undefined,
  refusal?: { readonly tolerate: readonly number[]; readonly onError: string },
): void {
  const configure = (command: number, key: string | undefined, value: string | undefined, note: string): void =>
    plan.syscall(
      `${label}${note}`,
      "fsconfig",
      [found, command, key === undefined ? 0 : plan.string(key), value === undefined ? 0 : plan.string(value), 0],
      command === FSCONFIG_CMD_CREATE ? refusal : undefined,
    );
  plan.syscall(label, "fsopen", [plan.string(type), FSOPEN_CLOEXEC], { save: found.slot });
  if (source !== undefined) configure(FSCONFIG_SET_STRING, "source", source, "");
  for (const parameter of options.parameters) {
    const equals = parameter.indexOf("=");
    if (equals < 0) configure(FSCONFIG_SET_FLAG, parameter, undefined, `: option ${parameter}`);
    else
      configure(FSCONFIG_SET_STRING, parameter.slice(0, equals), parameter.slice(equals + 1), `: option ${parameter}`);
  }
  configure(FSCONFIG_CMD_CREATE, undefined, undefined, "");
  const { set, setRecursive } = options.attributes;
  plan.syscall(label, "fsmount", [found, FSMOUNT_CLOEXEC, set | setRecursive], { save: mount.slot });
}

/**
 * cgroup: version 2 under the box's own cgroup namespace. A host on version 1, or a kernel that refuses it to us
 * (EPERM), shows the host's tree read-only, as runc's rootless spec does; a host without cgroups shows none.
 */
function cgroupMount(context: RootPlan, mount: RuntimeMount, options: MountOptions): void {
  const { plan } = context;
  const [refused, attach, none] = [plan.mark("cgroup-refused"), plan.mark("cgroup-attach"), plan.mark("no-cgroup")];
  const label = `mount cgroup2 on ${mount.destination}`;
  newFileSystem(context, "cgroup2", label, options, "cgroup", {
    tolerate: [EPERM, EBUSY, EINVAL, ENODEV],
    onError: refused,
  });
  jumpTo(plan, attach);
  plan.here(refused);
  cloneTree(context, "bind the host's /sys/fs/cgroup", { path: "/sys/fs/cgroup" }, true, none);
  setAttributes(context, "make the host's /sys/fs/cgroup read-only", readonlyTree);
  plan.here(attach);
  makeDirectoryInRoot(context, mount.destination);
  attachMount(context, label);
  plan.here(none);
}

export const readonlyTree: MountAttributes = {
  set: 0,
  clear: 0,
  setRecursive: MOUNT_ATTR_RDONLY,
  clearRecursive: 0,
};

function bindMount(context: RootPlan, mount: RuntimeMount, options: MountOptions, input: SandboxInput): void {
  const source = mount.source ?? "";
  const label = `bind ${source} on ${mount.destination}`;
  cloneTree(context, label, { path: source }, options.recursive);
  setAttributes(context, label, options.attributes);
  setPropagation(context, label, options);
  if (input.sourceKinds.get(source) === "file") makeFileInRoot(context, mount.destination);
  else makeDirectoryInRoot(context, mount.destination);
  attachMount(context, label);
}

/**
 * Steps that leave a detached copy of a mount (a path of the host, or what a slot holds) in `mount`. With `orElse`, a
 * missing source continues there.
 */
export function cloneTree(
  { plan, mount }: RootPlan,
  label: string,
  source: { readonly path: string } | { readonly slot: number },
  recursive: boolean,
  orElse?: string,
): void {
  const [directory, path] = "path" in source ? [AT_FDCWD, source.path] : [source, ""];
  const flags =
    OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | (recursive ? AT_RECURSIVE : 0) | ("path" in source ? 0 : AT_EMPTY_PATH);
  plan.syscall(label, "open_tree", [directory, plan.string(path), flags], {
    save: mount.slot,
    ...(orElse === undefined ? {} : { tolerate: [ENOENT], onError: orElse }),
  });
}

/** Steps that set attributes on the detached mount in `mount`: on itself, and on all below it. */
export function setAttributes({ plan, mount }: RootPlan, label: string, attributes: MountAttributes): void {
  const change = (set: number, clear: number, flags: number): void => {
    if (set === 0 && clear === 0) return;
    const attr = { data: mountAttr(set, clear, 0) };
    plan.syscall(label, "mount_setattr", [mount, plan.string(""), AT_EMPTY_PATH | flags, attr, mountAttrSize]);
  };
  // Clearing is left out where nothing of the same field is set: a host mount's own nosuid, nodev, ro are locked in
  // our namespace (mount_namespaces(7) "Restrictions"), and asking for `rw` must not fail on a tree that has them.
  const { set, setRecursive } = attributes;
  change(set, set === 0 ? 0 : attributes.clear & accessTimes, 0);
  change(setRecursive, setRecursive === 0 ? 0 : attributes.clearRecursive & accessTimes, AT_RECURSIVE);
}

function setPropagation({ plan, mount }: RootPlan, label: string, options: MountOptions): void {
  if (options.propagation === 0) return;
  const attr = { data: mountAttr(0, 0, options.propagation) };
  const flags = AT_EMPTY_PATH | (options.propagationRecursive ? AT_RECURSIVE : 0);
  plan.syscall(`${label}: propagation`, "mount_setattr", [mount, plan.string(""), flags, attr, mountAttrSize]);
}

const accessTimes = 0x70;
const mountAttrSize = 32;

/** struct mount_attr (mount_setattr(2)): set, clear, propagation, userns descriptor; 64 bits each. */
function mountAttr(set: number, clear: number, propagation: number): Data {
  const bytes = new Uint8Array(mountAttrSize);
  const view = new DataView(bytes.buffer);
  view.setBigUint64(0, BigInt(set), true);
  view.setBigUint64(8, BigInt(clear), true);
  view.setBigUint64(16, BigInt(propagation), true);
  return { bytes };
}
