/** Processes by more than their number, which the kernel gives to others in time. */
import { closeSync, readFileSync } from "node:fs";
import { SyscallError } from "../../ffi/errno.ts";
import { pidfdOpen, pidfdSendSignal } from "../../ffi/libc.ts";

/** A process as it was: no other has all three. */
export interface ProcessIdentity {
  readonly pid: number;
  readonly startTime: number;
  readonly bootId: string;
}

/** Field 22 of /proc/PID/stat (proc_pid_stat(5)), in clock ticks since boot; undefined: there is no such process. */
export function processStartTime(pid: number): number | undefined {
  const [state, time] = readStat(pid);
  // A zombie has ended: only its parent has not heard of it yet.
  return state === "Z" || state === "X" ? undefined : time;
}

/** Changes with every start of the machine (random(4)). */
export function readBootId(): string {
  return readFileSync("/proc/sys/kernel/random/boot_id", "latin1").trim();
}

/** undefined: it has ended. */
export function identify(pid: number): ProcessIdentity | undefined {
  const startTime = processStartTime(pid);
  return startTime === undefined ? undefined : { pid, startTime, bootId: readBootId() };
}

/** Sends a signal to the process and to no other: false where it has ended. `signal` 0 only asks. */
export function signalProcess({ pid, startTime, bootId }: ProcessIdentity, signal: number): boolean {
  if (readBootId() !== bootId) return false;
  try {
    // The descriptor comes first: it stays with the process whose start time is then looked at.
    const pidfd = pidfdOpen(pid);
    try {
      if (processStartTime(pid) !== startTime) return false;
      pidfdSendSignal(pidfd, signal);
      return true;
    } finally {
      closeSync(pidfd);
    }
  } catch (error) {
    if (error instanceof SyscallError && error.errnoName === "ESRCH") return false;
    throw error;
  }
}

function readStat(pid: number): readonly [state?: string, startTime?: number] {
  let stat: string;
  try {
    stat = readFileSync(`/proc/${pid}/stat`, "latin1");
  } catch {
    return [];
  }
  // The name in field 2 may hold blanks and parentheses: the fields are counted after its end.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return [fields[0] ?? "", Number(fields[19])];
}
