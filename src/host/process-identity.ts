/** Processes by more than their number, which the kernel gives to others in time. */
import { closeSync, readFileSync } from "node:fs";
import { pidfdOpen, pidfdSendSignal } from "../../ffi/libc.ts";
import { errnoName } from "../core/errors.ts";

/** A process as it was: no other has all three. */
export interface ProcessIdentity {
  readonly pid: number;
  /** Clock ticks since the boot (proc_pid_stat(5), field 22). */
  readonly startTime: number;
  readonly bootId: string;
}

/** undefined: there is no such process (any more). */
export function processStartTime(pid: number): number | undefined {
  let stat: string;
  try {
    stat = readFileSync(`/proc/${pid}/stat`, "latin1");
  } catch (error) {
    // ESRCH: it ended between the opening and the reading. Whatever else says nothing about the process.
    if (errnoName(error) === "ENOENT" || errnoName(error) === "ESRCH") return undefined;
    throw error;
  }
  // The name in field 2 may hold blanks and parentheses: the fields are counted after its end.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  // A zombie has ended: only its parent has not heard of it yet.
  return fields[0] === "Z" || fields[0] === "X" ? undefined : Number(fields[19]);
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

/** Whether this very process is still there. */
export function isAlive({ pid, startTime, bootId }: ProcessIdentity): boolean {
  return processStartTime(pid) === startTime && readBootId() === bootId;
}

/** A pidfd of this very process, the caller's to close; undefined: it has ended. */
export function openProcess(process: ProcessIdentity): number | undefined {
  let pidfd: number;
  try {
    pidfd = pidfdOpen(process.pid);
  } catch (error) {
    if (errnoName(error) === "ESRCH") return undefined;
    throw error;
  }
  try {
    // The descriptor comes first: it stays with the process that is then looked at.
    if (isAlive(process)) return pidfd;
  } catch (error) {
    closeSync(pidfd);
    throw error;
  }
  closeSync(pidfd);
  return undefined;
}

/** Sends a signal to the process and to no other: false where it has ended. `signal` 0 only asks. */
export function signalProcess(process: ProcessIdentity, signal: number): boolean {
  const pidfd = openProcess(process);
  if (pidfd === undefined) return false;
  try {
    pidfdSendSignal(pidfd, signal);
    return true;
  } catch (error) {
    if (errnoName(error) === "ESRCH") return false;
    throw error;
  } finally {
    closeSync(pidfd);
  }
}
