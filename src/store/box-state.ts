/** What a box really is, whatever its record says: its monitor may have been killed, and the machine started anew. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { endRecordBytes } from "../../ffi/launcher/wire.ts";
import { identify, isAlive as isProcessAlive, type ProcessIdentity } from "../host/process-identity.ts";
import { tryLock } from "./locks.ts";
import { boxPaths } from "./paths.ts";
import type { BoxHealth, BoxPaths, BoxRecord, Store } from "./types.ts";

/** 128 + SIGKILL: nobody saw how the box ended, but its supervisor was killed and took it along. */
export const lostExitCode = 137;

/** How a box ended, as its monitor has seen it. */
export interface BoxEnd {
  readonly exitCode: number;
  /** ISO 8601. */
  readonly finishedAt: string;
}

/** Where the monitor writes the end of a box (ffi/launcher/wire.ts MonitorOp `ended`). */
export function endedPath(paths: BoxPaths): string {
  return join(paths.directory, "ended");
}

export function healthPath(paths: BoxPaths): string {
  return join(paths.directory, "health.json");
}

/** undefined: it has not ended since it was started, or nobody was left to see it. */
export function readBoxEnd(paths: BoxPaths): BoxEnd | undefined {
  let bytes: Uint8Array;
  try {
    bytes = readFileSync(endedPath(paths));
  } catch {
    return undefined;
  }
  if (bytes.length < endRecordBytes) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const milliseconds = Number(view.getBigInt64(8, true) / 1_000_000n);
  return { exitCode: exitCodeOf(view.getInt32(0, true)), finishedAt: new Date(milliseconds).toISOString() };
}

/** wait(2): the exit status, or 128 + n after signal n. */
function exitCodeOf(waitStatus: number): number {
  const signal = waitStatus & 0x7f;
  return signal === 0 ? (waitStatus >> 8) & 0xff : 128 + signal;
}

/** The box as it is now, with what is known of its health. The file of its record stays as it is. */
export function boxState(store: Store, record: BoxRecord): BoxRecord {
  const paths = boxPaths(store, record.id);
  const isLost = isAlive(record) && !isWatched(paths);
  return withHealth(paths, isLost ? endedRecord(record, readBoxEnd(paths)) : record);
}

/** What becomes of the record of a box that has ended. */
export function endedRecord(record: BoxRecord, end: BoxEnd | undefined): BoxRecord {
  const {
    pid: _pid,
    startTime: _start,
    monitorPid: _monitor,
    monitorStartTime: _since,
    ports: _ports,
    ...rest
  } = record;
  const finishedAt = end?.finishedAt ?? record.finishedAt;
  return {
    ...rest,
    status: "exited",
    exitCode: end?.exitCode ?? record.exitCode ?? lostExitCode,
    ...(finishedAt === undefined ? {} : { finishedAt }),
  };
}

/** Whether the record says that somebody watches the box. */
export function isAlive({ status }: Pick<BoxRecord, "status">): boolean {
  return status === "running" || status === "paused" || status === "restarting";
}

/** The init process of the box, if the one that was recorded still lives. */
export function initProcess({ pid, startTime, bootId }: BoxRecord): ProcessIdentity | undefined {
  if (pid === undefined || startTime === undefined || bootId === undefined) return undefined;
  const process = { pid, startTime, bootId };
  return isProcessAlive(process) ? process : undefined;
}

/**
 * The same also for a box in the foreground, whose record has only a number: that one was the box's if its lock is held
 * afterwards (`isWatched`), which it is as long as its process is there.
 */
export function firstProcess(record: BoxRecord): ProcessIdentity | undefined {
  const { pid, monitorPid } = record;
  return initProcess(record) ?? (pid === undefined || monitorPid !== undefined ? undefined : identify(pid));
}

/** The launcher that watches the box. */
export function monitorProcess({ monitorPid, monitorStartTime, bootId }: BoxRecord): ProcessIdentity | undefined {
  if (monitorPid === undefined || monitorStartTime === undefined || bootId === undefined) return undefined;
  return { pid: monitorPid, startTime: monitorStartTime, bootId };
}

/** Whether somebody watches the box, or makes it: it is idle otherwise, and may be started or removed. */
export function isWatched(paths: BoxPaths): boolean {
  // Asking for the lock would make the file.
  if (!existsSync(paths.lock)) return false;
  // Shared, so that those who only look do not take one another for a monitor.
  const lock = tryLock(paths.lock, "shared");
  lock?.[Symbol.dispose]();
  return lock === undefined;
}

function withHealth(paths: BoxPaths, record: BoxRecord): BoxRecord {
  try {
    // Written whole and renamed, by devbox.
    const health: BoxHealth = JSON.parse(readFileSync(healthPath(paths), "utf8"));
    return { ...record, health };
  } catch {
    return record; // there is no check
  }
}
