/**
 * /dev of the box (runtime-spec config-linux.md "Devices", "Default Devices") and the usual symlinks. With a user namespace,
 * where mknod(2) of devices is refused, a device is the host's node bound in; without one it is made. FIFOs are made always.
 */
import {
  AT_SYMLINK_NOFOLLOW,
  O_CLOEXEC,
  O_CREAT,
  O_NOCTTY,
  O_NOFOLLOW,
  O_NONBLOCK,
  O_PATH,
  O_RDONLY,
  S_IFBLK,
  S_IFCHR,
  S_IFIFO,
} from "../../ffi/constants.ts";
import { EEXIST, ENODEV, ENOENT, EPERM } from "../../ffi/errno.ts";
import { DevboxError } from "../core/errors.ts";
import type { LinuxDevice, RuntimeConfig } from "../oci/runtime.ts";
import { cloneTree } from "./detached.ts";
import type { SandboxInput } from "./input.ts";
import { parseMountOptions } from "./mount-options.ts";
import { attachMount, cleanInside, makeDirectoryInRoot, makeFileInRoot, type RootPlan, splitPath } from "./paths.ts";
import { continueIfEqual, jumpTo, readStatus, type Slot, statField } from "./steps.ts";
import { defaultUmask } from "./surroundings.ts";

const defaultDevices: Readonly<Record<string, readonly [major: number, minor: number]>> = {
  null: [1, 3],
  zero: [1, 5],
  full: [1, 7],
  random: [1, 8],
  urandom: [1, 9],
  tty: [5, 0],
};

const links: readonly (readonly [name: string, target: string])[] = [
  ["fd", "/proc/self/fd"],
  ["stdin", "/proc/self/fd/0"],
  ["stdout", "/proc/self/fd/1"],
  ["stderr", "/proc/self/fd/2"],
  ["core", "/proc/kcore"],
];

/** Steps that fill /dev of the box, unless a directory is bound there, and make the devices of config.json. */
export function makeDevices(context: RootPlan, input: SandboxInput): void {
  const { plan } = context;
  const { config } = input;
  const bound = bringsDevices(config);
  const devices = (config.linux.devices ?? []).map((device, index) => ({
    device,
    index,
    path: cleanInside(device.path),
  }));
  const makesNodes = !hasUserNamespace(config) || devices.some(({ device }) => device.type === "p");
  // Here every mode is named, and is to be what it says.
  if (makesNodes) plan.syscall("set no umask", "umask", [0]);
  if (!bound) makeDefaults(context, config, new Set(devices.map(({ path }) => path)));
  for (const { device, index, path } of devices) {
    // What is the host's directory is left as it is; the links of /dev are the runtime's (runc: setupPtmx).
    if ((bound && path.startsWith("dev/")) || path === "dev/ptmx") continue;
    makeDevice(context, device, index, input);
  }
  if (makesNodes) plan.syscall("set the umask", "umask", [defaultUmask]);
}

/** A directory bound on /dev is used as it is, as runc does: with `-v /dev:/dev` there is nothing to add. */
function bringsDevices({ mounts }: RuntimeConfig): boolean {
  return mounts.some(
    ({ destination, type, options }) =>
      cleanInside(destination) === "dev" && parseMountOptions(options ?? [], type).bind,
  );
}

function makeDefaults(context: RootPlan, config: RuntimeConfig, others: ReadonlySet<string>): void {
  const { plan, parent: dev } = context;
  makeDirectoryInRoot({ ...context, found: dev }, "/dev");
  const devices = Object.entries(defaultDevices).filter(([name]) => !others.has(`dev/${name}`));
  for (const [name, numbers] of devices) {
    if (hasUserNamespace(config)) bindDefault(context, dev, name);
    else makeDefault(context, dev, name, numbers);
  }
  for (const [name, target] of links) link(context, dev, name, target, [EEXIST]);
  const there = plan.mark("ptmx is there");
  const made = plan.mark("ptmx");
  // The multiplexer of the box's own terminals; the node of an image would open the host's.
  link(context, dev, "ptmx", "pts/ptmx", [EEXIST], there);
  jumpTo(plan, made);
  plan.here(there);
  plan.syscall("replace /dev/ptmx of the image", "unlinkat", [dev, plan.string("ptmx"), 0]);
  link(context, dev, "ptmx", "pts/ptmx", []);
  plan.here(made);
}

function hasUserNamespace({ linux }: RuntimeConfig): boolean {
  return linux.namespaces.some(({ type }) => type === "user");
}

function link(
  { plan }: RootPlan,
  dev: Slot,
  name: string,
  target: string,
  tolerate: readonly number[],
  onError?: string,
): void {
  plan.syscall(`link /dev/${name} to ${target}`, "symlinkat", [plan.string(target), dev, plan.string(name)], {
    ...(tolerate.length === 0 ? {} : { tolerate }),
    ...(onError === undefined ? {} : { onError }),
  });
}

function bindDefault(context: RootPlan, dev: Slot, name: string): void {
  openPlace(context, dev, name);
  cloneTree(context, `bind /dev/${name}`, { path: `/dev/${name}` }, false);
  attachMount(context, `bind /dev/${name}`);
}

/** What an image has there is covered by the host's, which is what it says it is. */
function makeDefault(context: RootPlan, dev: Slot, name: string, [major, minor]: readonly [number, number]): void {
  const { plan } = context;
  const [other, made] = [plan.mark("refused"), plan.mark("made")];
  const number = deviceNumber(major, minor);
  plan.syscall(`make /dev/${name}`, "mknodat", [dev, plan.string(name), S_IFCHR | 0o666, number], {
    tolerate: [EEXIST, EPERM],
    onError: other,
  });
  jumpTo(plan, made);
  plan.here(other);
  bindDefault(context, dev, name);
  plan.here(made);
}

const types: Readonly<Record<LinuxDevice["type"], number>> = { c: S_IFCHR, u: S_IFCHR, b: S_IFBLK, p: S_IFIFO };

function makeDevice(context: RootPlan, device: LinuxDevice, index: number, input: SandboxInput): void {
  const { path, type, major, minor } = device;
  const label = `make the device ${path} of linux.devices[${index}]`;
  if (type !== "p" && (major === undefined || minor === undefined))
    throw new DevboxError("BAD_CONFIG", { step: label, because: "it has no numbers" });
  const source = input.deviceSources?.[index] ?? path;
  if (type !== "p" && hasUserNamespace(input.config)) bindNode(context, device, label, source);
  else makeNode(context, device, label, source);
}

/**
 * mknod(2). What is there already must be the same (config-linux.md "Devices"). The mode is given when it is made, and the
 * owner by a call that follows no symlink: nobody who shares the directory can turn them to another file.
 */
function makeNode(context: RootPlan, device: LinuxDevice, label: string, source: string): void {
  const { plan, parent, found } = context;
  const { type, major = 0, minor = 0, fileMode = 0o666, uid = 0, gid = 0 } = device;
  const { directory, name } = splitPath(device.path);
  const mode = types[type] | (fileMode & 0o7777);
  const [there, refused, made] = [plan.mark("it is there"), plan.mark("refused"), plan.mark("made")];
  makeDirectoryInRoot({ ...context, found: parent }, directory, { purpose: "directory of a device" });
  const number = type === "p" ? 0 : deviceNumber(major, minor);
  plan.syscall(label, "mknodat", [parent, plan.string(name), mode, number], {
    tolerate: [EEXIST, EPERM],
    onError: there,
  });
  if (uid !== 0 || gid !== 0)
    plan.syscall(`${label}: owner`, "fchownat", [parent, plan.string(name), uid, gid, AT_SYMLINK_NOFOLLOW]);
  jumpTo(plan, made);
  plan.here(there);
  plan.syscall(label, "openat", [parent, plan.string(name), O_PATH | O_NOFOLLOW | O_CLOEXEC, 0], {
    save: found.slot,
    tolerate: [ENOENT],
    onError: refused,
  });
  const isMode = { field: statField.mode, value: mode };
  requireStatus(
    context,
    `${label}: something else is there`,
    found,
    [isMode, ...(type === "p" ? [] : numbersOf(device))],
    EEXIST,
  );
  jumpTo(plan, made);
  plan.here(refused);
  // A kernel that lets nobody make devices here (EPERM): the host's own serves.
  if (type === "p") plan.add({ kind: "fail", label, errno: EPERM });
  else bindNode(context, device, label, source);
  plan.here(made);
}

/** The host's node, which must be the very device: a box is not given another one because of its path. */
function bindNode(context: RootPlan, device: LinuxDevice, label: string, source: string): void {
  cloneTree(context, `${label}: bind ${source}`, { path: source }, false);
  requireStatus(context, `${label}: ${source} is another device`, context.mount, numbersOf(device), ENODEV);
  makeFileInRoot(context, device.path);
  attachMount(context, label);
}

function numbersOf({ major = 0, minor = 0 }: LinuxDevice): readonly Expectation[] {
  return [
    { field: statField.deviceMajor, value: major },
    { field: statField.deviceMinor, value: minor },
  ];
}

interface Expectation {
  readonly field: number;
  readonly value: number;
}

/** Steps that fail with `errno` unless the file in `file` is what is expected. */
function requireStatus(
  { plan }: RootPlan,
  label: string,
  file: Slot,
  expected: readonly Expectation[],
  errno: number,
): void {
  const [other, same] = [plan.mark("another one"), plan.mark("the same")];
  const data = readStatus(plan, label, file);
  for (const { field, value } of expected) continueIfEqual(plan, label, { data, offset: field, value }, other);
  jumpTo(plan, same);
  plan.here(other);
  plan.add({ kind: "fail", label, errno });
  plan.here(same);
}

/** dev_t as the kernel takes it (linux/kdev_t.h, new_encode_dev): 12 bits of the major number, 20 of the minor. */
export function deviceNumber(major: number, minor: number): number {
  return ((minor & 0xff) | ((major & 0xfff) << 8) | ((minor & 0xfff00) << 12)) >>> 0;
}

/**
 * Steps that leave `name` in the directory `dev` open in `found`, to be mounted on; made if it is missing. Whatever an
 * image has there, a FIFO say, must not hold us up, and no symlink leads the mount elsewhere (CVE-2025-52565).
 */
export function openPlace({ plan, found }: RootPlan, dev: Slot, name: string): void {
  const flags = O_RDONLY | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
  plan.syscall(`make /dev/${name}`, "openat", [dev, plan.string(name), flags, 0o644], { save: found.slot });
}
