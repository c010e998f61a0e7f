/** Waiting for something to change in a directory: inotify(7), with a glance now and then for what it does not tell. */
import { type FSWatcher, watch } from "node:fs";

export interface Watch extends Disposable {
  /** Resolves when something has changed since the last time, or the time is over. Rejects with the signal's reason. */
  changed(atMostMs: number): Promise<void>;
}

const coalescedMs = 5;

/** @param directories those that are not there (any more) do not change */
export function watchDirectories(directories: readonly string[], signal: AbortSignal): Watch {
  let isChanged = false;
  let wake: () => void = () => {};
  const tell = (): void => {
    isChanged = true;
    wake();
  };
  let again: Timer | undefined;
  // Bun drops what happens to the same file within a millisecond, and whoever is woken may have looked before.
  const onChange = (): void => {
    tell();
    clearTimeout(again);
    again = setTimeout(tell, coalescedMs);
  };
  const watchers: FSWatcher[] = [];
  for (const directory of directories) {
    try {
      const watcher = watch(directory, onChange);
      // The directory goes with its box.
      watcher.on("error", onChange);
      watchers.push(watcher);
    } catch {
      // ENOENT, or no more watches (fs.inotify.max_user_watches): then the glances must do.
    }
  }
  signal.addEventListener("abort", onChange);
  return {
    async changed(atMostMs) {
      if (!isChanged) {
        const { promise, resolve } = Promise.withResolvers<void>();
        wake = resolve;
        const timer = setTimeout(resolve, atMostMs);
        await promise;
        clearTimeout(timer);
      }
      isChanged = false;
      signal.throwIfAborted();
    },
    [Symbol.dispose]() {
      signal.removeEventListener("abort", onChange);
      for (const watcher of watchers) watcher.close();
      clearTimeout(again);
      wake();
    },
  };
}
