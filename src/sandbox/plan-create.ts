/**
 * config.json → launch plan: everything between "the namespaces are there" (plan-namespaces.ts) and "the command runs", in
 * order: the init process builds the box around itself and becomes the command. Pure: a plan can be computed, printed
 * (`--explain`) and compared anywhere.
 */
import { becomeInit } from "../launch/init.ts";
import { beginPlan, type LaunchPlan, type PlanBuilder, redirectReports } from "../launch/plan.ts";
import type { RuntimeConfig } from "../oci/runtime.ts";
import { attachConsole, openConsole } from "./console.ts";
import { makeDevices } from "./devices.ts";
import { closeAtExec, execute, findExecutable } from "./exec.ts";
import { passGate } from "./gate.ts";
import { openHookOutputs, runHooksInside } from "./hooks.ts";
import { becomeUser, type Identity, identityOf, prepareIdentity } from "./identity.ts";
import type { SandboxInput } from "./input.ts";
import { setLimits } from "./limits.ts";
import { loopbackOps } from "./loopback.ts";
import { makeReadonly, maskPaths } from "./masks.ts";
import { setMemoryPolicy } from "./memory-policy.ts";
import { sharesMounts } from "./mount-namespace.ts";
import { finishMounts, mountAll } from "./mounts.ts";
import { makeDirectoryInRoot, openInRoot, rootPlan } from "./paths.ts";
import { executeWith } from "./preserved.ts";
import { assembleRoot, enterRoot } from "./rootfs.ts";
import { openSourcesFirst } from "./sources.ts";
import { leaveSession, nameHost, setOomScore, setSysctls } from "./surroundings.ts";

/** prctl(2). */
const PR_SET_NAME = 15;

/**
 * The plan of the init process, from its first moment as root of its user namespace to the command; it continues that of
 * `planNamespaces`. Descriptors it expects: those of `gates`, `executed`, "console" with a terminal, "preserved-0" ….
 */
export function planBox(input: SandboxInput): LaunchPlan {
  const { config, gates, containerState } = input;
  const { process, linux } = config;
  const plan = beginPlan(`run ${process.args.join(" ")}`);
  const context = rootPlan(plan);
  const directory = { slot: plan.descriptor() };
  const terminal = process.terminal === true ? { slot: plan.descriptor() } : undefined;

  leaveSession(plan, input.noNewKeyring);
  if (process.oomScoreAdj !== undefined && !joinsUsers(config)) setOomScore(plan, process.oomScoreAdj);
  const identity = identityOf(input);
  const prepared = prepareIdentity(plan, identity);
  const sources = openSourcesFirst(context, input);
  assembleRoot(context, input, sources);
  mountAll(context, input, sources);
  makeDevices(context, input);
  const { blockingConsole: blocking = false, plainLines = false } = input;
  if (terminal !== undefined) openConsole(context, { process, blocking, plainLines }, terminal);
  setSysctls(context, config);
  makeReadonly(context, linux.readonlyPaths ?? []);
  maskPaths(context, linux);
  nameHost(plan, config);
  if (ownsNetwork(config)) for (const op of loopbackOps(plan.slot())) plan.add(op);
  // By descriptor, resolved in the root: /proc/self/fd/N as a working directory must not lead out (CVE-2024-21626).
  makeDirectoryInRoot({ ...context, found: directory }, process.cwd, { purpose: "working directory" });
  finishMounts(context);
  if (gates.pivot !== undefined) passGate(plan, gates.pivot, "wait for the hooks of the runtime");
  const hooks = { config, state: containerState, outputs: openHookOutputs(plan, config, containerState) };
  runHooksInside(plan, "createContainer", hooks);
  enterRoot(context, config, input.noPivot);
  if (sharesMounts(linux.namespaces)) {
    // What was found belongs to what was built, and no longer lies below the root.
    const label = `enter the working directory ${process.cwd}`;
    openInRoot({ ...context, found: directory }, process.cwd, { label });
  }

  plan.syscall(`enter ${process.cwd}`, "fchdir", [directory]);
  if (terminal !== undefined) attachConsole(plan, terminal);
  // A container without a process has none (config.md "Process"), and is not started. Before the limits: a process of
  // SCHED_DEADLINE may not fork (sched(7)), nor may one whose RLIMIT_NPROC is reached.
  if (input.executed !== undefined && process.args.length > 0) lookForCommand(plan, identity);
  if (linux.memoryPolicy !== undefined) setMemoryPolicy(plan, linux.memoryPolicy);
  setLimits(plan, process);
  closeAtExec(plan);
  awaitStart(plan, input, directory.slot);
  runHooksInside(plan, "startContainer", hooks);
  becomeUser(plan, identity, prepared);
  if (input.init) becomeNamedInit(plan, () => execute(plan, process), input.executed);
  else executeWith(plan, process, input.preservedFds ?? 0);
  return plan.finish();
}

/** Whoever creates is told what is wrong until then; from then on it is whoever starts. */
function awaitStart(plan: PlanBuilder, { gates, executed }: SandboxInput, any: number): void {
  if (executed !== undefined) plan.add({ kind: "report", event: "ready", slot: any });
  if (gates.exec !== undefined) passGate(plan, gates.exec, "wait for the start");
  if (executed !== undefined) redirectReports(plan, executed);
}

/**
 * In a process of its own, which asks as the user of the command: what was opened for the labels can be written to only with
 * the very credentials with which it was opened, and those are new ones after every change, and back.
 */
function lookForCommand(plan: PlanBuilder, identity: Identity): void {
  plan.scoped(() => {
    const child = plan.fork("look for the command", 0, () => findExecutable(plan, identity));
    plan.waitForSuccess("the search for the command", child);
  });
}

/** Then the process has no rights over its own /proc/self, and its oom_score_adj was set before. */
function joinsUsers({ linux }: RuntimeConfig): boolean {
  return linux.namespaces.some(({ type, path }) => type === "user" && path !== undefined);
}

/** For ps(1): the launcher was executed from a descriptor, and would be named by its number. */
function becomeNamedInit(plan: PlanBuilder, command: () => void, executed: string | undefined): void {
  plan.syscall("name the init process", "prctl", [PR_SET_NAME, plan.string("devbox-init"), 0, 0, 0]);
  becomeInit(plan, command, executed);
}

/** One that was there before has somebody who looks after it. */
function ownsNetwork(config: RuntimeConfig): boolean {
  return config.linux.namespaces.some(({ type, path }) => type === "network" && path === undefined);
}
