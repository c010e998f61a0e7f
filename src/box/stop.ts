/** Ending boxes: `stop`, `kill`, `restart`, and `rm`. */
import { SIGKILL } from "../../ffi/constants.ts";
import type { Context } from "../core/context.ts";
import { DevboxError } from "../core/errors.ts";
import { signalProcess } from "../host/process-identity.ts";
import { signalNumber } from "../runtime/signal-names.ts";
import { lockBoxRecord, readBoxRecord, writeBoxRecord } from "../store/box-record.ts";
import { endedRecord, isAlive, monitorProcess } from "../store/box-state.ts";
import { findBox, finishBox } from "../store/boxes.ts";
import { boxEvent, recordEvent } from "../store/events.ts";
import { waitForLock } from "../store/locks.ts";
import type { BoxPaths, BoxRecord, Store } from "../store/types.ts";
import { resumeBox } from "./pause.ts";
import { readSettings } from "./settings.ts";
import { openSettled, signalBox } from "./settled.ts";
import { waitUntilIdle } from "./wait.ts";

export interface StopRequest {
  /** undefined: what the box or its image says, or SIGTERM. */
  readonly signal: string | undefined;
  /** Until SIGKILL; -1: never; undefined: what the box says, or 10. */
  readonly timeoutSeconds: number | undefined;
}

/** Stops a box and waits for its end; one that does not run is left as it is. @throws DevboxError BOX_NOT_FOUND, USAGE */
export async function stopBox(context: Context, name: string, request: StopRequest): Promise<void> {
  const { store } = openSettled(context);
  const { paths } = findBox(store, name);
  const record = await markStopped(context, paths);
  if (record === undefined || !isAlive(record)) return;
  await endProcess(context, store, { paths, record }, request);
  recordEvent(store, boxEvent("stop", record));
}

/** Ends a box at once and waits for it. */
export async function endAtOnce(context: Context, store: Store, paths: BoxPaths): Promise<void> {
  const record = await markStopped(context, paths);
  if (record === undefined || !isAlive(record)) return;
  await endProcess(context, store, { paths, record }, { signal: "KILL", timeoutSeconds: 0 });
}

/**
 * From here on its restart policy leaves it alone. One that waits to be started again is over with this.
 * @returns its record; undefined: it is gone
 */
async function markStopped(context: Context, paths: BoxPaths): Promise<BoxRecord | undefined> {
  using held = await lockBoxRecord(context, paths);
  const record = held === undefined ? undefined : readBoxRecord(paths);
  if (record === undefined || !isAlive(record)) return record;
  const stopped: BoxRecord = { ...record, stopped: true };
  writeBoxRecord(paths, stopped);
  if (record.status !== "restarting") return stopped;
  // Whoever waits holds no lock but the box's, and does nothing before it has that of the record.
  const waiting = monitorProcess(record);
  if (waiting !== undefined) signalProcess(waiting, SIGKILL);
  const lock = await waitForLock(context, paths.lock, "exclusive");
  finishBox({ paths, lock }, stopped);
  return endedRecord(stopped, undefined);
}

interface Ending {
  readonly paths: BoxPaths;
  readonly record: BoxRecord;
}

async function endProcess(
  context: Context,
  store: Store,
  { paths, record }: Ending,
  { signal, timeoutSeconds }: StopRequest,
): Promise<void> {
  const settings = readSettings(paths);
  const chosen = signalNumber(signal ?? settings?.stopSignal ?? "TERM");
  const seconds = timeoutSeconds ?? settings?.options.stopTimeoutSeconds ?? defaultTimeoutSeconds;
  if (record.status === "paused" && chosen !== SIGKILL) await resumeBox(context, { store, paths, record });
  const send = (number: number): void => {
    if (signalBox(record, number)) recordEvent(store, boxEvent("kill", record, { signal: String(number) }));
  };
  send(chosen);
  if (await waitUntilIdle(context, store, paths, seconds < 0 ? undefined : seconds * 1000)) return;
  send(SIGKILL);
  await waitUntilIdle(context, store, paths);
}

const defaultTimeoutSeconds = 10;

/** Sends a signal to the first process of a box. @throws DevboxError BOX_NOT_FOUND, BOX_STATE, USAGE */
export async function killBox(context: Context, name: string, signal: string): Promise<void> {
  const number = signalNumber(signal);
  const { store } = openSettled(context);
  const { paths, record } = findBox(store, name);
  const isEnd = number === SIGKILL || number === signalNumber(readSettings(paths)?.stopSignal ?? "TERM");
  const now = isEnd ? await markStopped(context, paths) : record;
  if (now === undefined || !isAlive(now) || !signalBox(now, number)) {
    // It was waiting to be started again, and that is over.
    if (isEnd && record.status === "restarting") return;
    const because = `it is ${now?.status ?? "gone"}, not running`;
    throw new DevboxError("BOX_STATE", { step: `kill the box ${record.name}`, because });
  }
  recordEvent(store, boxEvent("kill", record, { signal: String(number) }));
  // Frozen processes of version 1 control groups end when they are thawed only.
  if (now.status === "paused" && number === SIGKILL)
    await resumeBox(context, { store, paths, record: now }).catch(() => {});
  if (number === SIGKILL) await waitUntilIdle(context, store, paths);
}
