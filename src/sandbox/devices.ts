/**
 * /dev of the box (runtime-spec config-linux.md "Default Devices"): host nodes bound in, since mknod(2) of devices is
 * refused in a user namespace, and the usual symlinks.
 */
import { O_CLOEXEC, O_CREAT, O_NOCTTY, O_NOFOLLOW, O_NONBLOCK, O_RDONLY } from "../../ffi/constants.ts";
import { EEXIST } from "../../ffi/errno.ts";
import type { LinuxDevice } from "../oci/runtime.ts";
import { cloneTree } from "./mounts.ts";
import { attachMount, makeDirectoryInRoot, makeFileInRoot, type RootPlan } from "./paths.ts";
import type { Slot } from "./steps.ts";

const defaultDevices = ["null", "zero", "full", "random", "urandom", "tty"] as const;

const links: readonly (readonly [name: string, target: string])[] = [
  ["fd", "/proc/self/fd"],
  ["stdin", "/proc/self/fd/0"],
  ["stdout", "/proc/self/fd/1"],
  ["stderr", "/proc/self/fd/2"],
  ["core", "/proc/kcore"],
  ["ptmx", "pts/ptmx"],
];

/** Steps that fill /dev of the box: the default devices and links. */
export function makeDefaultDevices(context: RootPlan): void {
  const { plan, parent: dev } = context;
  makeDirectoryInRoot({ ...context, found: dev }, "/dev");
  for (const name of defaultDevices) {
    openPlace(context, dev, name);
    cloneTree(context, `bind /dev/${name}`, { path: `/dev/${name}` }, false);
    attachMount(context, `bind /dev/${name}`);
  }
  for (const [name, target] of links)
    plan.syscall(`link /dev/${name} to ${target}`, "symlinkat", [plan.string(target), dev, plan.string(name)], {
      tolerate: [EEXIST],
    });
}

/** Steps that bind the devices of config.json, which the host has under the same path. */
export function bindDevices(context: RootPlan, devices: readonly LinuxDevice[]): void {
  for (const { path } of devices) {
    const label = `bind the device ${path}`;
    cloneTree(context, label, { path }, false);
    makeFileInRoot(context, path);
    attachMount(context, label);
  }
}

/**
 * Steps that leave `name` in the directory `dev` open in `found`, to be mounted on; made if it is missing. Whatever an
 * image has there, a FIFO say, must not hold us up.
 */
export function openPlace({ plan, found }: RootPlan, dev: Slot, name: string): void {
  const flags = O_RDONLY | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
  plan.syscall(`make /dev/${name}`, "openat", [dev, plan.string(name), flags, 0o644], { save: found.slot });
}
