/** `devbox stats`: what boxes use, from their control groups, or where they have none from their processes. */
import { readUsage } from "../cgroup/usage.ts";
import { readTextOrNothing } from "../core/read-text.ts";
import { boxPaths } from "../store/paths.ts";
import type { BoxRecord, Store } from "../store/types.ts";
import { boxProcesses, ticksPerSecond } from "./processes.ts";
import { readSettings } from "./settings.ts";

/** Counters at one moment. */
export interface BoxUsage {
  /** Milliseconds of a steady clock. */
  readonly at: number;
  /** Nanoseconds of processor time. */
  readonly cpu: number;
  /** Bytes, but what the kernel can drop at once. */
  readonly memory: number;
  /** Bytes; the machine's memory where there is no limit. */
  readonly memoryLimit: number;
  readonly processes: number;
  /** Bytes. */
  readonly received: number;
  readonly sent: number;
  readonly read: number;
  readonly written: number;
}

/** undefined: it does not run. */
export function boxUsage(store: Store, record: BoxRecord): BoxUsage | undefined {
  if (record.pid === undefined) return undefined;
  return { at: performance.now(), ...(groupUsage(store, record) ?? processUsage(record.pid)), ...traffic(record.pid) };
}

type GroupUsage = Omit<BoxUsage, "at" | "received" | "sent">;

/** undefined: it has no group, or one in which the kernel counts nothing. */
function groupUsage(store: Store, { id }: BoxRecord): GroupUsage | undefined {
  const cgroup = readSettings(boxPaths(store, id))?.cgroup;
  if (cgroup === undefined) return undefined;
  const { cpu, memory, pids, io } = readUsage(cgroup);
  if (cpu.total === 0 || memory.usage === 0) return undefined;
  const total = machineMemory();
  return {
    cpu: cpu.total,
    memory: Math.max(0, memory.usage - memory.cache),
    memoryLimit: Math.min(memory.limit ?? total, total),
    processes: pids.current,
    read: io.readBytes,
    written: io.writeBytes,
  };
}

const pageBytes = 4096;

/** What ended processes have used is not in it. */
function processUsage(init: number): GroupUsage {
  const processes = boxProcesses(init);
  const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);
  const ticks = sum(processes.map(({ userTicks, systemTicks }) => userTicks + systemTicks));
  const io = processes.map(({ pid }) => readTextOrNothing(`/proc/${pid}/io`));
  const counter = (name: string): number =>
    sum(io.map((text) => Number(new RegExp(`^${name}: (\\d+)`, "m").exec(text)?.[1] ?? 0)));
  return {
    cpu: (ticks * 1e9) / ticksPerSecond,
    memory: sum(processes.map(({ pid, residentPages }) => proportionalSize(pid) ?? residentPages * pageBytes)),
    memoryLimit: machineMemory(),
    processes: processes.length,
    read: counter("read_bytes"),
    written: counter("write_bytes"),
  };
}

/** Pages that several processes share count once in their sum (proc_pid_smaps(5), Pss). */
function proportionalSize(pid: number): number | undefined {
  const match = /^Pss:\s+(\d+) kB/m.exec(readTextOrNothing(`/proc/${pid}/smaps_rollup`));
  return match === null ? undefined : Number(match[1]) * 1024;
}

function machineMemory(): number {
  return Number(/^MemTotal:\s+(\d+) kB/m.exec(readTextOrNothing("/proc/meminfo"))?.[1] ?? 0) * 1024;
}

/** proc_pid_net(5): bytes received stand first in a line, bytes sent ninth. The loopback device is not the network. */
function traffic(pid: number): Pick<BoxUsage, "received" | "sent"> {
  let [received, sent] = [0, 0];
  for (const line of readTextOrNothing(`/proc/${pid}/net/dev`).split("\n")) {
    const match = /^\s*([^\s:]+):\s*(.*)$/.exec(line);
    if (match === null || match[1] === "lo") continue;
    const counters = (match[2] ?? "").split(/\s+/).map(Number);
    received += counters[0] ?? 0;
    sent += counters[8] ?? 0;
  }
  return { received, sent };
}

/** Of one processor, between two moments: 200 for two that are busy. */
export function cpuPercent(before: BoxUsage | undefined, after: BoxUsage): number {
  const passed = before === undefined ? 0 : after.at - before.at;
  if (before === undefined || passed <= 0) return 0;
  return Math.max(0, ((after.cpu - before.cpu) / 1e6 / passed) * 100);
}
