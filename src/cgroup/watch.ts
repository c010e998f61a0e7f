/** Waiting for a control group to change, and hearing of its events. */
import { watch } from "node:fs";
import { errnoName } from "../core/errors.ts";
import { readControl } from "./files.ts";

/**
 * Waits until `isDone`, at most `timeoutMs`; whether it came to that. `file` tells of changes by inotify(7) (cgroup.events and
 * memory.events do, since they are what kernfs notifies of); without one it is asked again and again, ever more rarely.
 */
export async function waitForControl(
  directory: string,
  file: string | undefined,
  isDone: () => boolean,
  timeoutMs: number,
): Promise<boolean> {
  if (isDone()) return true;
  const { promise, resolve, reject } = Promise.withResolvers<boolean>();
  const ask = () => {
    try {
      if (isDone()) resolve(true);
    } catch (error) {
      reject(error);
    }
  };
  const stopAsking = file === undefined ? askMoreRarely(ask) : watchControl(directory, file, ask);
  const timer = setTimeout(() => resolve(false), timeoutMs);
  try {
    // It may have come between the first question and the watch.
    ask();
    return await promise;
  } finally {
    clearTimeout(timer);
    stopAsking();
  }
}

/** After 1, 2, 4 … 64 milliseconds, and every 64 from then on: for what the kernel does not tell of. */
function askMoreRarely(ask: () => void): () => void {
  let timer: ReturnType<typeof setTimeout>;
  const again = (delayMs: number) => {
    timer = setTimeout(() => {
      ask();
      again(Math.min(delayMs * 2, 64));
    }, delayMs);
  };
  again(1);
  return () => clearTimeout(timer);
}

/** Calls `changed` whenever the kernel says that the file has other contents. */
export function watchControl(directory: string, file: string, changed: () => void): () => void {
  try {
    const watcher = watch(`${directory}/${file}`, changed);
    // The group is removed: its watch ends with it.
    watcher.on("error", changed);
    return () => watcher.close();
  } catch (error) {
    // Gone already, or no inotify instance is left for this user (EMFILE): the slow way.
    if (readControl(directory, file) === undefined || errnoName(error) !== undefined) return askMoreRarely(changed);
    throw error;
  }
}
