/**
 * Runs a launch plan: the launcher is executed from a sealed memfd, the plan goes to it through one pipe, and its reports
 * come back through another. No file is touched.
 */
import { closeSync } from "node:fs";
import { O_CLOEXEC, O_NONBLOCK } from "../../ffi/constants.ts";
import { encodePlan } from "../../ffi/launcher/encode.ts";
import { firstNamedFd } from "../../ffi/launcher/format.ts";
import type { LaunchPlan, ReportEvent } from "../../ffi/launcher/wire.ts";
import { duplicate, pipe2 } from "../../ffi/libc.ts";
import { DevboxError } from "../core/errors.ts";
import { type ExecutedPipe, executedName, openExecutedPipe } from "./executed.ts";
import { type FailedReport, findFailure, type LaunchFailure, launchError } from "./failure.ts";
import { hostArchitecture, openLauncherProgram } from "./launcher-program.ts";
import { openPlanPipe, type PlanPipe } from "./plan-pipe.ts";
import { openReports, type ReportReader } from "./reports.ts";

/** A descriptor of this process, or this process's own of the same number, or /dev/null. */
export type Stdio = number | "inherit" | "ignore";

export interface LaunchOptions {
  /** Descriptors that the plan names. They stay open here; they are closed on exec there unless the plan says otherwise. */
  readonly fds?: Readonly<Record<string, number>>;
  /** stdin, stdout, stderr; inherited unless given. */
  readonly stdio?: readonly [Stdio, Stdio, Stdio];
  /** A better error for a failure that the caller knows; undefined: LAUNCH_FAILED. */
  readonly translate?: (failure: LaunchFailure) => DevboxError | undefined;
}

export interface LaunchEvent {
  readonly event: ReportEvent;
  readonly value: number;
}

/** A launcher under way. Let go of it with `wait` or `release`. */
export interface Launched {
  /** Process id of the launcher (the supervisor), not of the box. */
  readonly pid: number;
  /** The next event; undefined when no more can come. Throws what `wait` throws if the plan has failed. */
  nextEvent(): Promise<LaunchEvent | undefined>;
  /**
   * Hands over the plan that the operation "continue" of the first one waits for; once. It may name only descriptors that
   * were given at the launch. If nobody waits any more, that is no error here: `wait` tells why.
   */
  proceed(plan: LaunchPlan): void;
  /** Wait for the launcher's end: its exit status (128 + n after signal n). Throws DevboxError if the plan has failed. */
  wait(): Promise<number>;
  /**
   * Resolves when the command is executed; once, of a plan that names the descriptor "executed" and was given none, and
   * before `wait` or `release` is called. Throws what `wait` throws if the plan has failed. A process that was killed before
   * looks like a command that was.
   */
  executed(): Promise<void>;
  /** Send a signal to the launcher; a supervisor passes it on to its child. */
  kill(signal: number): void;
  /** Let it run on without us, also when this process ends. A tied supervisor takes this for our death. */
  release(): void;
}

/** Start the launcher on a plan. Throws INTERNAL for a plan that cannot be encoded, LAUNCH_FAILED if it does not start. */
export function launch(plan: LaunchPlan, options: LaunchOptions = {}): Launched {
  const opened: number[] = [];
  const keep = (fd: number): number => {
    opened.push(fd);
    return fd;
  };
  let reportEnd: number | undefined;
  let plans: PlanPipe | undefined;
  let executed: ExecutedPipe | undefined;
  // The child puts descriptors in their places one after the other: what lies in a place itself would be gone before its turn.
  const places = firstNamedFd + plan.fds.length;
  const outside = (fd: number): number => (fd < places ? keep(duplicate(fd, places)) : fd);
  try {
    const bytes = encode(plan);
    const program = outside(keep(openLauncherProgram()));
    plans = openPlanPipe();
    const [read, write] = pipe2(O_CLOEXEC | O_NONBLOCK);
    keep(write);
    reportEnd = read;
    if (plan.fds.includes(executedName) && options.fds?.[executedName] === undefined) executed = openExecutedPipe();
    const child = Bun.spawn({
      cmd: [`/proc/self/fd/${program}`],
      argv0: "devbox-launcher",
      env: {},
      stdio: [
        ...standardStreams(options, outside),
        outside(plans.theirs),
        outside(write),
        ...namedFds(plan, { ...options.fds, ...executed?.fds }).map(outside),
      ],
    });
    plans.closeTheirs();
    executed?.closeTheirs();
    plans.write(bytes);
    if (!plan.ops.some(({ kind }) => kind === "continue")) plans.close();
    return follow({ plan, options, child, plans, reports: openReports(read), executed });
  } catch (error) {
    plans?.close();
    executed?.close();
    if (reportEnd !== undefined) closeSync(reportEnd);
    if (error instanceof DevboxError) throw error;
    throw new DevboxError("LAUNCH_FAILED", { step: "start the launcher", cause: error });
  } finally {
    for (const fd of opened) closeSync(fd);
  }
}

/** Run a plan to its end: the exit status. Throws as `launch` and `Launched.wait` do. */
export function runPlan(plan: LaunchPlan, options: LaunchOptions = {}): Promise<number> {
  return launch(plan, options).wait();
}

type Child = Pick<Bun.Subprocess, "pid" | "exited" | "kill" | "unref">;

interface Launch {
  readonly plan: LaunchPlan;
  readonly options: LaunchOptions;
  readonly child: Child;
  readonly plans: PlanPipe;
  readonly reports: ReportReader;
  readonly executed: ExecutedPipe | undefined;
}

function follow({ plan: first, options, child, plans, reports, executed }: Launch): Launched {
  let next: LaunchPlan | undefined;
  const close = (): void => {
    plans.close();
    reports.close();
    executed?.close();
  };
  const failed = (report: FailedReport): DevboxError => {
    const plan = next === undefined ? first : join(first, next);
    const failure = findFailure(plan, report);
    const translated = failure === undefined ? undefined : options.translate?.(failure);
    return translated ?? launchError(plan, report, failure);
  };
  return {
    pid: child.pid,
    nextEvent: async () => {
      const report = await reports.next();
      if (report?.kind === "failed") throw failed(report);
      return report;
    },
    proceed: (plan) => {
      next = plan;
      plans.write(encode(plan, first));
      plans.close();
    },
    wait: async () => {
      plans.close();
      const status = await child.exited;
      const report = await reports.failure();
      close();
      if (report !== undefined) throw failed(report);
      return status;
    },
    executed: async () => {
      if (executed === undefined) throw new DevboxError("INTERNAL", { step: `watch "${first.title}"` });
      await executed.ended();
      const report = await reports.failure();
      if (report !== undefined) throw failed(report);
    },
    kill: (signal) => child.kill(signal),
    release: () => {
      child.unref();
      close();
    },
  };
}

/** Two plans as the launcher's reports number their operations. */
function join(first: LaunchPlan, next: LaunchPlan): LaunchPlan {
  return { title: next.title, ops: [...first.ops, ...next.ops], fds: first.fds };
}

function encode(plan: LaunchPlan, before?: LaunchPlan): Uint8Array {
  try {
    return encodePlan(plan, hostArchitecture, before);
  } catch (cause) {
    throw new DevboxError("INTERNAL", { step: `encode the launch plan "${plan.title}"`, cause });
  }
}

function standardStreams(
  { stdio = ["inherit", "inherit", "inherit"] }: LaunchOptions,
  outside: (fd: number) => number,
) {
  const place = (stream: Stdio, i: number): Stdio =>
    typeof stream === "number" && stream !== i ? outside(stream) : stream;
  return [place(stdio[0], 0), place(stdio[1], 1), place(stdio[2], 2)] as const;
}

function namedFds(plan: LaunchPlan, fds: LaunchOptions["fds"]): number[] {
  return plan.fds.map((name) => {
    const fd = fds?.[name];
    if (fd !== undefined) return fd;
    throw new DevboxError("INTERNAL", {
      step: `start "${plan.title}"`,
      because: `no descriptor was given for ${name}`,
    });
  });
}
