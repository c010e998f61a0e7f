/** Boxes in the background, for tests of their life: started, waited for by what they print, and gone with the home. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { BoxRecord } from "../../src/store/types.ts";
import type { BoxHome } from "./box.ts";

export interface DetachedBoxes {
  /** `devbox run -d --network none FLAGS busybox sh -c SCRIPT`: the id. */
  start(script: string, flags?: readonly string[]): Promise<string>;
  /** Resolves when the log of a box, from its beginning on, fits. */
  printed(name: string, pattern: RegExp): Promise<RegExpMatchArray>;
  /** Waits for its end: the exit code. */
  end(name: string): Promise<number>;
  /** What devbox has written down of a box, by its whole id. */
  record(id: string): BoxRecord;
}

/** Of a test file whose home is opened by `boxHome`. */
export function detachedBoxes({ home, image }: BoxHome): DetachedBoxes {
  return {
    async start(script, flags = []) {
      const out = await home.ok(["run", "-d", "--network", "none", ...flags, image, "sh", "-c", script]);
      return out.trim();
    },
    async printed(name, pattern) {
      await using logs = home.start(["logs", "-f", name]);
      return await logs.output(pattern);
    },
    end: async (name) => Number(await home.ok(["wait", name])),
    record: (id) => JSON.parse(readFileSync(join(home.store, "boxes", id, "state.json"), "utf8")),
  };
}

/** Runs until it is stopped, and then ends by itself. */
export const untilTerm = `trap 'echo bye; exit 0' TERM; echo ready; while :; do sleep 0.05; done`;
