/** Waiting for something to change in a directory: inotify(7), with a glance now and then for what it does not tell. */
import { type FSWatcher, watch } from "node:fs";

export interface Watch extends Disposable {
  /** Resolves when something has changed since the last time, or `glanceMs` have passed. */
  changed(): Promise<void>;
}

/**
 * @param directories those that are not there (any more) do not change
 * @param glanceMs how long what nobody tells may stay unseen: a supervisor that was killed
 */
export function watchDirectories(directories: readonly string[], glanceMs: number): Watch {
  let isChanged = false;
  let wake: () => void = () => {};
  const onChange = (): void => {
    isChanged = true;
    wake();
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
  return {
    async changed() {
      if (!isChanged) {
        const { promise, resolve } = Promise.withResolvers<void>();
        wake = resolve;
        const timer = setTimeout(resolve, glanceMs);
        await promise;
        clearTimeout(timer);
      }
      isChanged = false;
    },
    [Symbol.dispose]() {
      for (const watcher of watchers) watcher.close();
      wake();
    },
  };
}
