/** What the process has around it besides its file system: session, keyring, umask, kernel settings, host name. */
import { AT_FDCWD, O_CLOEXEC, O_WRONLY } from "../../ffi/constants.ts";
import { EACCES, ENOSYS, EPERM } from "../../ffi/errno.ts";
import { DevboxError } from "../core/errors.ts";
import type { PlanBuilder } from "../launch/plan.ts";
import type { RuntimeConfig } from "../oci/runtime.ts";
import { sysctlParts } from "../oci/sysctl.ts";
import { openInProc, type RootPlan } from "./paths.ts";
import { closeSlot } from "./steps.ts";

/** keyctl(2). */
const KEYCTL_JOIN_SESSION_KEYRING = 1;

/** The user has as many keys as the kernel allows one to have (keyrings(7)). */
const EDQUOT = 122;

/** docker's, whatever the user's own is: mount points and files of the box are to be readable in it. */
export const defaultUmask = 0o022;

/** Steps that cut what a process inherits from its caller's session: the terminal's signals, keys, the umask. */
export function leaveSession(plan: PlanBuilder, keepKeyring = false): void {
  plan.syscall("start a session", "setsid", []);
  if (!keepKeyring) leaveKeyring(plan);
  plan.syscall("set the umask", "umask", [defaultUmask]);
}

function leaveKeyring(plan: PlanBuilder): void {
  // The caller's keyring may hold tickets and passwords (session-keyring(7)); without a filter, keyctl(2) would read them.
  // An engine outside may refuse the call, and then refuses it to the box too.
  plan.syscall("join a new session keyring", "keyctl", [KEYCTL_JOIN_SESSION_KEYRING, 0], {
    tolerate: [ENOSYS, EPERM, EDQUOT],
  });
}

/** Steps for process.oomScoreAdj; through the host's /proc, so before the root is entered. */
export function setOomScore(plan: PlanBuilder, oomScoreAdj: number): void {
  plan.scoped(() => {
    const file = { slot: plan.slot() };
    const label = `set oom_score_adj to ${oomScoreAdj}`;
    const bytes = new TextEncoder().encode(String(oomScoreAdj));
    plan.syscall(label, "openat", [AT_FDCWD, plan.string("/proc/self/oom_score_adj"), O_WRONLY | O_CLOEXEC, 0], {
      save: file.slot,
    });
    // To lower it takes CAP_SYS_RESOURCE of the host (proc_pid_oom_score_adj(5)); runc without root goes on as well.
    plan.syscall(label, "write", [file, plan.bytes(bytes), bytes.length], { tolerate: [EACCES] });
    closeSlot(plan, file);
  });
}

/** Steps for namespaced settings (sysctl(8) names), while the /proc of the box is still writable. */
export function setSysctls(context: RootPlan, { linux }: RuntimeConfig): void {
  const { plan, found } = context;
  for (const [name, value] of Object.entries(linux.sysctl ?? {})) {
    if (isDomainName(name)) continue;
    const bytes = new TextEncoder().encode(value);
    openInProc(context, sysctlPath(name), `open the sysctl ${name}`);
    plan.syscall(`set the sysctl ${name} to ${value}`, "write", [found, plan.bytes(bytes), bytes.length]);
  }
}

/** The file belongs to the host's root in every procfs; the call asks who owns the uts namespace (setdomainname(2)). */
function isDomainName(sysctl: string): boolean {
  return sysctlParts(sysctl)?.join(".") === "kernel.domainname";
}

/** In /proc, and in no other place whatever the name is. */
function sysctlPath(name: string): string {
  const parts = sysctlParts(name);
  if (parts !== undefined) return `sys/${parts.join("/")}`;
  const step = `open the sysctl ${name}`;
  throw new DevboxError("BAD_CONFIG", { step, because: "this is no name of a kernel parameter" });
}

/**
 * Steps for the names of the box's own uts namespace.
 * @throws DevboxError BAD_CONFIG where it has none: they would be the host's
 */
export function nameHost(plan: PlanBuilder, { hostname, domainname: domain, linux }: RuntimeConfig): void {
  const bytes = (text: string) => new TextEncoder().encode(text);
  const domainname = domain ?? Object.entries(linux.sysctl ?? {}).find(([name]) => isDomainName(name))?.[1];
  if (hostname === undefined && domainname === undefined) return;
  if (!linux.namespaces.some(({ type }) => type === "uts")) {
    const because = "a host name needs a uts namespace";
    throw new DevboxError("BAD_CONFIG", { step: "read linux.namespaces", because });
  }
  if (hostname !== undefined)
    plan.syscall(`set the host name ${hostname}`, "sethostname", [plan.bytes(bytes(hostname)), bytes(hostname).length]);
  if (domainname !== undefined)
    plan.syscall("set the domain name", "setdomainname", [plan.bytes(bytes(domainname)), bytes(domainname).length]);
}
