/**
 * Runs a launch plan: the plan and the launcher's program go into sealed memfds, the launcher is executed from there,
 * and its reports are read from a pipe. No file is touched.
 */
import { closeSync, openSync, writeSync } from "node:fs";
import {
  F_SEAL_GROW,
  F_SEAL_SEAL,
  F_SEAL_SHRINK,
  F_SEAL_WRITE,
  MFD_ALLOW_SEALING,
  MFD_CLOEXEC,
  MFD_EXEC,
  O_CLOEXEC,
  O_NONBLOCK,
} from "../../ffi/constants.ts";
import { EINVAL, SyscallError } from "../../ffi/errno.ts";
import { encodePlan } from "../../ffi/launcher/encode.ts";
import type { LaunchPlan, LaunchReport, ReportEvent } from "../../ffi/launcher/wire.ts";
import { addSeals, memfdCreate, pipe2 } from "../../ffi/libc.ts";
import { DevboxError } from "../core/errors.ts";
import { type FailedReport, findFailure, type LaunchFailure, launchError } from "./failure.ts";
import { hostArchitecture, launcherProgram } from "./launcher-program.ts";
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
  /** Wait for the launcher's end: its exit status (128 + n after signal n). Throws DevboxError if the plan has failed. */
  wait(): Promise<number>;
  /** Send a signal to the launcher; a supervisor passes it on to its child. */
  kill(signal: number): void;
  /** Let it run on without us. A tied supervisor takes this for our death. */
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
  try {
    const planFd = keep(sealedFile("devbox-plan", encode(plan), MFD_CLOEXEC | MFD_ALLOW_SEALING));
    const program = keep(programFile());
    const [read, write] = pipe2(O_CLOEXEC | O_NONBLOCK);
    keep(write);
    reportEnd = read;
    const child = Bun.spawn({
      cmd: [`/proc/self/fd/${program}`],
      argv0: "devbox-launcher",
      env: {},
      stdio: [
        ...(options.stdio ?? (["inherit", "inherit", "inherit"] as const)),
        planFd,
        write,
        ...namedFds(plan, options),
      ],
    });
    return follow(plan, options, child, openReports(read));
  } catch (error) {
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

function follow(plan: LaunchPlan, options: LaunchOptions, child: Child, reports: ReportReader): Launched {
  const failed = (report: FailedReport): DevboxError => {
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
    wait: async () => {
      const status = await child.exited;
      const report = (await reports.drain()).find(isFailure);
      reports.close();
      if (report !== undefined) throw failed(report);
      return status;
    },
    kill: (signal) => child.kill(signal),
    release: () => {
      child.unref();
      reports.close();
    },
  };
}

function isFailure(report: LaunchReport): report is FailedReport {
  return report.kind === "failed";
}

function encode(plan: LaunchPlan): Uint8Array {
  try {
    return encodePlan(plan, hostArchitecture);
  } catch (cause) {
    throw new DevboxError("INTERNAL", { step: `encode the launch plan "${plan.title}"`, cause });
  }
}

function namedFds(plan: LaunchPlan, options: LaunchOptions): number[] {
  return plan.fds.map((name) => {
    const fd = options.fds?.[name];
    if (fd !== undefined) return fd;
    throw new DevboxError("INTERNAL", {
      step: `start "${plan.title}"`,
      because: `no descriptor was given for ${name}`,
    });
  });
}

/** A file in memory that nobody can change any more, not even we. */
function sealedFile(name: string, bytes: Uint8Array, flags: number): number {
  const fd = memfdCreate(name, flags);
  try {
    writeSync(fd, bytes);
    addSeals(fd, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL);
  } catch (error) {
    closeSync(fd);
    throw error;
  }
  return fd;
}

/** The launcher's program, open for reading only: execve(2) refuses a file that is open for writing (ETXTBSY). */
function programFile(): number {
  const bytes = launcherProgram(hostArchitecture);
  const writable = executableFile("devbox-launcher", bytes);
  try {
    return openSync(`/proc/self/fd/${writable}`, "r");
  } finally {
    closeSync(writable);
  }
}

/** Since 6.3 a memfd to be executed must say so where vm.memfd_noexec is set; before, the flag is unknown (memfd_create(2)). */
function executableFile(name: string, bytes: Uint8Array): number {
  const flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
  try {
    return sealedFile(name, bytes, flags | MFD_EXEC);
  } catch (error) {
    if (!(error instanceof SyscallError) || error.errno !== EINVAL) throw error;
    return sealedFile(name, bytes, flags);
  }
}
