/** A process that a later devbox is to end: recorded so that no other process is taken for it. */
import { readFileSync, unlinkSync, writeFileSync } from "node:fs";
import { SIGTERM } from "../../ffi/constants.ts";
import { errnoName } from "../core/errors.ts";
import { identify, type ProcessIdentity, signalProcess } from "../host/process-identity.ts";

/** Writes the record of a running process to `path`. */
export function recordProcess(path: string, pid: number): void {
  const process = identify(pid);
  writeFileSync(path, process === undefined ? "" : `${pid} ${process.startTime} ${process.bootId}\n`, { mode: 0o600 });
}

/** Ends the recorded process, if it still is the one, and removes the record. Without a record there is nothing to do. */
export function endRecordedProcess(path: string): void {
  const text = readRecord(path);
  if (text === undefined) return;
  const process = parseRecord(text);
  if (process !== undefined) signalProcess(process, SIGTERM);
  unlinkSync(path);
}

function readRecord(path: string): string | undefined {
  try {
    return readFileSync(path, "latin1");
  } catch (error) {
    if (errnoName(error) === "ENOENT") return undefined;
    throw error;
  }
}

function parseRecord(text: string): ProcessIdentity | undefined {
  const [, pid, startTime, bootId] = /^(\d+) (\d+) (\S+)\n$/.exec(text) ?? [];
  if (pid === undefined || startTime === undefined || bootId === undefined) return undefined;
  return { pid: Number(pid), startTime: Number(startTime), bootId };
}
