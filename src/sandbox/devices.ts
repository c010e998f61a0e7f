/**
 * /dev of the box (runtime-spec config-linux.md "Default Devices"): host nodes bound in, since mknod(2) of devices is
 * refused in a user namespace, and the usual symlinks.
 */
import { O_CLOEXEC, O_CREAT, O_NOFOLLOW, O_WRONLY } from "../../ffi/constants.ts";
import { EEXIST } from "../../ffi/errno.ts";
import { cloneTree } from "./mounts.ts";
import { attachMount, closeFound, makeDirectoryInRoot, makeFileInRoot, type RootPlan, splitPath } from "./paths.ts";
import { closeSlot } from "./steps.ts";

const defaultDevices = ["null", "zero", "full", "random", "urandom", "tty"] as const;

const links: readonly (readonly [path: string, target: string])[] = [
  ["/dev/fd", "/proc/self/fd"],
  ["/dev/stdin", "/proc/self/fd/0"],
  ["/dev/stdout", "/proc/self/fd/1"],
  ["/dev/stderr", "/proc/self/fd/2"],
  ["/dev/ptmx", "pts/ptmx"],
];

/** Steps that fill /dev: default devices, and those of config.json that the host has under the same path. */
export function makeDevices(
  context: RootPlan,
  further: readonly { readonly path: string; readonly source: string }[],
): void {
  const { plan, found } = context;
  makeDirectoryInRoot(context, "/dev");
  const dev = { slot: plan.slot() };
  plan.syscall("keep /dev open", "dup", [found], { save: dev.slot });
  closeFound(context);
  for (const name of defaultDevices) {
    plan.syscall(
      `make /dev/${name}`,
      "openat",
      [dev, plan.string(name), O_CREAT | O_WRONLY | O_NOFOLLOW | O_CLOEXEC, 0o666],
      {
        save: found.slot,
      },
    );
    cloneTree(context, `bind /dev/${name}`, { path: `/dev/${name}` }, false);
    attachMount(context, `bind /dev/${name}`);
  }
  for (const [path, target] of links) {
    const link = [plan.string(target), dev, plan.string(splitPath(path).name)] as const;
    plan.syscall(`link ${path} to ${target}`, "symlinkat", link, { tolerate: [EEXIST] });
  }
  closeSlot(plan, dev);
  for (const device of further) {
    cloneTree(context, `bind the device ${device.source}`, { path: device.source }, false);
    makeFileInRoot(context, device.path);
    attachMount(context, `bind the device ${device.source} on ${device.path}`);
  }
}
