/** Removing boxes. */
import type { Context } from "../core/context.ts";
import { DevboxError } from "../core/errors.ts";
import { readBoxRecord } from "../store/box-record.ts";
import { isAlive } from "../store/box-state.ts";
import { findBox } from "../store/boxes.ts";
import { tryLock } from "../store/locks.ts";
import type { BoxPaths } from "../store/types.ts";
import { removeWhole } from "./discard.ts";
import type { Surroundings } from "./prepare.ts";
import { type FoundBox, openSettled } from "./settled.ts";
import { endAtOnce } from "./stop.ts";
import { waitUntilIdle } from "./wait.ts";

/**
 * Takes a box off the disk, with its anonymous volumes.
 * @param name or id, or the beginning of an id
 * @param force a box that runs is ended first; that there is none is no failure
 * @throws DevboxError BOX_NOT_FOUND, BOX_RUNNING
 */
export async function removeBoxNamed(
  context: Context,
  name: string,
  force: boolean,
): Promise<"nothing done" | undefined> {
  const around = openSettled(context);
  const found = findOrNot(around, name, force);
  if (found === undefined) return "nothing done";
  const { paths, record } = found;
  if (isAlive(record)) {
    if (!force)
      throw new DevboxError("BOX_RUNNING", { step: `remove the box ${name}`, because: `it is ${record.status}` });
    await endAtOnce(context, around.store, paths);
  }
  await removeIdle(context, around, paths, name);
  return undefined;
}

/** With force, what is asked for is so already where there is none. */
function findOrNot({ store }: Surroundings, name: string, force: boolean): FoundBox | undefined {
  try {
    return findBox(store, name);
  } catch (error) {
    if (force && error instanceof DevboxError && error.code === "BOX_NOT_FOUND") return undefined;
    throw error;
  }
}

async function removeIdle(context: Context, around: Surroundings, paths: BoxPaths, name: string): Promise<void> {
  // Whoever has seen it end may be busy with it for a moment.
  const isIdle = await waitUntilIdle(context, around.store, paths, 5000);
  const record = readBoxRecord(paths);
  // Removed at its end.
  if (record === undefined) return;
  const lock = isIdle ? tryLock(paths.lock, "exclusive") : undefined;
  if (lock === undefined)
    throw new DevboxError("BOX_RUNNING", { step: `remove the box ${name}`, because: "it is running" });
  await removeWhole(around, { paths, record, lock });
}
