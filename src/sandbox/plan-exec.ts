/**
 * A further process in a container that runs, as a launch plan: it is begun by a process that joins the container's namespaces,
 * and then becomes its command much as the first process did. The container is hostile: its files, and who looks at us.
 */
import { AT_FDCWD, O_CLOEXEC, O_DIRECTORY, O_PATH } from "../../ffi/constants.ts";
import { firstNamedFd, planFd } from "../../ffi/launcher/format.ts";
import { beginPlan, type Data, type LaunchPlan, type PlanBuilder } from "../launch/plan.ts";
import { cloneProcess } from "../launch/userns.ts";
import { attachConsole, openTerminal } from "./console.ts";
import { becomeUser, grantableCapabilities, needsHostProc, prepareIdentity } from "./identity.ts";
import type { ExecInput } from "./input.ts";
import { becomeRoot, hide } from "./join-namespaces.ts";
import { setLimits } from "./limits.ts";
import { flagsOf } from "./namespace-flags.ts";
import { openHow, openInRoot, rootPlan } from "./paths.ts";
import { executeWith, preservedNames } from "./preserved.ts";
import { setAffinity } from "./schedule.ts";
import { supervise } from "./supervise.ts";
import { leaveSession, setOomScore } from "./surroundings.ts";
import { noteRoot, requireOtherRoot } from "./whole.ts";

/**
 * The plan of a further process. Descriptors it expects: "target", "console" with a terminal, those of `cgroups` and `held`,
 * "preserved-0" …, "root" with `ownDirectory`, "proc" (the host's /proc) where `needsHostProc` says so, the listener's socket, and "executed", which ends
 * when the command is executed. "started" tells its pid.
 */
export function planExec(input: ExecInput): LaunchPlan {
  const { process, supervision, cgroups, held } = input;
  const plan = beginPlan(`execute ${process.args.join(" ")}`);
  const kept = keptNames(input).map((name) => plan.fd(name));
  for (const name of ["target", ...cgroups, ...held]) plan.fd(name);
  const ownRoot = input.onOwnRoot === true ? undefined : noteRoot(plan);
  const request = {
    label: "start the process in the container",
    flags: 0,
    cgroups,
    unsupervised: supervision.kind === "orphaned",
    through: () => joinContainer(plan, input),
  };
  const child = cloneProcess(plan, request, () => becomeCommand(plan, input, kept.length, ownRoot));
  // Their ends tell somebody something, who would wait for the supervisor's as well.
  const last = firstNamedFd + kept.length - 1;
  plan.syscall("leave the process what only it may hold", "close_range", [firstNamedFd, last, 0]);
  supervise(plan, supervision, child);
  return plan.finish();
}

/** Descriptors that the process needs until the end; they get the lowest numbers. */
function keptNames(input: ExecInput): string[] {
  const { process, preservedFds = 0, seccompListener } = input;
  return [
    "executed",
    ...(process.terminal === true ? ["console"] : []),
    ...(needsHostProc(input) ? ["proc"] : []),
    ...(seccompListener === undefined ? [] : [seccompListener]),
    ...(input.ownDirectory === true ? ["root"] : []),
    ...preservedNames(preservedFds),
  ];
}

/** setns(2) with a pidfd (5.8) changes all in one step: none of them is joined with rights that another one has taken away. */
function joinContainer(plan: PlanBuilder, { process, join }: ExecInput): void {
  // Before it is hidden: the files in /proc/self are the host's root's then (proc(5)).
  if (process.oomScoreAdj !== undefined) setOomScore(plan, process.oomScoreAdj);
  setAffinity(plan, "initial", process);
  hide(plan);
  if (join.length === 0) return;
  plan.syscall("join the namespaces of the container", "setns", [plan.fd("target"), flagsOf(join)]);
  if (join.includes("user")) becomeRoot(plan);
}

/** It has been put into its control group, and is released. */
function becomeCommand(plan: PlanBuilder, input: ExecInput, kept: number, ownRoot: Data | undefined): void {
  const { process, supervision, blockingConsole: blocking = false, plainLines = false } = input;
  setAffinity(plan, "final", process);
  leaveSession(plan);
  // First of all: nothing of the host may be found by what the container says about paths (CVE-2024-21626).
  plan.syscall("close the plan's descriptor", "close", [planFd]);
  plan.syscall("close all descriptors of the host", "close_range", [firstNamedFd + kept, 0xffff_ffff, 0]);
  const grantable = grantableCapabilities(input.facts, input.join);
  const identity = { ...input, ...grantable, orphaned: supervision.kind === "orphaned" };
  const proc = needsHostProc(input) ? plan.fd("proc") : undefined;
  const prepared = prepareIdentity(plan, identity, proc);
  if (proc !== undefined) plan.syscall("close the host's /proc", "close", [proc]);
  const context = rootPlan(plan);
  const { root, found } = context;
  if (input.ownDirectory === true) {
    plan.syscall("enter the root directory of the container", "fchdir", [plan.fd("root")]);
    plan.syscall("change to it", "chroot", [plan.string(".")]);
    plan.syscall("close a descriptor", "close", [plan.fd("root")]);
  }
  // Else where setns(2) has put us: the root of the mount namespace.
  plan.syscall("open the root", "openat", [AT_FDCWD, plan.string("/"), O_PATH | O_DIRECTORY | O_CLOEXEC, 0], {
    save: root.slot,
  });
  if (ownRoot !== undefined) requireOtherRoot(plan, ownRoot, root);
  if (process.terminal === true) {
    const slave = { slot: plan.descriptor() };
    openTerminal(context, { process, blocking, plainLines, suspicious: true }, slave);
    attachConsole(plan, slave);
  }
  openInRoot(context, process.cwd, { how: workingDirectory, label: `enter the working directory ${process.cwd}` });
  plan.syscall(`enter ${process.cwd}`, "fchdir", [found]);
  setLimits(plan, process);
  becomeUser(plan, identity, prepared);
  executeWith(plan, process, input.preservedFds ?? 0);
}

const workingDirectory = openHow(O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
