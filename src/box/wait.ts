/** Waiting for the end of a box, whoever sees to it: its monitor, a devbox in the foreground, or nobody any more. */
import type { Context } from "../core/context.ts";
import { readTextOrNothing } from "../core/read-text.ts";
import { readBoxRecord } from "../store/box-record.ts";
import { isWatched } from "../store/box-state.ts";
import { findBox } from "../store/boxes.ts";
import { eventsPath, parseEvent } from "../store/events.ts";
import { liveDirectory } from "../store/paths.ts";
import type { BoxPaths, BoxRecord, Store } from "../store/types.ts";
import { openSettled } from "./settled.ts";
import { watchDirectories } from "./watch.ts";

/** How long a monitor that was killed may stay unnoticed. */
const glanceMs = 500;

/**
 * Waits until nobody watches the box any more: it has ended, is written down or removed, and may be started again.
 * @returns false when that took longer
 */
export async function waitUntilIdle(
  { signal }: Pick<Context, "signal">,
  store: Store,
  paths: BoxPaths,
  timeoutMs: number = Number.POSITIVE_INFINITY,
): Promise<boolean> {
  if (!isWatched(paths)) return true;
  // The file of its lock goes at the end.
  using watch = watchDirectories([liveDirectory(store)], signal);
  const deadline = performance.now() + timeoutMs;
  while (isWatched(paths)) {
    const left = deadline - performance.now();
    if (left <= 0) return false;
    await watch.changed(Math.min(left, glanceMs));
  }
  return true;
}

/** Waits for the next end of each box, one after the other: their exit codes. @throws DevboxError BOX_NOT_FOUND */
export async function* waitForBoxes(context: Context, names: readonly string[]): AsyncGenerator<number> {
  const { store } = openSettled(context);
  const found = names.map((name) => findBox(store, name));
  const codes = found.map(({ paths, record }) => exitCodeAtNextEnd(context, store, paths, record));
  // Each is awaited below; that it fails in the meantime is no unhandled rejection.
  for (const code of codes) code.catch(() => {});
  for (const code of codes) yield await code;
}

/** Waits for the end of this run of a box, or of the next one where its restart policy waits; it may go on afterwards (docker). */
async function exitCodeAtNextEnd(context: Context, store: Store, paths: BoxPaths, found: BoxRecord): Promise<number> {
  using watch = watchDirectories([liveDirectory(store), paths.directory], context.signal);
  let run = found.status === "restarting" ? undefined : found.startedAt;
  while (isWatched(paths)) {
    const now = readBoxRecord(paths);
    if (now === undefined) break;
    const { status, startedAt, exitCode } = now;
    if (run === undefined) run = status === "restarting" ? undefined : startedAt;
    else if (status === "restarting") return exitCode ?? 0;
    // It is in its next run already.
    else if (startedAt !== run) return lastExitCode(store, paths.id) ?? 0;
    await watch.changed(glanceMs);
  }
  return await exitCodeAtEnd(context, store, paths);
}

/** Waits for the end of a box for good: one that is started again goes on. */
export async function exitCodeAtEnd(context: Context, store: Store, paths: BoxPaths): Promise<number> {
  await waitUntilIdle(context, store, paths);
  // One whose monitor was killed has nobody else who writes down how it ended.
  openSettled(context);
  const record = readBoxRecord(paths);
  return (record === undefined ? lastExitCode(store, paths.id) : record.exitCode) ?? 0;
}

/** Of a box that is gone, its last event tells. */
function lastExitCode(store: Store, id: string): number | undefined {
  for (const path of [eventsPath(store), `${eventsPath(store)}.1`]) {
    for (const line of readTextOrNothing(path).split("\n").reverse()) {
      const event = line.includes(id) ? parseEvent(line) : undefined;
      if (event?.id === id && event.action === "die") return Number(event.attributes["exitCode"]);
    }
  }
  return undefined;
}
