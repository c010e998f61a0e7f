/** Namespaces that are there already, joined by path (runtime-spec config-linux.md "Namespaces"). */
import { AT_FDCWD, O_CLOEXEC, O_NOCTTY, O_NONBLOCK, O_RDONLY, PR_SET_DUMPABLE } from "../../ffi/constants.ts";
import { EBADF, EINVAL, EPERM } from "../../ffi/errno.ts";
import type { PlanBuilder } from "../launch/plan.ts";
import type { Namespace, NamespaceType } from "../oci/runtime.ts";
import { namespaceFlags } from "./namespace-flags.ts";
import { jumpTo } from "./steps.ts";

/** ioctl_nsfs(2): of user namespaces only. */
const NS_GET_OWNER_UID = 0xb704;

/** A namespace to join, open. */
export interface OpenNamespace {
  readonly type: NamespaceType;
  /** For the user: `linux.namespaces[2].path /run/netns/blue`. */
  readonly name: string;
  readonly slot: number;
}

/** Steps that open the namespaces with a path, before any of them is joined: paths are those of the host. */
export function openNamespaces(plan: PlanBuilder, namespaces: readonly Namespace[]): readonly OpenNamespace[] {
  return namespaces.flatMap(({ type, path }, index) => {
    if (path === undefined) return [];
    const [name, slot] = [`linux.namespaces[${index}].path ${path}`, plan.slot()];
    // Whatever lies there instead, a FIFO say, must not hold us up.
    const flags = O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
    plan.syscall(`open ${name}`, "openat", [AT_FDCWD, plan.string(path), flags, 0], { save: slot });
    return [{ type, name, slot }];
  });
}

export function closeNamespaces(plan: PlanBuilder, opened: readonly OpenNamespace[]): void {
  for (const { slot, name } of opened) plan.syscall(`close ${name}`, "close", [{ slot }]);
}

/**
 * Steps of a process that joins them (setns(2)), for children of its: what it is to be itself, it cannot be in a pid
 * namespace. Being told the kind, the kernel refuses a namespace of another one.
 */
export function joinNamespaces(plan: PlanBuilder, opened: readonly OpenNamespace[]): void {
  const users = opened.filter(({ type }) => type === "user");
  const others = opened.filter(({ type }) => type !== "user");
  if (users.length === 0) {
    for (const namespace of others) join(plan, namespace);
    return;
  }
  // Some of them may belong to the user namespace, others to ours: each kind can be joined only on its side of the border.
  for (const namespace of others) joinEarly(plan, namespace);
  for (const namespace of users) joinUser(plan, namespace);
  for (const namespace of others) join(plan, namespace, [EBADF]);
}

function join(plan: PlanBuilder, { type, name, slot }: OpenNamespace, tolerate: readonly number[] = []): void {
  plan.syscall(label(type, name), "setns", [{ slot }, namespaceFlags[type]], { tolerate });
}

/** Where we may not yet, it is tried again later; where it went well, the descriptor is closed, and that finds nothing. */
function joinEarly(plan: PlanBuilder, { type, name, slot }: OpenNamespace): void {
  const later = plan.mark(`${type} namespace: later`);
  const options = { tolerate: [EPERM], onError: later };
  plan.syscall(label(type, name), "setns", [{ slot }, namespaceFlags[type]], options);
  plan.syscall(`close ${name}`, "close", [{ slot }]);
  plan.here(later);
}

/** setns(2) refuses the user namespace that we are in: that one needs no joining. */
function joinUser(plan: PlanBuilder, { type, name, slot }: OpenNamespace): void {
  const [joined, own] = [plan.mark("user namespace: joined"), plan.mark("user namespace: our own?")];
  const options = { tolerate: [EINVAL], onError: own };
  plan.syscall(label(type, name), "setns", [{ slot }, namespaceFlags[type]], options);
  becomeRoot(plan);
  jumpTo(plan, joined);
  plan.here(own);
  plan.syscall(label(type, name), "ioctl", [{ slot }, NS_GET_OWNER_UID, plan.buffer(4)]);
  plan.here(joined);
}

/**
 * Steps that become id 0 of a user namespace that was joined, if it has one (EINVAL), without supplementary groups if those
 * may be dropped there (user_namespaces(7), EPERM).
 */
export function becomeRoot(plan: PlanBuilder): void {
  plan.syscall("drop supplementary groups", "setgroups", [0, 0], { tolerate: [EPERM] });
  plan.syscall("become group 0 of the user namespace", "setresgid", [0, 0, 0], { tolerate: [EINVAL] });
  plan.syscall("become user 0 of the user namespace", "setresuid", [0, 0, 0], { tolerate: [EINVAL] });
}

/**
 * Steps that close this process, and its children until they execute a program, to others in the namespaces that it is
 * about to join: they could reach its descriptors otherwise (ptrace(2), CVE-2016-9962).
 */
export function hide(plan: PlanBuilder): void {
  plan.syscall("be closed to the processes there", "prctl", [PR_SET_DUMPABLE, 0, 0, 0, 0]);
}

/** Steps that undo `hide`, for what only the owner of /proc/self may do; not where others can see the process. */
export function show(plan: PlanBuilder): void {
  plan.syscall("own /proc/self", "prctl", [PR_SET_DUMPABLE, 1, 0, 0, 0]);
}

function label(type: NamespaceType, name: string): string {
  return `join ${name} as ${type} namespace`;
}
