/** devbox stats: what boxes use. */
import { setTimeout as delay } from "node:timers/promises";
import type { BoxUsage } from "../../box/stats.ts";
import type { Context } from "../../core/context.ts";
import { boxState, isAlive } from "../../store/box-state.ts";
import { findBox, listBoxes } from "../../store/boxes.ts";
import type { BoxRecord, Store } from "../../store/types.ts";
import { defineCommand, everyCommand } from "../command.ts";
import { renderList } from "../format/list.ts";
import { type StatsRow, statsShape } from "../format/shapes/stats.ts";
import { openContext } from "../ui/context.ts";
import { writeOut } from "../ui/output.ts";
import { isTerminal } from "../ui/terminal.ts";

export default defineCommand({
  meta: { name: "stats", description: "Show what boxes use, every second" },
  args: {
    box: {
      type: "positional",
      required: false,
      variadic: true,
      completes: "boxes",
      description: "Left out: all that run",
    },
    all: { type: "boolean", alias: "a", description: "Also those that do not run" },
    format: { type: "string", valueHint: "FORMAT", description: "json, table TEMPLATE, or TEMPLATE" },
    "no-stream": { type: "boolean", description: "Print once and end" },
    "no-trunc": { type: "boolean", description: "Print ids in full" },
    ...everyCommand,
  },
  untilInterrupted: true,
  examples: [["devbox stats --no-stream", "once"]],
  notes: ["Without a control group of its own, what a box uses is the sum over its processes of this moment."],
  async run(values) {
    using context = openContext({ debug: values.debug });
    const { openStore } = await import("../../store/open.ts");
    const store = openStore(context.env);
    const shape = statsShape(values["no-trunc"] ?? false);
    const live = isTerminal(1) && values["no-stream"] !== true;
    const choose = (): readonly Chosen[] => chosenBoxes(store, values.box, values.all ?? false);
    const { boxUsage } = await import("../../box/stats.ts");
    const measure = (record: BoxRecord) => boxUsage(store, record);
    let before: Usages = new Map(choose().map(({ record }) => [record.id, measure(record)]));
    for (let pause = firstPauseMs; await passes(context, pause); pause = pauseMs) {
      const rows = choose().map(({ name, record }): StatsRow => {
        const usage = measure(record);
        return { name, record, usage, before: before.get(record.id) };
      });
      const text = renderList(shape, values.format, rows);
      // Home, and whatever stood to the right and below is cleared.
      writeOut(live ? `\x1b[H${text.replaceAll("\n", "\x1b[K\n")}\x1b[J` : text);
      if (values["no-stream"]) return 0;
      before = new Map(rows.map(({ record, usage }) => [record.id, usage]));
    }
    return 0;
  },
});

type Usages = ReadonlyMap<string, BoxUsage | undefined>;

/** Shares of processors need two moments. */
const firstPauseMs = 500;
const pauseMs = 1000;

/** false: the user has ended it. */
async function passes({ signal }: Context, milliseconds: number): Promise<boolean> {
  return await delay(milliseconds, true, { signal }).catch(() => false);
}

interface Chosen {
  readonly name: string;
  readonly record: BoxRecord;
}

function chosenBoxes(store: Store, names: readonly string[], all: boolean): readonly Chosen[] {
  if (names.length > 0) return names.map((name) => ({ name, record: boxState(store, findBox(store, name).record) }));
  return listBoxes(store, () => {})
    .map((record) => boxState(store, record))
    .filter((record) => all || isAlive(record))
    .map((record) => ({ name: record.id.slice(0, 12), record }));
}
