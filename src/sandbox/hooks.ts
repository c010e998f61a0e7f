/**
 * Hooks that run inside the container (runtime-spec config.md "POSIX-platform Hooks"): createContainer in its namespaces with
 * the host's root still there, startContainer in its root. They read the state on stdin, with their container's pid as
 * they see it themselves.
 */
import { AT_FDCWD, O_APPEND, O_CLOEXEC, O_CREAT, O_NONBLOCK, O_WRONLY } from "../../ffi/constants.ts";
import type { DataArgument, PlanBuilder } from "../launch/plan.ts";
import { runProgramInPlan } from "../launch/program.ts";
import { type HookStream, hookOutput } from "../oci/hook-outputs.ts";
import type { ContainerStatus, RuntimeConfig, State } from "../oci/runtime.ts";
import { continueIfEqual, jumpTo } from "./steps.ts";

interface InsideHooks {
  readonly config: RuntimeConfig;
  readonly state: State | undefined;
  readonly outputs: HookOutputs;
}

type InsidePoint = "createContainer" | "startContainer";

/** A container that waits for its start is created; before, it is being created (runtime.md "Lifecycle"). */
const statuses: Readonly<Record<InsidePoint, ContainerStatus>> = {
  createContainer: "creating",
  startContainer: "created",
};

/** pid_max is at most 2^22 (proc_sys_kernel(5)): 7 digits. */
const pidDigits = 7;

/** Descriptors, in slots. */
export type HookOutputs = Readonly<Partial<Record<HookStream, number>>>;

/** Steps that open what hooks print to, while the host's files are there. */
export function openHookOutputs(plan: PlanBuilder, config: RuntimeConfig, state: State | undefined): HookOutputs {
  const { createContainer = [], startContainer = [] } = config.hooks ?? {};
  const outputs: Partial<Record<HookStream, number>> = {};
  if (state === undefined || createContainer.length + startContainer.length === 0) return outputs;
  for (const stream of ["stdout", "stderr"] as const) {
    const path = hookOutput(state, stream);
    if (path === undefined) continue;
    const save = plan.descriptor();
    const flags = O_WRONLY | O_APPEND | O_CREAT | O_NONBLOCK | O_CLOEXEC;
    plan.syscall(`open ${path} for what hooks print`, "openat", [AT_FDCWD, plan.string(path), flags, 0o700], { save });
    outputs[stream] = save;
  }
  return outputs;
}

/** Steps that run the hooks of one point, in order; the plan fails with the label `createContainer hook #0 /path`. */
export function runHooksInside(plan: PlanBuilder, point: InsidePoint, { config, state, outputs }: InsideHooks): void {
  const hooks = config.hooks?.[point] ?? [];
  if (hooks.length === 0 || state === undefined) return;
  const stdin = stateInput(plan, { ...state, status: statuses[point] }, config);
  for (const [index, { path, args = [path], env = [], timeout }] of hooks.entries()) {
    const limit = timeout === undefined ? {} : { timeoutSeconds: timeout };
    runProgramInPlan(plan, { label: `${point} hook #${index} ${path}`, path, args, env, stdin, ...outputs, ...limit });
  }
}

/** The state as JSON. The first process of a pid namespace is 1; elsewhere the pid is known only when it is there. */
function stateInput(plan: PlanBuilder, state: State, { linux }: RuntimeConfig): DataArgument {
  const isFirst = linux.namespaces.some(({ type, path }) => type === "pid" && path === undefined);
  const { pid: _, ...rest } = state;
  const encoder = new TextEncoder();
  if (isFirst) return plan.bytes(encoder.encode(JSON.stringify({ ...rest, pid: 1 })));
  const text = JSON.stringify(rest).replace(/\}$/, ',"pid":');
  const before = encoder.encode(text);
  const json = plan.bytes(encoder.encode(`${text}${" ".repeat(24)}}`));
  writePid(plan, json, before.length);
  return json;
}

/** Steps that write our pid at `offset`, and spaces behind it: the launcher ends digits with a NUL, which JSON does not know. */
function writePid(plan: PlanBuilder, { data }: DataArgument, offset: number): void {
  plan.scoped(() => {
    const [pid, blank] = [plan.slot(), plan.slot()];
    const digits = plan.buffer(24);
    const done = plan.mark("the pid is written");
    plan.syscall("ask for the own pid", "getpid", [], { save: pid });
    plan.add({ kind: "format", slot: pid, into: digits.data, offset: 0 });
    plan.add({ kind: "format", slot: pid, into: data, offset });
    plan.add({ kind: "load", slot: blank, from: plan.bytes(new Uint8Array(8).fill(0x20)).data, offset: 0, width: 8 });
    for (let length = 1; length <= pidDigits; length++) {
      const more = plan.mark(`more than ${length} digits`);
      continueIfEqual(plan, "count the digits", { data: digits.data, offset: length, value: 0 }, more);
      plan.add({ kind: "store", slot: blank, into: data, offset: offset + length, width: 8 });
      jumpTo(plan, done);
      plan.here(more);
    }
    plan.here(done);
  });
}
