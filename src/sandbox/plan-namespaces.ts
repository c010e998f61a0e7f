/**
 * The first half of creating a box: its namespaces, and their id maps. They need nothing of the bundle, so that a box can
 * come into being while its bundle is written. The supervisor stays outside, and waits for the box or leaves it to others;
 * the init process, root of its user namespace, goes on with the plan of the box (plan-create.ts).
 */
import { CLONE_NEWNS, CLONE_NEWTIME, CLONE_NEWUSER } from "../../ffi/constants.ts";
import { planFd } from "../../ffi/launcher/format.ts";
import { DevboxError } from "../core/errors.ts";
import { beginPlan, type LaunchPlan, type PlanBuilder } from "../launch/plan.ts";
import { type CloneRequest, cloneProcess, cloneWithUserNamespace } from "../launch/userns.ts";
import type { Namespace, NamespaceType } from "../oci/runtime.ts";
import { closeSources, openSources } from "./idmapped.ts";
import type { NamespaceInput } from "./input.ts";
import { closeNamespaces, hide, joinNamespaces, type OpenNamespace, openNamespaces, show } from "./join-namespaces.ts";
import { closeMountNamespace, keepMountNamespace, sharesMounts } from "./mount-namespace.ts";
import { flagsOf } from "./namespace-flags.ts";
import { bringUpNetDevices, moveNetDevices } from "./net-devices.ts";
import { supervise } from "./supervise.ts";
import { setOomScore } from "./surroundings.ts";
import { enterTimeNamespace, makeTimeNamespace } from "./time-namespace.ts";

/**
 * The plan that makes the namespaces, or joins those that have a path, and continues in them.
 * @throws DevboxError BAD_CONFIG for a combination that cannot be, or without a user namespace where that is needed; NO_NEWUIDMAP
 */
export function planNamespaces(input: NamespaceInput): LaunchPlan {
  const { namespaces, descriptors, initOnly = [], supervision = { kind: "tied" }, idmappedMounts = [] } = input;
  check(input);
  const plan = beginPlan("make namespaces");
  for (const name of descriptors) plan.fd(name);
  const opened = openNamespaces(plan, namespaces);
  const shared = sharesMounts(namespaces);
  if (shared) keepMountNamespace(plan, opened);
  if (idmappedMounts.length > 0) openSources(plan, idmappedMounts, input.idMap);
  const init = cloneInit(plan, input, opened);
  closeNamespaces(plan, opened);
  if (shared) closeMountNamespace(plan);
  closeSources(plan, idmappedMounts.length);
  for (const name of initOnly) plan.syscall(`leave ${name} to the box`, "close", [plan.fd(name)]);
  // Only the init process reads on: when it ends before, writing the next plan must not block.
  plan.syscall("leave the plans to the box", "close", [planFd]);
  supervise(plan, supervision, init);
  return plan.finish();
}

function cloneInit(plan: PlanBuilder, input: NamespaceInput, opened: readonly OpenNamespace[]): number {
  const { namespaces, idMap, facts, supervision, cgroups = [], timeOffsets, netDevices, netAddresses = {} } = input;
  const made = namespaces.filter(({ path }) => path === undefined).map(({ type }) => type);
  const ownsUsers = made.includes("user");
  const newTime = made.includes("time");
  // Without a user namespace of its own, the process in between has all rights that it takes to make a time namespace.
  const early = newTime && !ownsUsers;
  const request: CloneRequest = {
    label: "create the namespaces of the box",
    // Always one to build the root in.
    flags: (flagsOf(made) | CLONE_NEWNS) & ~(CLONE_NEWUSER | CLONE_NEWTIME),
    cgroups,
    unsupervised: supervision?.kind === "orphaned",
    ...(opened.length > 0 || early ? { through: () => prepare(plan, input, opened, ownsUsers, early) } : {}),
    ...(netDevices === undefined ? {} : { beforeRelease: (pid) => moveNetDevices(plan, netDevices, pid) }),
  };
  const child = (): void => {
    // It may wait for its start for long, and who is in the container already could find them in its /proc/PID/fd.
    for (const name of cgroups) plan.syscall("leave the control group to the launcher", "close", [plan.fd(name)]);
    if (newTime && !early) enterTimeNamespace(plan, timeOffsets);
    if (netDevices !== undefined) bringUpNetDevices(plan, netDevices, netAddresses);
    plan.add({ kind: "continue" });
  };
  if (!ownsUsers || idMap === undefined) return cloneProcess(plan, request, child);
  return cloneWithUserNamespace(plan, { ...request, map: idMap, host: facts }, child);
}

/** Steps of the process that clones the init process: it joins what that one is to be in. */
function prepare(
  plan: PlanBuilder,
  { oomScoreAdj, timeOffsets }: NamespaceInput,
  opened: readonly OpenNamespace[],
  ownsUsers: boolean,
  newTime: boolean,
): void {
  const joinsUsers = opened.some(({ type }) => type === "user");
  // Who is hidden cannot do it any more: the files in /proc/self are the host's root's then (proc(5)).
  if (joinsUsers && oomScoreAdj !== undefined) setOomScore(plan, oomScoreAdj);
  // In a user namespace of its own, nobody but its parents has rights over it.
  if (!ownsUsers) hide(plan);
  joinNamespaces(plan, opened);
  if (!newTime) return;
  if (joinsUsers) show(plan);
  makeTimeNamespace(plan, timeOffsets);
  if (joinsUsers) hide(plan);
}

function check({ namespaces, idMap, facts }: NamespaceInput): void {
  const refuse = (because: string): never => {
    throw new DevboxError("BAD_CONFIG", { step: "read linux.namespaces", because });
  };
  const find = (type: NamespaceType): Namespace | undefined => namespaces.find((namespace) => namespace.type === type);
  const user = find("user");
  if (sharesMounts(namespaces) && user !== undefined && user.path === undefined)
    refuse("a new user namespace has no rights over a mount namespace that was there before: it needs a new one, too");
  if (user === undefined && facts.uid !== 0) refuse("only root can do without a user namespace");
  if (user !== undefined && user.path === undefined && idMap === undefined)
    refuse("a new user namespace needs linux.uidMappings and linux.gidMappings");
}
