/**
 * Who the command is: labels, ids, capabilities, seccomp (runtime-spec config.md "process"); of the init process and of further
 * ones alike. The order matters: a filter without no_new_privs needs CAP_SYS_ADMIN and so comes before the capabilities are
 * given up, just before; with it, it comes last, when nothing more is called than the filter must allow.
 */
import {
  _LINUX_CAPABILITY_VERSION_3,
  PER_LINUX,
  PER_LINUX32,
  PR_CAP_AMBIENT,
  PR_CAP_AMBIENT_CLEAR_ALL,
  PR_CAP_AMBIENT_RAISE,
  PR_CAPBSET_DROP,
  PR_SET_KEEPCAPS,
  PR_SET_NO_NEW_PRIVS,
  PR_SET_PDEATHSIG,
  SIGKILL,
} from "../../ffi/constants.ts";
import { EINVAL, EPERM } from "../../ffi/errno.ts";
import type { Data } from "../../ffi/launcher/wire.ts";
import type { SyscallName } from "../../ffi/syscalls.ts";
import type { HostFacts } from "../host/facts.ts";
import type { PlanBuilder } from "../launch/plan.ts";
import type {
  Capabilities,
  IdMap,
  LinuxConfig,
  NamespaceType,
  RuntimeProcess,
  RuntimeUser,
  Seccomp,
  State,
} from "../oci/runtime.ts";
import { capabilityNames } from "../oci/runtime-words.ts";
import { capabilityMask, capabilityNumber, withinReach } from "./capabilities.ts";
import type { SandboxInput } from "./input.ts";
import { type HostProc, type OpenLabels, openLabels, setLabels } from "./labels.ts";
import { installFilter, type ListenerMessage, listenerMessage } from "./seccomp-install.ts";
import { notifies } from "./seccomp-rules.ts";

/** What the identity of a process is made from: `ExecInput` is one, `identityOf` makes one of a `SandboxInput`. */
export interface Identity {
  readonly process: RuntimeProcess;
  readonly seccomp: Seccomp | undefined;
  readonly personality?: LinuxConfig["personality"];
  readonly facts: Pick<HostFacts, "architecture">;
  /** The capabilities that there are to be given, a bit each; left out: all, as in a user namespace. */
  readonly grantable?: bigint;
  /** Of the user namespace that was made for it; undefined: it is in one that was there before. */
  readonly idMap: IdMap | undefined;
  readonly pipes: readonly number[];
  /** It outlives the launcher; left out: it dies with its supervisor. */
  readonly orphaned?: boolean;
  /** Of a filter with SCMP_ACT_NOTIFY: the socket, by the name of its descriptor, and the container's state. */
  readonly seccompListener?: string;
  readonly containerState?: State;
  /** Descriptors of the caller that are put in their places under the filter. */
  readonly preservedFds?: number;
}

export function identityOf({ config, ...input }: SandboxInput): Identity {
  const { process, linux } = config;
  const { seccomp, personality, namespaces } = linux;
  const grantable = grantableCapabilities(
    input.facts,
    namespaces.map(({ type }) => type),
  );
  return { ...input, ...grantable, process, seccomp, ...(personality === undefined ? {} : { personality }) };
}

/** In a user namespace of the container's everybody begins with all of its capabilities; in ours with our own. */
export function grantableCapabilities(
  facts: HostFacts,
  namespaces: readonly NamespaceType[],
): Pick<Identity, "grantable"> {
  const { capabilities } = facts;
  return capabilities === undefined || namespaces.includes("user") ? {} : { grantable: capabilities };
}

/** What the process gets of what config.json asks for. */
export function capabilitiesOf({ process, grantable }: Pick<Identity, "process" | "grantable">): Capabilities {
  const { capabilities = noCapabilities } = process;
  return grantable === undefined ? capabilities : withinReach(capabilities, grantable);
}

/** What must be got ready while the host's /proc is there. */
export interface Preparation {
  readonly labels: OpenLabels;
  readonly message: ListenerMessage | undefined;
}

/** `prepareIdentity` has something to do, for which it needs the host's /proc. */
export function needsHostProc({ process, seccomp }: Pick<Identity, "process" | "seccomp">): boolean {
  const { apparmorProfile, selinuxLabel } = process;
  return apparmorProfile !== undefined || selinuxLabel !== undefined || (seccomp !== undefined && notifies(seccomp));
}

/** Steps in the process that becomes the command, after it has left its session. Of most processes there are none. */
export function prepareIdentity(plan: PlanBuilder, identity: Identity, proc: HostProc = "/proc"): Preparation {
  const { process, seccomp, seccompListener, containerState } = identity;
  return {
    labels: openLabels(plan, process, proc),
    message: listenerMessage(plan, seccomp, seccompListener, containerState, proc),
  };
}

/** Steps that become the user of the process with its labels, capabilities, filter and no_new_privs. */
export function becomeUser(plan: PlanBuilder, identity: Identity, { labels, message }: Preparation): void {
  const { process, seccomp, personality, facts, idMap, pipes } = identity;
  const { user, noNewPrivileges = false } = process;
  const capabilities = capabilitiesOf(identity);
  const filter = (calls: readonly SyscallName[]): void => {
    const after = [...calls, ...callsOfPreserved(identity.preservedFds)];
    if (seccomp !== undefined)
      installFilter(plan, { seccomp, architecture: facts.architecture, message, calls: after });
  };
  setLabels(plan, labels, process);
  if (user.uid !== 0) givePipes(plan, pipes, user.uid);
  dropBounding(plan, capabilities);
  becomeIds(plan, user, idMap);
  if (user.umask !== undefined) plan.syscall("set the umask", "umask", [user.umask]);
  if (personality !== undefined) setPersonality(plan, personality);
  // The change of ids has made the kernel forget it (prctl(2)).
  if (identity.orphaned !== true)
    plan.syscall("die with the supervisor", "prctl", [PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0]);
  if (noNewPrivileges) {
    setCapabilities(plan, capabilities);
    plan.syscall("set no_new_privs", "prctl", [PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0]);
    filter([]);
  } else {
    if (seccomp !== undefined && user.uid !== 0) becomeAdministrator(plan, capabilities);
    filter(capabilities.ambient.length > 0 ? ["capset", "prctl"] : ["capset"]);
    setCapabilities(plan, capabilities);
  }
}

/** As `executeWith` makes them: the second one takes the place of the report pipe. */
function callsOfPreserved(count = 0): readonly SyscallName[] {
  if (count === 0) return [];
  return count === 1 ? ["dup3"] : ["dup3", "fcntl"];
}

/** A process without capabilities in config.json has none, as under runc. */
const noCapabilities: Capabilities = {
  bounding: [],
  effective: [],
  permitted: [],
  inheritable: [],
  ambient: [],
};

/**
 * A pipe belongs to who made it, the host's user, and could not be opened anew as /dev/stdout, where many images of
 * servers send their logs. runc does the same, to files as well: here those are the host user's own, and stay that.
 */
function givePipes(plan: PlanBuilder, pipes: readonly number[], uid: number): void {
  for (const stream of pipes)
    plan.syscall(`give stream ${stream} to user ${uid}`, "fchown", [stream, uid, -1], { tolerate: [EPERM, EINVAL] });
}

function becomeIds(plan: PlanBuilder, user: RuntimeUser, idMap: IdMap | undefined): void {
  plan.syscall("keep capabilities over the change of user", "prctl", [PR_SET_KEEPCAPS, 1, 0, 0, 0]);
  setGroups(plan, user, idMap);
  plan.syscall(`become group ${user.gid}`, "setresgid", [user.gid, user.gid, user.gid]);
  plan.syscall(`become user ${user.uid}`, "setresuid", [user.uid, user.uid, user.uid]);
  plan.syscall("end keeping capabilities", "prctl", [PR_SET_KEEPCAPS, 0, 0, 0, 0]);
  plan.syscall("clear the ambient capabilities", "prctl", [PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0]);
}

/** With one id of our own, the groups of the host stay: setgroups(2) is denied (user_namespaces(7)). */
export function setGroups(plan: PlanBuilder, { additionalGids = [] }: RuntimeUser, idMap: IdMap | undefined): void {
  // Of a namespace that was joined it is not known; there too it is the kernel's own word that nothing can be done.
  const isDenied = idMap === undefined ? additionalGids.length === 0 : isSingle(idMap);
  const list = { data: { bytes: groupList(additionalGids) } };
  plan.syscall("set the supplementary groups", "setgroups", [additionalGids.length, list], {
    tolerate: isDenied ? [EPERM] : [],
  });
}

function isSingle({ gid }: IdMap): boolean {
  return gid.length === 1 && gid[0]?.size === 1;
}

function setPersonality(plan: PlanBuilder, { domain }: NonNullable<LinuxConfig["personality"]>): void {
  plan.syscall(`set the personality ${domain}`, "personality", [domain === "LINUX32" ? PER_LINUX32 : PER_LINUX]);
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

/** The change to another user has cleared the effective set, and the filter needs CAP_SYS_ADMIN in it (seccomp(2)). */
function becomeAdministrator(plan: PlanBuilder, { permitted, inheritable }: Capabilities): void {
  const admin = ["CAP_SYS_ADMIN", ...permitted];
  capset(plan, "keep CAP_SYS_ADMIN for the filter", { effective: admin, permitted: admin, inheritable });
}

/** The ambient set last: permitted and inheritable must hold it first (capabilities(7)). */
function setCapabilities(plan: PlanBuilder, capabilities: Capabilities): void {
  capset(plan, "set the capabilities", capabilities);
  for (const name of capabilities.ambient) {
    const arguments_ = [PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, capabilityNumber(name), 0, 0];
    plan.syscall(`raise ${name} as ambient`, "prctl", arguments_);
  }
}

/** capset(2) version 3. */
export function capset(
  plan: PlanBuilder,
  label: string,
  { effective, permitted, inheritable }: Omit<Capabilities, "bounding" | "ambient">,
): void {
  const header: Data = { bytes: new Uint8Array(8) };
  new DataView(header.bytes.buffer).setUint32(0, _LINUX_CAPABILITY_VERSION_3, true);
  const sets: Data = { bytes: new Uint8Array(24) };
  const view = new DataView(sets.bytes.buffer);
  [effective, permitted, inheritable].forEach((names, column) => {
    const bits = capabilityMask(names);
    view.setUint32(column * 4, Number(bits & 0xffff_ffffn), true);
    view.setUint32(12 + column * 4, Number(bits >> 32n), true);
  });
  plan.syscall(label, "capset", [{ data: header }, { data: sets }]);
}

function groupList(groups: readonly number[]): Uint8Array {
  return new Uint8Array(new Uint32Array(groups).buffer);
}
