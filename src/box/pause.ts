/**
 * Freezing boxes: by their control group, or, for a box that has none, by SIGSTOP to each of its processes. Those can tell
 * that they were stopped (a shell in it sees its children stop), which frozen ones cannot.
 */
import { SIGCONT, SIGSTOP } from "../../ffi/constants.ts";
import { freeze, thaw } from "../cgroup/processes.ts";
import type { Context } from "../core/context.ts";
import { DevboxError } from "../core/errors.ts";
import { identify, signalProcess } from "../host/process-identity.ts";
import { changeBoxRecord } from "../store/box-record.ts";
import { findBox } from "../store/boxes.ts";
import { boxEvent, recordEvent } from "../store/events.ts";
import type { BoxPaths, BoxRecord, Store } from "../store/types.ts";
import { boxProcesses } from "./processes.ts";
import { readSettings } from "./settings.ts";
import { findRunning, openSettled } from "./settled.ts";

interface Known {
  readonly store: Store;
  readonly paths: BoxPaths;
  readonly record: BoxRecord;
}

/** @throws DevboxError BOX_NOT_FOUND, BOX_STATE */
export async function pauseBox(context: Context, name: string): Promise<void> {
  const { store } = openSettled(context);
  const { paths, record } = findRunning(store, name, "pause");
  if (record.status === "paused") {
    throw new DevboxError("BOX_STATE", { step: `pause the box ${record.name}`, because: "it is paused already" });
  }
  const cgroup = readSettings(paths)?.cgroup;
  if (cgroup === undefined) signalAll(record, SIGSTOP);
  else await freeze(cgroup);
  await setStatus(context, paths, "paused");
  recordEvent(store, boxEvent("pause", record));
}

/** @throws DevboxError BOX_NOT_FOUND, BOX_STATE */
export async function unpauseBox(context: Context, name: string): Promise<void> {
  const { store } = openSettled(context);
  const { paths, record } = findBox(store, name);
  if (record.status !== "paused") {
    throw new DevboxError("BOX_STATE", { step: `unpause the box ${record.name}`, because: "it is not paused" });
  }
  await resumeBox(context, { store, paths, record });
}

export async function resumeBox(context: Context, { store, paths, record }: Known): Promise<void> {
  const cgroup = readSettings(paths)?.cgroup;
  if (cgroup === undefined) signalAll(record, SIGCONT);
  else await thaw(cgroup);
  await setStatus(context, paths, "running");
  recordEvent(store, boxEvent("unpause", record));
}

/** It may have ended meanwhile. */
async function setStatus(context: Context, paths: BoxPaths, status: "paused" | "running"): Promise<void> {
  await changeBoxRecord(context, paths, (record) =>
    record.status === "paused" || record.status === "running" ? { ...record, status } : record,
  );
}

/** Again and again until there is none that has not got it: what is not stopped yet may fork. */
function signalAll({ pid: init }: BoxRecord, signal: number): void {
  if (init === undefined) return;
  const done = new Set<number>();
  for (;;) {
    const fresh = boxProcesses(init).filter(({ pid }) => !done.has(pid));
    if (fresh.length === 0) return;
    for (const { pid } of fresh) {
      done.add(pid);
      const process = identify(pid);
      if (process !== undefined) signalProcess(process, signal);
    }
  }
}
