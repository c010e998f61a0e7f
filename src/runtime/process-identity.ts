/** A process as the host knows it: a number alone is given again when its process is gone. */
import { readFileSync } from "node:fs";
import { errnoName } from "../core/errors.ts";

export interface ProcessIdentity {
  readonly pid: number;
  /** Clock ticks since the boot (proc_pid_stat(5), field 22). */
  readonly startTime: string;
}

interface ProcessStat {
  readonly state: string;
  readonly startTime: string;
}

/** @returns undefined where there is no such process (any more). */
export function identifyProcess(pid: number): ProcessIdentity | undefined {
  const stat = readStat(pid);
  return stat === undefined ? undefined : { pid, startTime: stat.startTime };
}

/** A zombie has ended; that its parent has not waited for it yet is the parent's affair. */
export function isAlive({ pid, startTime }: ProcessIdentity): boolean {
  const stat = readStat(pid);
  return stat !== undefined && stat.startTime === startTime && stat.state !== "Z" && stat.state !== "X";
}

function readStat(pid: number): ProcessStat | undefined {
  let text: string;
  try {
    text = readFileSync(`/proc/${pid}/stat`, "latin1");
  } catch (error) {
    // ESRCH: it ended between the opening and the reading.
    if (errnoName(error) === "ENOENT" || errnoName(error) === "ESRCH") return undefined;
    throw error;
  }
  // The name of the program, in brackets, may hold brackets and spaces of its own.
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  return { state: fields[0] ?? "", startTime: fields[19] ?? "" };
}
