/**
 * The mounts of config.json (runtime-spec config.md "Mounts") as steps: made detached (fsopen(2), open_tree(2)),
 * given their attributes, and attached by descriptor to a destination that the kernel resolved inside the root. So no
 * symlink, also none that is put there while we look, turns a mount to another place (CVE-2021-30465).
 */
import {
  AT_FDCWD,
  MOUNT_ATTR_NODEV,
  MOUNT_ATTR_NOEXEC,
  MOUNT_ATTR_NOSUID,
  MOUNT_ATTR_RDONLY,
  O_CLOEXEC,
  O_DIRECTORY,
  O_PATH,
} from "../../ffi/constants.ts";
import { EPERM } from "../../ffi/errno.ts";
import { DevboxError } from "../core/errors.ts";
import type { RuntimeMount } from "../oci/runtime.ts";
import { cgroupMount } from "./cgroup-mounts.ts";
import { changeMount, cloneTree, readonlyTree, setAttributes, setPropagation } from "./detached.ts";
import { type FileSystemRequest, mountOldWay, needsOldMount, newFileSystem, reconfigure } from "./file-system.ts";
import { isIdmapped, mapIdsInBox } from "./idmapped.ts";
import type { SandboxInput } from "./input.ts";
import { type MountOptions, parseMountOptions } from "./mount-options.ts";
import { firstLateFd, maxLate } from "./numbers.ts";
import {
  attachMount,
  cleanInside,
  makeDirectoryInRoot,
  makeFileInRoot,
  openDirectoryInRoot,
  openInRoot,
  type RootPlan,
} from "./paths.ts";
import { requireDestination, requireProcfs } from "./proc-destination.ts";
import { closeSourcesAfter, type OpenedSources, takeSource } from "./sources.ts";
import { jumpTo, readStatus, statField } from "./steps.ts";
import { copyUp } from "./tmpcopyup.ts";

/** Steps for all mounts of config.json, in their order. */
export function mountAll(context: RootPlan, input: SandboxInput, opened: OpenedSources): void {
  const { mounts, linux } = input.config;
  if (mountLabel(input) !== undefined) requireSelinux(context, linux.mountLabel ?? "");
  for (const mount of mounts) {
    const options = parseMountOptions(mount.options ?? [], mount.type);
    requireDestination(mount, options);
    if (options.remount) remount(context, mount, options);
    else if (options.bind) bindMount(context, mount, options, input, opened);
    else if (mount.type === "cgroup" || mount.type === "cgroup2") cgroupMount(context, mount, options, input);
    else fileSystemMount(context, mount, options, input);
  }
  closeSourcesAfter(context, opened);
}

/** Steps when all is built: mounts that are to be read-only, and had to be filled first. */
export function finishMounts({ plan, progress }: RootPlan): void {
  for (const [index, label] of progress.late.entries())
    changeMount(plan, firstLateFd + index, `${label}: ro`, { set: MOUNT_ATTR_RDONLY }, 0);
}

function bindMount(
  context: RootPlan,
  mount: RuntimeMount,
  options: MountOptions,
  input: SandboxInput,
  opened: OpenedSources,
): void {
  const { source = "", destination } = mount;
  const label = `bind ${source} on ${destination}`;
  requireNoParameters(options, label);
  takeSource(context, mount, label, opened);
  requireProcfs(context, mount, label);
  if (isIdmapped(mount) && !opened.taken.has(mount)) mapIdsInBox(context.plan, mount, context.mount, input.idMap);
  setAttributes(context, label, options.attributes);
  setPropagation(context, label, options);
  if (input.sourceKinds.get(source) === "file") makeFileInRoot(context, destination);
  else makeDirectoryInRoot(context, destination);
  attachMount(context, label);
}

/** mount(2) would not read them, and a typing error (`r0`) must not make a place writable. */
function requireNoParameters({ parameters, copyUp }: MountOptions, label: string): void {
  const [unknown] = copyUp ? ["tmpcopyup"] : parameters;
  if (unknown === undefined) return;
  const because = "it is no option of a bind mount, and a file system that could know it is not mounted";
  throw new DevboxError("BAD_CONFIG", { step: `${label}: option ${unknown}`, because });
}

function fileSystemMount(context: RootPlan, mount: RuntimeMount, options: MountOptions, input: SandboxInput): void {
  const { type = "none", destination, source } = mount;
  const label = `mount ${type} on ${destination}`;
  const late = isLate(context, type, destination, options);
  const { set, setRecursive } = options.attributes;
  const attributes = (set | setRecursive) & ~(late ? MOUNT_ATTR_RDONLY : 0);
  const request: FileSystemRequest = { type, label, source, options, attributes, context: labelOf(type, input) };
  if (options.copyUp) {
    if (type === "tmpfs")
      copyUp(context, {
        request,
        mount,
        options,
        input,
        plain: () => plainMount(context, request, mount, options, input),
      });
    else throw new DevboxError("BAD_CONFIG", { step: `${label}: option tmpcopyup`, because: "only a tmpfs has it" });
  } else plainMount(context, request, mount, options, input);
  if (late) keepForLater(context, label);
}

function plainMount(
  context: RootPlan,
  request: FileSystemRequest,
  mount: RuntimeMount,
  options: MountOptions,
  { idMap }: SandboxInput,
): void {
  const { type, label } = request;
  const { destination } = mount;
  // Later steps rely on what they find there, and a symlink could be turned meanwhile by who shares a volume with this
  // box (CVE-2019-19921): runc wants ordinary directories for these two as well.
  const place = { symlinks: type !== "proc" && type !== "sysfs" };
  if (needsOldMount(request)) {
    makeDirectoryInRoot(context, destination, place);
    mountOldWay(context, request);
    openInRoot({ ...context, found: context.mount }, destination, { label });
    setPropagation(context, label, options);
    return;
  }
  const isProc = type === "proc" && cleanInside(destination) === "proc";
  const own = isProc ? { ...context, mount: context.proc } : context;
  context.progress.ownProc ||= isProc;
  if (type === "sysfs" && idMap !== undefined) sysfsOrHosts(own, request);
  else newFileSystem(own, request);
  // Before its ids are mapped: the owner of its top may be nobody afterwards, whose files cannot be changed (EOVERFLOW).
  if (type === "tmpfs" && !hasMode(options)) keepMode(context, label, destination);
  if (isIdmapped(mount)) mapIdsInBox(context.plan, mount, own.mount, idMap);
  setPropagation(own, label, options);
  makeDirectoryInRoot(context, destination, place);
  attachMount(own, label);
}

/**
 * A user namespace may mount the sysfs of a network namespace that belongs to it (user_namespaces(7)); in another one's it
 * sees the host's, read-only, as under crun.
 */
function sysfsOrHosts(context: RootPlan, request: FileSystemRequest): void {
  const { plan } = context;
  const { label, attributes } = request;
  const [refused, made] = [plan.mark("not our network's"), plan.mark("the sysfs is made")];
  newFileSystem(context, { ...request, refusal: { tolerate: [EPERM], onError: refused } });
  jumpTo(plan, made);
  plan.here(refused);
  cloneTree(context, `${label}: bind the host's /sys`, { path: "/sys" }, true);
  const setRecursive = readonlyTree.setRecursive | (attributes & inherited);
  setAttributes(context, `${label}: make the host's /sys read-only`, { ...readonlyTree, setRecursive });
  plan.here(made);
}

const inherited = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC;

/** A tmpfs without a mode of its own takes that of the directory that it covers, as under runc; the mode 1777 is for a new one. */
function keepMode(context: RootPlan, label: string, destination: string): void {
  const { plan, mount, found } = context;
  const missing = plan.mark("no directory yet");
  openDirectoryInRoot(context, destination, missing);
  const status = readStatus(plan, label, found);
  plan.scoped(() => {
    const mode = { slot: plan.slot() };
    plan.add({ kind: "load", slot: mode.slot, from: status, offset: statField.mode, width: 4 });
    plan.syscall(label, "fchmodat", [mount, plan.string("."), mode]);
  });
  plan.here(missing);
}

function hasMode({ parameters }: MountOptions): boolean {
  return parameters.some((parameter) => parameter.startsWith("mode="));
}

/**
 * A tmpfs, and whatever is on /dev, must be filled (with devices, mount points) before it is read-only. There are as many
 * descriptors for it as a hundred boxes need; what exceeds them is read-only at once.
 */
function isLate({ progress }: RootPlan, type: string, destination: string, { attributes }: MountOptions): boolean {
  const readonly = ((attributes.set | attributes.setRecursive) & MOUNT_ATTR_RDONLY) !== 0;
  return readonly && (type === "tmpfs" || cleanInside(destination) === "dev") && progress.late.length < maxLate;
}

function keepForLater({ plan, mount, progress }: RootPlan, label: string): void {
  plan.syscall(label, "dup3", [mount, firstLateFd + progress.late.length, O_CLOEXEC]);
  progress.late.push(label);
}

/** `remount`: what is mounted there changes, in what is named and nothing else; with `bind` only the mount, not its file system. */
function remount(context: RootPlan, { destination }: RuntimeMount, options: MountOptions): void {
  const label = `remount ${destination}`;
  if (options.bind) requireNoParameters(options, label);
  openInRoot(context, destination, { label });
  if (options.flags.length + options.parameters.length > 0 && !options.bind) reconfigure(context, { label, options });
  const there = { ...context, mount: context.found };
  setAttributes(there, label, options.attributes);
  setPropagation(there, label, options);
}

function mountLabel({ config }: SandboxInput): string | undefined {
  const { mountLabel: label } = config.linux;
  return label === "" ? undefined : label;
}

/** These have labels of the kernel's own; runc leaves them out as well. */
const unlabelled: ReadonlySet<string> = new Set(["proc", "sysfs", "mqueue"]);

function labelOf(type: string, input: SandboxInput): string | undefined {
  return unlabelled.has(type) ? undefined : mountLabel(input);
}

/** A label is an error where SELinux is not enabled, as under runc: the directory is there only where it is. */
function requireSelinux({ plan, found }: RootPlan, label: string): void {
  const step = `label mounts with linux.mountLabel ${label}: find SELinux`;
  const flags = O_PATH | O_DIRECTORY | O_CLOEXEC;
  plan.syscall(step, "openat", [AT_FDCWD, plan.string("/sys/fs/selinux"), flags, 0], { save: found.slot });
}
