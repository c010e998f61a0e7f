/**
 * Who the command is: limits, capabilities, ids, seccomp (runtime-spec config.md "process"). The order matters and is
 * the one of runc: a filter without no_new_privs needs CAP_SYS_ADMIN and so comes before the capabilities are given up;
 * with it, it comes last, when nothing more is called than the filter must allow.
 */
import {
  _LINUX_CAPABILITY_VERSION_3,
  PR_CAP_AMBIENT,
  PR_CAP_AMBIENT_CLEAR_ALL,
  PR_CAP_AMBIENT_RAISE,
  PR_CAPBSET_DROP,
  PR_SET_KEEPCAPS,
  PR_SET_NO_NEW_PRIVS,
  PR_SET_PDEATHSIG,
  RLIMIT_NOFILE,
  SECCOMP_SET_MODE_FILTER,
  SIGKILL,
} from "../../ffi/constants.ts";
import { EINVAL, EPERM } from "../../ffi/errno.ts";
import type { Data } from "../../ffi/launcher/wire.ts";
import type { PlanBuilder } from "../launch/plan.ts";
import type { Capabilities, IdMap, RuntimeProcess, RuntimeUser, Seccomp } from "../oci/runtime.ts";
import { capabilityNames } from "../oci/runtime-words.ts";
import { capabilityMask, capabilityNumber } from "./capabilities.ts";
import type { SandboxInput } from "./input.ts";
import { rlimitBytes, rlimitNumber } from "./rlimits.ts";
import { compileSeccomp } from "./seccomp.ts";

/** Soft limit of open files where config.json says nothing: what systemd and docker give. */
const openFiles = 1024n;

/** Steps for the limits of the process; while it may still raise them as far as the host lets it. */
export function setLimits(plan: PlanBuilder, { rlimits = [] }: RuntimeProcess): void {
  if (!rlimits.some(({ type }) => type === "RLIMIT_NOFILE")) limitOpenFiles(plan);
  for (const limit of rlimits) {
    const data: Data = { bytes: rlimitBytes(limit) };
    plan.syscall(`set the limit ${limit.type}`, "prlimit64", [0, rlimitNumber(limit.type), { data }, 0]);
  }
}

/**
 * Bun has raised the soft limit of its own process to the hard one, which the box would inherit: too much for programs
 * that use select(2), or close all descriptors that there could be. The hard limit stays.
 */
function limitOpenFiles(plan: PlanBuilder): void {
  const [before, after] = [plan.buffer(16), plan.buffer(16)];
  const hard = plan.slot();
  new DataView(after.data.bytes.buffer).setBigUint64(0, openFiles, true);
  plan.syscall("read the limit of open files", "prlimit64", [0, RLIMIT_NOFILE, 0, before]);
  plan.add({ kind: "load", slot: hard, from: before.data, offset: 8, width: 8 });
  plan.add({ kind: "store", slot: hard, into: after.data, offset: 8, width: 8 });
  // EINVAL: the hard limit is lower still.
  plan.syscall("limit open files", "prlimit64", [0, RLIMIT_NOFILE, after, 0], { tolerate: [EINVAL] });
}

/** Steps that become the user of the process with its capabilities, filter and no_new_privs. */
export function becomeUser(plan: PlanBuilder, { config, facts, idMap, pipes }: SandboxInput): void {
  const { user, capabilities = noCapabilities, noNewPrivileges } = config.process;
  const { seccomp } = config.linux;
  const lateFilter = noNewPrivileges === true;
  if (user.uid !== 0) givePipes(plan, pipes, user.uid);
  if (seccomp !== undefined && !lateFilter) installFilter(plan, seccomp, facts.architecture);
  dropBounding(plan, capabilities);
  plan.syscall("keep capabilities over the change of user", "prctl", [PR_SET_KEEPCAPS, 1, 0, 0, 0]);
  setGroups(plan, user, idMap);
  plan.syscall(`become group ${user.gid}`, "setresgid", [user.gid, user.gid, user.gid]);
  plan.syscall(`become user ${user.uid}`, "setresuid", [user.uid, user.uid, user.uid]);
  plan.syscall("end keeping capabilities", "prctl", [PR_SET_KEEPCAPS, 0, 0, 0, 0]);
  setCapabilities(plan, capabilities);
  if (user.umask !== undefined) plan.syscall("set the umask", "umask", [user.umask]);
  // The change of ids has made the kernel forget it (prctl(2)).
  plan.syscall("die with the supervisor", "prctl", [PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0]);
  if (noNewPrivileges === true) plan.syscall("set no_new_privs", "prctl", [PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0]);
  if (seccomp !== undefined && lateFilter) installFilter(plan, seccomp, facts.architecture);
}

/** A process without capabilities in config.json has none, as under runc. */
const noCapabilities: Capabilities = { bounding: [], effective: [], permitted: [], inheritable: [], ambient: [] };

/**
 * A pipe belongs to who made it, the host's user, and could not be opened anew as /dev/stdout, where many images of
 * servers send their logs. runc does the same, to files as well: here those are the host user's own, and stay that.
 */
function givePipes(plan: PlanBuilder, pipes: readonly number[], uid: number): void {
  for (const stream of pipes)
    plan.syscall(`give stream ${stream} to user ${uid}`, "fchown", [stream, uid, -1], { tolerate: [EPERM, EINVAL] });
}

/** With one id of our own, the groups of the host stay: setgroups(2) is denied (user_namespaces(7)). */
function setGroups(plan: PlanBuilder, { additionalGids = [] }: RuntimeUser, idMap: IdMap | undefined): void {
  const isDenied = idMap?.gid.length === 1 && idMap.gid[0]?.size === 1;
  const list = { data: { bytes: groupList(additionalGids) } };
  plan.syscall("set the supplementary groups", "setgroups", [additionalGids.length, list], {
    tolerate: isDenied ? [EPERM] : [],
  });
}

/** seccomp(2) with a struct sock_fprog {u16 length; sock_filter *filter}. */
function installFilter(plan: PlanBuilder, seccomp: Seccomp, architecture: "x86_64" | "aarch64"): void {
  const { instructions, flags } = compileSeccomp(seccomp, architecture);
  const fprog: Data = { bytes: new Uint8Array(16), pointers: [{ offset: 8, to: { bytes: instructions } }] };
  new DataView(fprog.bytes.buffer).setUint16(0, instructions.length / 8, true);
  plan.syscall("install the seccomp filter", "seccomp", [SECCOMP_SET_MODE_FILTER, flags, { data: fprog }]);
}

function dropBounding(plan: PlanBuilder, { bounding }: Capabilities): void {
  capabilityNames.forEach((name, number) => {
    if (bounding.includes(name)) return;
    // A capability that this kernel does not know cannot be in the set (EINVAL).
    plan.syscall(`drop ${name} from the bounding set`, "prctl", [PR_CAPBSET_DROP, number, 0, 0, 0], {
      tolerate: [EINVAL],
    });
  });
}

/** capset(2) version 3, then the ambient set (capabilities(7): permitted and inheritable must hold it first). */
function setCapabilities(plan: PlanBuilder, capabilities: Capabilities): void {
  const header: Data = { bytes: new Uint8Array(8) };
  new DataView(header.bytes.buffer).setUint32(0, _LINUX_CAPABILITY_VERSION_3, true);
  const sets: Data = { bytes: new Uint8Array(24) };
  const view = new DataView(sets.bytes.buffer);
  [capabilities.effective, capabilities.permitted, capabilities.inheritable].forEach((names, column) => {
    const bits = capabilityMask(names);
    view.setUint32(column * 4, Number(bits & 0xffff_ffffn), true);
    view.setUint32(12 + column * 4, Number(bits >> 32n), true);
  });
  plan.syscall("set the capabilities", "capset", [{ data: header }, { data: sets }]);
  plan.syscall("clear the ambient capabilities", "prctl", [PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0]);
  for (const name of capabilities.ambient)
    plan.syscall(`raise ${name} as ambient`, "prctl", [
      PR_CAP_AMBIENT,
      PR_CAP_AMBIENT_RAISE,
      capabilityNumber(name),
      0,
      0,
    ]);
}

function groupList(groups: readonly number[]): Uint8Array {
  return new Uint8Array(new Uint32Array(groups).buffer);
}
