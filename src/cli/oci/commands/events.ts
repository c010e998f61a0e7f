/** devbox oci events: what a container uses, once or again and again, and when its memory has run out. */
import { DevboxError } from "../../../core/errors.ts";
import { canMeasure, containerStats, watchMemory } from "../../../runtime/stats.ts";
import { defineCommand } from "../../command.ts";
import { writeOut } from "../../ui/output.ts";
import type { Around } from "../around.ts";
import { container, help } from "./shared.ts";

export default ({ root }: Around) =>
  defineCommand({
    meta: { name: "oci events", description: "Print what a container uses, as JSON" },
    args: {
      ...container,
      stats: { type: "boolean", description: "Once" },
      interval: { type: "string", default: "5s", valueHint: "TIME", description: "Between two; 5s" },
      ...help,
    },
    examples: [],
    async run({ id, stats, interval }) {
      const pause = milliseconds(interval);
      writeOut(`${JSON.stringify(containerStats(root, id))}\n`);
      if (stats === true) return 0;
      using _ = watchMemory(root, id, () => writeOut(`${JSON.stringify({ type: "oom", id })}\n`));
      for (;;) {
        await Bun.sleep(pause);
        if (!canMeasure(root, id)) return 0;
        writeOut(`${JSON.stringify(containerStats(root, id))}\n`);
      }
    },
  });

const units: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };

/** Go's durations, of one unit; a number alone counts seconds. */
function milliseconds(text: string): number {
  const [, number, unit = "s"] = /^(\d+(?:\.\d+)?)(ms|s|m|h)?$/.exec(text) ?? [];
  const duration = Number(number) * (units[unit] ?? 0);
  if (duration > 0) return duration;
  throw new DevboxError("USAGE", { step: `option --interval is a time such as 5s, not ${JSON.stringify(text)}` });
}
