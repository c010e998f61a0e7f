/** A process that a later devbox is to end: recorded by pid and start time, so that no other process is taken for it. */
import { closeSync, readFileSync, unlinkSync, writeFileSync } from "node:fs";
import { SIGTERM } from "../../ffi/constants.ts";
import { SyscallError } from "../../ffi/errno.ts";
import { pidfdOpen, pidfdSendSignal } from "../../ffi/libc.ts";
import { errnoName } from "../core/errors.ts";

/** Writes the record of a running process to `path`. */
export function recordProcess(path: string, pid: number): void {
  writeFileSync(path, `${pid} ${startTime(pid) ?? ""}\n`, { mode: 0o600 });
}

/** Ends the recorded process, if it still is the one, and removes the record. Without a record there is nothing to do. */
export function endRecordedProcess(path: string): void {
  const [pid, recorded] = readRecord(path);
  if (pid === undefined) return;
  try {
    // The descriptor comes first: it stays with the process whose start time is then looked at.
    const pidfd = pidfdOpen(pid);
    try {
      if (startTime(pid) === recorded) pidfdSendSignal(pidfd, SIGTERM);
    } finally {
      closeSync(pidfd);
    }
  } catch (error) {
    if (!(error instanceof SyscallError && error.errnoName === "ESRCH")) throw error;
  }
  unlinkSync(path);
}

function readRecord(path: string): readonly [pid: number | undefined, startTime: string | undefined] {
  try {
    const [, pid, time] = /^(\d+) (\d+)\n$/.exec(readFileSync(path, "utf8")) ?? [];
    return [pid === undefined ? undefined : Number(pid), time];
  } catch (error) {
    if (errnoName(error) === "ENOENT") return [undefined, undefined];
    throw error;
  }
}

/** Field 22 of /proc/PID/stat (proc(5)), in clock ticks since boot; undefined: there is no such process. */
function startTime(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
    // The name in field 2 may hold blanks and parentheses: the fields are counted after its end.
    return stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19];
  } catch {
    return undefined;
  }
}
