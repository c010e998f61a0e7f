/** Steps that run another program and wait for it: hooks that belong inside the container (runtime-spec config.md "Hooks"). */
import {
  __WALL,
  CLOSE_RANGE_CLOEXEC,
  MFD_CLOEXEC,
  MFD_NOEXEC_SEAL,
  POLLIN,
  PR_SET_PDEATHSIG,
  SIGKILL,
} from "../../ffi/constants.ts";
import { EINVAL, ESRCH, ETIMEDOUT } from "../../ffi/errno.ts";
import type { Data } from "../../ffi/launcher/wire.ts";
import type { DataArgument, PlanBuilder } from "./plan.ts";

/** What fits into a time_t however it is counted: 68 years. */
const longestSeconds = 2 ** 31 - 1;

export interface ProgramRequest {
  /** For the user who reads that it failed: "run the createContainer hook /bin/x". */
  readonly label: string;
  readonly path: string;
  /** The first is the program's name. */
  readonly args: readonly string[];
  readonly env: readonly string[];
  /** More than 0; left out: it may take forever. */
  readonly timeoutSeconds?: number;
  /** All that it can read, made by `bytes` of the plan, once for several programs. */
  readonly stdin: DataArgument;
  /** Where its output goes, descriptors in slots; left out: where the plan's goes. */
  readonly stdout?: number;
  readonly stderr?: number;
}

/**
 * Append: run a program, in a session and process group of its own, and wait for it. The plan fails unless it exits with 0,
 * and with ETIMEDOUT when it takes too long: then its process group is killed. Its output goes where the plan's goes.
 */
export function runProgramInPlan(plan: PlanBuilder, request: ProgramRequest): void {
  plan.scoped(() => {
    const { label, timeoutSeconds } = request;
    const input = fillInput(plan, request);
    const child = plan.fork(label, 0, () => becomeProgram(plan, request, input));
    plan.syscall("close the input", "close", [{ slot: input }]);
    if (timeoutSeconds !== undefined) limitTime(plan, label, child, timeoutSeconds);
    const status = waitForEnd(plan, label, child);
    plan.add({ kind: "expectSuccess", label, status });
  });
}

/** A file in memory: there may be more to read than a pipe holds, and a program need not read it. */
function fillInput(plan: PlanBuilder, { label, stdin }: ProgramRequest): number {
  const [file, old, made] = [plan.slot(), plan.mark("the kernel is before 6.3"), plan.mark("the input is there")];
  const name = plan.string("devbox-input");
  // Where vm.memfd_noexec is 2 the flag must be given, before 6.3 it must not (memfd_create(2)).
  const options = { save: file, tolerate: [EINVAL], onError: old };
  plan.syscall(`${label}: make its input`, "memfd_create", [name, MFD_CLOEXEC | MFD_NOEXEC_SEAL], options);
  plan.add({ kind: "jump", to: made });
  plan.here(old);
  plan.syscall(`${label}: make its input`, "memfd_create", [name, MFD_CLOEXEC], { save: file });
  plan.here(made);
  const { length } = stdin.data.bytes;
  plan.syscall(`${label}: write its input`, "pwrite64", [{ slot: file }, stdin, length, 0]);
  return file;
}

function becomeProgram(plan: PlanBuilder, request: ProgramRequest, input: number): void {
  const { label, path, args, env } = request;
  plan.syscall("die with the parent", "prctl", [PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0]);
  plan.syscall("lead a session", "setsid", []);
  plan.syscall("read the input", "dup3", [{ slot: input }, 0, 0]);
  for (const [stream, slot] of [request.stdout, request.stderr].entries())
    if (slot !== undefined) plan.syscall("write to a file", "dup3", [{ slot }, stream + 1, 0]);
  plan.syscall("close all descriptors at exec", "close_range", [3, 0xffff_ffff, CLOSE_RANGE_CLOEXEC]);
  plan.syscall(label, "execve", [plan.string(path), plan.vector(args), plan.vector(env)]);
}

/** Kill the child, and what it has started, unless it ends in time. */
function limitTime(plan: PlanBuilder, label: string, child: number, seconds: number): void {
  const [pidfd, late, ended] = [plan.slot(), plan.mark(`${label}: too late`), plan.mark(`${label}: in time`)];
  const [polled, timeout]: [Data, Data] = [{ bytes: new Uint8Array(8) }, { bytes: new Uint8Array(16) }];
  new DataView(polled.bytes.buffer).setInt16(4, POLLIN, true);
  new DataView(timeout.bytes.buffer).setBigInt64(0, BigInt(Math.min(seconds, longestSeconds)), true);
  plan.syscall("watch the child", "pidfd_open", [{ slot: child }, 0], { save: pidfd });
  plan.add({ kind: "store", slot: pidfd, into: polled, offset: 0, width: 4 });
  // The kernel takes what has passed off the timeout, so that a call that is repeated after a signal waits no longer (ppoll(2)).
  const watched = [{ data: polled }, 1, { data: timeout }, 0, 0];
  plan.syscall(`wait ${seconds} s for its end`, "ppoll", watched, { onZero: late });
  plan.add({ kind: "jump", to: ended });
  plan.here(late);
  plan.syscall("end its process group", "kill", [{ slot: child, negated: true }, SIGKILL], { tolerate: [ESRCH] });
  // It may not lead its group yet.
  plan.syscall("end it", "kill", [{ slot: child }, SIGKILL]);
  waitForEnd(plan, label, child);
  plan.add({ kind: "fail", label, errno: ETIMEDOUT });
  plan.here(ended);
  plan.syscall("close the child's descriptor", "close", [{ slot: pidfd }]);
}

function waitForEnd(plan: PlanBuilder, label: string, child: number): Data {
  const status = plan.buffer(4);
  plan.syscall(`${label}: wait for its end`, "wait4", [{ slot: child }, status, __WALL, 0]);
  return status.data;
}
