/** When the process gets processor and disk: scheduler, I/O priority, processors (runtime-spec config.md "Linux Process"). */
import {
  IOPRIO_CLASS_BE,
  IOPRIO_CLASS_IDLE,
  IOPRIO_CLASS_RT,
  IOPRIO_CLASS_SHIFT,
  IOPRIO_WHO_PGRP,
  SCHED_BATCH,
  SCHED_DEADLINE,
  SCHED_FIFO,
  SCHED_FLAG_DL_OVERRUN,
  SCHED_FLAG_KEEP_PARAMS,
  SCHED_FLAG_KEEP_POLICY,
  SCHED_FLAG_RECLAIM,
  SCHED_FLAG_RESET_ON_FORK,
  SCHED_FLAG_UTIL_CLAMP_MAX,
  SCHED_FLAG_UTIL_CLAMP_MIN,
  SCHED_IDLE,
  SCHED_ISO,
  SCHED_OTHER,
  SCHED_RR,
} from "../../ffi/constants.ts";
import { DevboxError } from "../core/errors.ts";
import type { PlanBuilder } from "../launch/plan.ts";
import { parseCpuList } from "../oci/cpu-list.ts";
import type { IoPriority, RuntimeProcess, Scheduler } from "../oci/runtime.ts";
import type { SchedulerFlag, SchedulerPolicy } from "../oci/runtime-words.ts";

const policies: Readonly<Record<SchedulerPolicy, number>> = {
  SCHED_OTHER,
  SCHED_FIFO,
  SCHED_RR,
  SCHED_BATCH,
  SCHED_ISO,
  SCHED_IDLE,
  SCHED_DEADLINE,
};

const flagBits: Readonly<Record<SchedulerFlag, number>> = {
  SCHED_FLAG_RESET_ON_FORK,
  SCHED_FLAG_RECLAIM,
  SCHED_FLAG_DL_OVERRUN,
  SCHED_FLAG_KEEP_POLICY,
  SCHED_FLAG_KEEP_PARAMS,
  SCHED_FLAG_UTIL_CLAMP_MIN,
  SCHED_FLAG_UTIL_CLAMP_MAX,
};

const ioClasses: Readonly<Record<IoPriority["class"], number>> = {
  IOPRIO_CLASS_RT,
  IOPRIO_CLASS_BE,
  IOPRIO_CLASS_IDLE,
};

/** Steps for process.scheduler and process.ioPriority, while the process has the capabilities that they may take. */
export function setSchedule(plan: PlanBuilder, { scheduler, ioPriority }: RuntimeProcess): void {
  if (scheduler !== undefined) {
    if (scheduler.policy === "SCHED_DEADLINE") checkDeadline(scheduler);
    const attributes = plan.bytes(schedulerBytes(scheduler));
    plan.syscall(`set the scheduler ${scheduler.policy}`, "sched_setattr", [0, attributes, 0]);
  }
  if (ioPriority !== undefined) {
    const { class: name, priority } = ioPriority;
    const value = (ioClasses[name] << IOPRIO_CLASS_SHIFT) | priority;
    // The group that the process leads: config.md wants it for all of it.
    plan.syscall(`set the I/O priority ${name} ${priority}`, "ioprio_set", [IOPRIO_WHO_PGRP, 0, value]);
  }
}

/** Nanoseconds: shorter ones the kernel refuses, and the highest bit must be free (sched(7)). */
const [shortestRuntime, longestTime] = [1024n, 2n ** 63n - 1n];

/** The kernel says no more than EINVAL; the words are crun's, which has the same rules. */
function checkDeadline(scheduler: Scheduler): void {
  const [runtime, deadline, period] = [scheduler.runtime, scheduler.deadline, scheduler.period].map((time) =>
    BigInt(time ?? 0),
  ) as [bigint, bigint, bigint];
  const missing = (["runtime", "deadline"] as const).find((key) => scheduler[key] === undefined);
  const rules: readonly (readonly [broken: boolean, because: string])[] = [
    [missing !== undefined, `requires \`${missing}\``],
    [runtime === 0n, "runtime must be greater than 0"],
    [
      runtime < shortestRuntime || runtime > longestTime,
      `runtime ${runtime} must be between ${shortestRuntime} and ${longestTime}`,
    ],
    [runtime > deadline, `runtime ${runtime} must be <= deadline ${deadline}`],
    [period !== 0n && deadline > period, `deadline ${deadline} must be <= period ${period}`],
  ];
  const [, because] = rules.find(([broken]) => broken) ?? [];
  if (because === undefined) return;
  const step = "read process.scheduler";
  throw new DevboxError("BAD_CONFIG", { step, because: `sched_setattr: \`SCHED_DEADLINE\` ${because}` });
}

/**
 * struct sched_attr with utilization clamps (5.3): size, policy (u32), flags (u64), nice (s32), priority (u32), runtime, deadline,
 * period (u64), util_min, util_max (u32).
 */
function schedulerBytes({ policy, nice = 0, priority = 0, flags = [], ...times }: Scheduler): Uint8Array {
  const bytes = new Uint8Array(56);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, bytes.length, true);
  view.setUint32(4, numberOf(policies, policy, "process.scheduler.policy"), true);
  const bits = flags.reduce((sum, flag) => sum | numberOf(flagBits, flag, "process.scheduler.flags"), 0);
  view.setBigUint64(8, BigInt(bits), true);
  view.setInt32(16, nice, true);
  view.setUint32(20, priority, true);
  [times.runtime, times.deadline, times.period].forEach((time, index) => {
    view.setBigUint64(24 + index * 8, BigInt(time ?? 0), true);
  });
  return bytes;
}

function numberOf(table: Readonly<Record<string, number>>, name: string, place: string): number {
  const number = Object.hasOwn(table, name) ? table[name] : undefined;
  if (number !== undefined) return number;
  throw new DevboxError("BAD_CONFIG", { step: `read ${place}`, because: `there is no ${name}` });
}

/**
 * Steps for process.execCPUAffinity of a further process: "initial" before it joins its control group, "final" after. The init
 * process has none (config.md "Linux Process").
 */
export function setAffinity(
  plan: PlanBuilder,
  when: "initial" | "final",
  { execCPUAffinity = {} }: RuntimeProcess,
): void {
  const { initial = "", final = "" } = execCPUAffinity;
  const text = when === "initial" ? initial : final;
  const mask = maskOf(text, `process.execCPUAffinity.${when}`);
  const label = (cpus: string): string => `run on the processors ${cpus}`;
  if (mask.length > 0) plan.syscall(label(text), "sched_setaffinity", [0, mask.length, plan.bytes(mask)]);
  // The kernel leaves only those of the control group: that is the default, which the initial ones have replaced.
  else if (when === "final" && initial.trim() !== "") {
    const all = new Uint8Array(everyCpu / 8).fill(0xff);
    plan.syscall(label("of the control group"), "sched_setaffinity", [0, all.length, plan.bytes(all)]);
  }
}

/** NR_CPUS of the kernel is at most 8192; it takes longer masks as well. */
const everyCpu = 8192;

function maskOf(text: string, place: string): Uint8Array {
  const cpus = parseCpuList(text);
  if (cpus !== undefined) return cpus.length === 0 ? new Uint8Array() : cpuMask(cpus);
  throw new DevboxError("BAD_CONFIG", { step: `read ${place}`, because: `${text} is no list of processors` });
}

/** cpu_set_t: a bit a processor, in words of 64 bits; sets of memory nodes are written alike. */
export function cpuMask(cpus: readonly number[]): Uint8Array {
  const words = ((cpus.at(-1) ?? 0) >> 6) + 1;
  const mask = new Uint8Array(words * 8);
  for (const cpu of cpus) mask[cpu >> 3] = (mask[cpu >> 3] ?? 0) | (1 << (cpu & 7));
  return mask;
}
