/** `events --stats` in runc's shape (runc's types/events.go), which cadvisor and others read. */
import { watchOom } from "../cgroup/oom.ts";
import { readUsage } from "../cgroup/usage.ts";
import { DevboxError } from "../core/errors.ts";
import { containerStatus, findContainer } from "./container.ts";
import { requireCgroup } from "./pause.ts";
import { checkTransition } from "./status.ts";

export interface StatsEvent {
  readonly type: "stats";
  readonly id: string;
  readonly data: unknown;
}

/** @throws DevboxError CONTAINER_NOT_FOUND, CONTAINER_STATE */
export function containerStats(root: string, id: string): StatsEvent {
  const container = findContainer(root, id);
  checkTransition("events", id, containerStatus(container));
  const { cpu, memory, pids, io } = readUsage(requireCgroup(container, "measure"));
  const blkio = (field: readonly (readonly [string, number])[]) =>
    field.map(([op, value]) => ({ major: 0, minor: 0, op, value }));
  return {
    type: "stats",
    id,
    data: {
      cpu: {
        usage: { total: cpu.total, kernel: cpu.system, user: cpu.user },
        throttling: { throttledTime: cpu.throttled },
      },
      memory: {
        cache: memory.cache,
        usage: {
          usage: memory.usage,
          ...(memory.max === undefined ? {} : { max: memory.max }),
          ...(memory.limit === undefined ? {} : { limit: memory.limit }),
          failcnt: memory.failures,
        },
        swap: { usage: memory.swap, failcnt: 0 },
      },
      pids: { current: pids.current, ...(pids.limit === undefined ? {} : { limit: pids.limit }) },
      blkio: {
        ioServiceBytesRecursive: blkio([
          ["Read", io.readBytes],
          ["Write", io.writeBytes],
        ]),
        ioServicedRecursive: blkio([
          ["Read", io.reads],
          ["Write", io.writes],
        ]),
      },
      hugetlb: {},
      intel_rdt: {},
      network_interfaces: null,
    },
  };
}

/** Calls `onOom` when memory has run out in the container; never where nobody counts it. Ends when disposed of. */
export function watchMemory(root: string, id: string, onOom: () => void): Disposable | undefined {
  try {
    return watchOom(requireCgroup(findContainer(root, id), "measure"), onOom);
  } catch (error) {
    if (error instanceof DevboxError && error.code === "CGROUP_UNAVAILABLE") return undefined;
    throw error;
  }
}

/** Whether there is something to measure (still). */
export function canMeasure(root: string, id: string): boolean {
  return ["created", "running", "paused"].includes(containerStatus(findContainer(root, id)));
}
