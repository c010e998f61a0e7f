/** Rows of "process" that say when the command gets a processor and the disk. */
import { existsSync } from "node:fs";
import {
  type SchedulerFlag,
  type SchedulerPolicy,
  schedulerFlags,
  schedulerPolicies,
} from "../../../src/oci/runtime-words.ts";
import type { Config } from "../oci-runtime.ts";
import { isRoot, type Row, type Seen } from "./row.ts";

/** Niceness, priority and policy of process 1 (proc_pid_stat(5)): words of the shell's own, as a deadline process may not fork. */
const scheduling = "read -r line < /proc/1/stat; set -- ${line##*) }; echo ${17} ${38} ${39}";

const schedulers: Readonly<Record<SchedulerPolicy, readonly [fields: Config, seen: Seen]>> = {
  SCHED_OTHER: [{ nice: 5 }, "5 0 0"],
  SCHED_FIFO: [{ priority: 3 }, "0 3 1"],
  SCHED_RR: [{ priority: 4 }, "0 4 2"],
  SCHED_BATCH: [{ nice: 6 }, "6 0 3"],
  SCHED_ISO: [{}, { refused: /process\.scheduler\.policy: SCHED_ISO is in no kernel/ }],
  // The kernel gives idle processes no niceness.
  SCHED_IDLE: [{ nice: 7 }, "0 0 5"],
  SCHED_DEADLINE: [{ runtime: 1_000_000, deadline: 100_000_000, period: 200_000_000 }, "0 0 6"],
};

/** Policies that an ordinary user may not take (sched(7)). */
const privileged = ["SCHED_FIFO", "SCHED_RR", "SCHED_DEADLINE"];
const ofScheduler = (...keys: readonly string[]): readonly string[] => [
  "process.scheduler",
  ...keys.map((key) => `process.scheduler.${key}`),
];

/** Kernels with CONFIG_RT_GROUP_SCHED let processes of a new group be in real time once it has time for it. */
const realTime = existsSync("/sys/fs/cgroup/cpu/cpu.rt_runtime_us") ? { cpu: { realtimeRuntime: 1000 } } : {};
const withClamps = existsSync("/proc/sys/kernel/sched_util_clamp_min");
const deadline = { policy: "SCHED_DEADLINE", runtime: 1_000_000, deadline: 100_000_000, period: 200_000_000 };

const schedulerFlagRows: Readonly<Record<SchedulerFlag, readonly [scheduler: Config, seen: Seen]>> = {
  SCHED_FLAG_RESET_ON_FORK: [{ policy: "SCHED_OTHER", nice: -5 }, "-5 0 0 forked 0 0 0"],
  SCHED_FLAG_RECLAIM: [deadline, "0 0 6"],
  SCHED_FLAG_DL_OVERRUN: [deadline, "0 0 6"],
  SCHED_FLAG_KEEP_POLICY: [{ policy: "SCHED_BATCH", nice: 5 }, "5 0 0"],
  // The kernel then leaves all as it is.
  SCHED_FLAG_KEEP_PARAMS: [{ policy: "SCHED_BATCH", nice: 5 }, "0 0 0"],
  SCHED_FLAG_UTIL_CLAMP_MIN: [{ policy: "SCHED_OTHER", nice: 5 }, withClamps ? "5 0 0" : { refused: /EOPNOTSUPP/ }],
  SCHED_FLAG_UTIL_CLAMP_MAX: [{ policy: "SCHED_OTHER", nice: 5 }, withClamps ? "5 0 0" : { refused: /EOPNOTSUPP/ }],
};

const schedulerRows: readonly Row[] = [
  ...schedulerPolicies.map((policy): Row => {
    const [fields, seen] = schedulers[policy];
    return {
      of: ofScheduler("policy", ...Object.keys(fields)),
      word: policy,
      change(config) {
        config.process.scheduler = { policy, ...fields };
        if (isRoot) config.linux.resources = realTime;
      },
      script: scheduling,
      sees: { root: seen, user: privileged.includes(policy) ? mayNotSchedule(policy) : seen },
    };
  }),
  ...schedulerFlags.map((flag): Row => {
    const [scheduler, seen] = schedulerFlagRows[flag];
    const forks = flag === "SCHED_FLAG_RESET_ON_FORK";
    return {
      of: ofScheduler("flags", "flags[]"),
      word: flag,
      change: (config) => (config.process.scheduler = { ...scheduler, flags: [flag] }),
      script: forks ? `echo $(${scheduling}) forked $(${scheduling.replace("/1/", "/self/")})` : scheduling,
      sees: { root: seen, user: scheduler === deadline || forks ? mayNotSchedule(scheduler.policy) : seen },
    };
  }),
];

function mayNotSchedule(policy: string): Seen {
  return { refused: new RegExp(`set the scheduler ${policy}: .*EPERM`) };
}

const ioprio = (name: string, priority: number, seen: { readonly root: Seen; readonly user: Seen } | Seen): Row => ({
  of: ["process.ioPriority", "process.ioPriority.class", "process.ioPriority.priority"],
  word: name,
  change: (config) => (config.process.ioPriority = { class: name, priority }),
  script: "ionice",
  sees: seen,
});

export const scheduleRows: readonly Row[] = [
  ...schedulerRows,
  ioprio("IOPRIO_CLASS_BE", 3, "best-effort: prio 3"),
  ioprio("IOPRIO_CLASS_IDLE", 0, "idle"),
  ioprio("IOPRIO_CLASS_RT", 2, {
    root: "realtime: prio 2",
    user: { refused: /set the I\/O priority IOPRIO_CLASS_RT 2: .*EPERM/ },
  }),
  {
    of: ["process.execCPUAffinity", "process.execCPUAffinity.initial", "process.execCPUAffinity.final"],
    change: (config) => (config.process.execCPUAffinity = { initial: "0", final: "1" }),
    exec: true,
    script: "grep ^Cpus_allowed_list: /proc/self/status | tr '\\t' ' '",
    sees: "Cpus_allowed_list: 1",
  },
];
