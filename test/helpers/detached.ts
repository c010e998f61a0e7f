/** Boxes in the background, for tests of their life: started, waited for by what they print, and gone with the home. */
import { readFileSync, watch } from "node:fs";
import { join } from "node:path";
import type { EventAction, StoreEvent } from "../../src/store/events.ts";
import type { BoxRecord } from "../../src/store/types.ts";
import type { BoxHome } from "./box.ts";

export interface DetachedBoxes {
  /** `devbox run -d --network none FLAGS busybox sh -c SCRIPT`: the id. */
  start(script: string, flags?: readonly string[]): Promise<string>;
  /** Resolves when the log of a box, from its beginning on, fits. */
  printed(name: string, pattern: RegExp): Promise<RegExpMatchArray>;
  /** Waits for its end, and that it is not started again: the exit code. */
  end(name: string): Promise<number>;
  /** What devbox has written down of a box, by its whole id. */
  record(id: string): BoxRecord;
  /** What happened to a box so far. */
  events(id: string): readonly StoreEvent[];
  /** Resolves when something has happened to a box `times` times. */
  happened(id: string, action: EventAction, times?: number): Promise<void>;
}

/** Of a test file whose home is opened by `boxHome`. */
export function detachedBoxes({ home, image }: BoxHome): DetachedBoxes {
  const boxes = join(home.store, "boxes");
  const events = (id: string): readonly StoreEvent[] => {
    const lines = readFileSync(join(boxes, ".events"), "utf8").split("\n").filter(Boolean);
    return lines.map((line): StoreEvent => JSON.parse(line)).filter((event) => event.id === id);
  };
  return {
    async start(script, flags = []) {
      const out = await home.ok(["run", "-d", "--network", "none", ...flags, image, "sh", "-c", script]);
      return out.trim();
    },
    async printed(name, pattern) {
      await using logs = home.start(["logs", "-f", name]);
      return await logs.output(pattern);
    },
    async end(name) {
      for (;;) {
        const code = Number(await home.ok(["wait", name]));
        // A restart policy may start it again, or have done so.
        const { exitCode, stdout } = await home.run(["inspect", "--type", "box", "-f", "{{.State.Running}}", name]);
        if (exitCode !== 0 || stdout === "false\n") return code;
      }
    },
    record: (id) => JSON.parse(readFileSync(join(boxes, id, "state.json"), "utf8")),
    events,
    async happened(id, action, times = 1) {
      const isDone = (): boolean => events(id).filter((event) => event.action === action).length >= times;
      // The watch comes before the look: nothing is missed in between.
      const { promise, resolve } = Promise.withResolvers<void>();
      const look = (): void => {
        if (isDone()) resolve();
      };
      // Bun drops what happens to the same file within a millisecond.
      const watcher = watch(boxes, () => void setTimeout(look, 5));
      look();
      await promise;
      watcher.close();
    },
  };
}

/** Runs until it is stopped, and then ends by itself. */
export const untilTerm = `trap 'echo bye; exit 0' TERM; echo ready; while :; do sleep 0.05; done`;
