/** `devbox start` and `restart`: boxes that were made before, or have ended. */
import type { Context } from "../core/context.ts";
import { DevboxError, describeCause } from "../core/errors.ts";
import { changeBoxRecord, lockBoxRecord, readBoxRecord, writeBoxRecord } from "../store/box-record.ts";
import { isAlive } from "../store/box-state.ts";
import { findBox } from "../store/boxes.ts";
import { boxEvent, recordEvent } from "../store/events.ts";
import { tryLock, waitForLock } from "../store/locks.ts";
import type { BoxPaths } from "../store/types.ts";
import type { StartedBox } from "./detached.ts";
import type { Surroundings } from "./prepare.ts";
import { openSettled } from "./settled.ts";
import { startAgain } from "./start-again.ts";
import { type StopRequest, stopBox } from "./stop.ts";
import type { Input } from "./streams.ts";

/** Starts a box in the background; one that runs is left as it is. @throws DevboxError BOX_NOT_FOUND, BOX_STATE, and of the start */
export async function startBox(context: Context, name: string): Promise<void> {
  const around = openSettled(context);
  await startFound(context, around, findBox(around.store, name).paths, "open");
}

/** @returns undefined: it runs already */
export async function startFound(
  context: Context,
  around: Surroundings,
  paths: BoxPaths,
  input: Input,
): Promise<StartedBox | undefined> {
  using held = await lockBoxRecord(context, paths);
  const record = held === undefined ? undefined : readBoxRecord(paths);
  if (record === undefined) throw new DevboxError("BOX_NOT_FOUND", { step: "start the box", because: "it is gone" });
  if (record.status === "paused") {
    const hint = `devbox unpause ${record.name}`;
    throw new DevboxError("BOX_STATE", { step: `start the box ${record.name}`, because: "it is paused", hint });
  }
  if (isAlive(record)) return undefined;
  // Whoever has seen it end may be busy with it for a moment.
  const lock = tryLock(paths.lock, "exclusive") ?? (await waitForLock(context, paths.lock, "exclusive"));
  const { restartCount: _count, restartDelayMs: _delay, ...fresh } = record;
  try {
    return await startAgain(context, around, { paths, record: fresh, lock, input });
  } catch (error) {
    const exitCode = error instanceof DevboxError ? error.exitStatus : 125;
    writeBoxRecord(paths, { ...fresh, error: describeCause(error), exitCode });
    lock.remove();
    throw error;
  }
}

/**
 * Ends a box if it runs, and starts it. One that is removed at its end outlives this one (docker).
 * @throws as `stopBox` and `startBox`
 */
export async function restartBoxNow(context: Context, name: string, request: StopRequest): Promise<void> {
  const around = openSettled(context);
  const { paths, record } = findBox(around.store, name);
  const isToStay = isAlive(record) && record.ephemeral;
  if (isToStay && record.monitorPid === undefined) {
    const because = "it runs in the foreground, and is removed when it ends";
    const hint = "run it with --name or --keep, or in the background: devbox run -d";
    throw new DevboxError("BOX_STATE", { step: `restart the box ${record.name}`, because, hint });
  }
  const setEphemeral = (ephemeral: boolean) => changeBoxRecord(context, paths, (now) => ({ ...now, ephemeral }));
  if (isToStay) await setEphemeral(false);
  try {
    await stopBox(context, paths.id, request);
  } finally {
    if (isToStay) await setEphemeral(true);
  }
  await startFound(context, around, paths, "open");
  recordEvent(around.store, boxEvent("restart", record));
}
