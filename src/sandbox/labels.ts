/**
 * Labels of the security modules: AppArmor's profile and SELinux' label that the command gets (runtime-spec config.md "Linux
 * Process"). Written through the host's /proc, which nobody in the box has made (CVE-2019-16884).
 */
import { AT_FDCWD, F_OK, O_CLOEXEC, O_WRONLY } from "../../ffi/constants.ts";
import { EBADF, EINVAL, ENOENT } from "../../ffi/errno.ts";
import type { Argument } from "../../ffi/launcher/wire.ts";
import type { PlanBuilder } from "../launch/plan.ts";
import type { RuntimeProcess } from "../oci/runtime.ts";
import type { Slot } from "./steps.ts";

/** Open files of the process's own attributes. */
export interface OpenLabels {
  readonly apparmor?: Slot;
  readonly selinux?: Slot;
}

/** The host's /proc: where it is, or a descriptor of it where it is no more. */
export type HostProc = "/proc" | { readonly fd: string };

/** `name` in the host's /proc, as the first two arguments of openat(2) and its kin. */
export function inHostProc(plan: PlanBuilder, proc: HostProc, name: string): readonly [Argument, Argument] {
  return proc === "/proc" ? [AT_FDCWD, plan.string(`/proc/${name}`)] : [proc, plan.string(name)];
}

/**
 * Steps that open what is written to by `setLabels`, in the process that becomes the command: a file of /proc/self/attr takes
 * only what its opener writes, with the credentials that it had.
 */
export function openLabels(plan: PlanBuilder, process: RuntimeProcess, proc: HostProc): OpenLabels {
  const { apparmorProfile, selinuxLabel } = process;
  return {
    ...(apparmorProfile === undefined ? {} : { apparmor: openApparmor(plan, apparmorProfile, proc) }),
    ...(selinuxLabel === undefined ? {} : { selinux: openSelinux(plan, proc) }),
  };
}

function open(
  plan: PlanBuilder,
  label: string,
  path: readonly [Argument, Argument],
  tolerate: readonly number[] = [],
): Slot {
  const file = { slot: plan.descriptor() };
  plan.syscall(label, "openat", [...path, O_WRONLY | O_CLOEXEC, 0], { save: file.slot, tolerate });
  return file;
}

/** The directory of its own (5.1) is there where the kernel has AppArmor. Without it everything is unconfined anyway. */
function openApparmor(plan: PlanBuilder, profile: string, proc: HostProc): Slot {
  const tolerate = profile === unconfined ? [ENOENT] : [];
  return open(plan, "find AppArmor", inHostProc(plan, proc, "thread-self/attr/apparmor/exec"), tolerate);
}

/** attr/exec is there without SELinux as well, and then refuses what is written; its file system is mounted only with it. */
function openSelinux(plan: PlanBuilder, proc: HostProc): Slot {
  const label = "find SELinux";
  if (proc === "/proc") plan.syscall(label, "faccessat2", [AT_FDCWD, plan.string("/sys/fs/selinux/enforce"), F_OK, 0]);
  return open(plan, label, inHostProc(plan, proc, "thread-self/attr/exec"));
}

const unconfined = "unconfined";

/** Steps that set the labels of the next execve(2). */
export function setLabels(plan: PlanBuilder, labels: OpenLabels, process: RuntimeProcess): void {
  const { apparmorProfile = "", selinuxLabel = "" } = process;
  if (labels.apparmor !== undefined) {
    const set = plan.mark("AppArmor");
    const isUnconfined = apparmorProfile === unconfined;
    // EBADF: it could not be opened, which is as good. EINVAL: AppArmor was switched off at boot.
    const options = isUnconfined ? { tolerate: [EBADF, EINVAL], onError: set } : {};
    const label = `set the AppArmor profile ${apparmorProfile}`;
    write(plan, label, labels.apparmor, `exec ${apparmorProfile}`, options);
    plan.here(set);
  }
  if (labels.selinux !== undefined) write(plan, `set the SELinux label ${selinuxLabel}`, labels.selinux, selinuxLabel);
}

function write(
  plan: PlanBuilder,
  label: string,
  file: Slot,
  text: string,
  options: { readonly tolerate?: readonly number[]; readonly onError?: string } = {},
): void {
  const bytes = new TextEncoder().encode(text);
  plan.syscall(label, "write", [file, plan.bytes(bytes), bytes.length], options);
}
