/** The processes of a box, as /proc shows them: proc(5). */
import { readdirSync, readFileSync, readlinkSync } from "node:fs";

export interface BoxProcess {
  /** As the host counts. */
  readonly pid: number;
  readonly parent: number;
  /** As the host counts. */
  readonly uid: number;
  /** Of the command, 15 bytes at most. */
  readonly name: string;
  /** Empty for those that have none: kernel threads, zombies. */
  readonly args: readonly string[];
  /** Device number of its terminal; 0: none. */
  readonly terminal: number;
  /** Processor time and start, in clock ticks (100 a second everywhere); the start since boot. */
  readonly userTicks: number;
  readonly systemTicks: number;
  readonly startTicks: number;
  readonly residentPages: number;
}

/** sysconf(3) _SC_CLK_TCK: the kernel's USER_HZ, the same on both architectures. */
export const ticksPerSecond = 100;

/**
 * All of a box: those in the pid namespace of its init process, and what they have started, in namespaces below too.
 * @param init as the host counts
 */
export function boxProcesses(init: number): readonly BoxProcess[] {
  const namespace = pidNamespace(init);
  if (namespace === undefined) return [];
  const all = readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => readProcess(Number(name)) ?? []);
  const own = new Set(all.filter(({ pid }) => pidNamespace(pid) === namespace).map(({ pid }) => pid));
  for (let before = -1; before !== own.size; ) {
    before = own.size;
    for (const { pid, parent } of all) if (own.has(parent)) own.add(pid);
  }
  return all.filter(({ pid }) => own.has(pid));
}

function pidNamespace(pid: number): string | undefined {
  try {
    return readlinkSync(`/proc/${pid}/ns/pid`);
  } catch {
    return undefined; // it has ended, or is another user's
  }
}

/** undefined: it has ended. */
function readProcess(pid: number): BoxProcess | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
    const open = stat.indexOf("(");
    const close = stat.lastIndexOf(")");
    const fields = stat.slice(close + 2).split(" ");
    // proc_pid_stat(5) counts from 1, and the state is number 3.
    const field = (number: number): number => Number(fields[number - 3]);
    const status = readFileSync(`/proc/${pid}/status`, "latin1");
    return {
      pid,
      parent: field(4),
      uid: Number(/^Uid:\s+\d+\s+(\d+)/m.exec(status)?.[1] ?? 0),
      name: stat.slice(open + 1, close),
      args: readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0").slice(0, -1),
      terminal: field(7),
      userTicks: field(14),
      systemTicks: field(15),
      startTicks: field(22),
      residentPages: field(24),
    };
  } catch {
    return undefined;
  }
}
