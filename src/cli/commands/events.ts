/** devbox events: what happens to boxes and volumes. */
import type { StoreEvent } from "../../store/events.ts";
import { defineCommand, everyCommand } from "../command.ts";
import { anyFits, type Filters, labelsFit, parseFilters } from "../format/filters.ts";
import { renderValue } from "../format/list.ts";
import { parseMoment } from "../format/moments.ts";
import { eventAction, eventFields, eventLine, eventType } from "../format/shapes/event.ts";
import { openContext } from "../ui/context.ts";
import { writeOut } from "../ui/output.ts";

const filterKeys = ["type", "event", "action", "box", "container", "image", "label", "volume"] as const;

export default defineCommand({
  meta: { name: "events", description: "Tell what happens to boxes and volumes" },
  args: {
    filter: {
      type: "string",
      multiple: true,
      alias: "f",
      valueHint: "KEY=VALUE",
      description: `Only those that fit: ${filterKeys.join(", ")}`,
    },
    format: { type: "string", valueHint: "FORMAT", description: "json, or TEMPLATE" },
    since: {
      type: "string",
      valueHint: "MOMENT",
      description: "Begin with what happened then: 10m, a date, seconds since 1970",
    },
    until: {
      type: "string",
      valueHint: "MOMENT",
      description: "End there; left out, it goes on until it is interrupted",
    },
    ...everyCommand,
  },
  examples: [
    ["devbox events --since 1h --until 0s", "the last hour"],
    ["devbox events --filter event=die", "every end of a box, as it comes"],
  ],
  async run(values) {
    using context = openContext({ debug: values.debug });
    const { readEvents } = await import("../../box/events.ts");
    const { listBoxes } = await import("../../store/boxes.ts");
    const { openStore } = await import("../../store/open.ts");
    const store = openStore(context.env);
    const filters = parseFilters(values.filter, filterKeys);
    const moment = (flag: "since" | "until"): number | undefined => {
      const text = values[flag];
      return text === undefined ? undefined : parseMoment(`--${flag}`, text, context.now());
    };
    const labelsOf = (id: string) => listBoxes(store, () => {}).find((box) => box.id === id)?.labels ?? {};
    for await (const event of readEvents(context, store, { since: moment("since"), until: moment("until") })) {
      if (!isWanted(filters, event, labelsOf)) continue;
      writeOut(values.format === undefined ? eventLine(event) : renderValue(values.format, eventFields(event)));
    }
    return 0;
  },
});

function isWanted(
  filters: Filters,
  event: StoreEvent,
  labelsOf: (id: string) => Readonly<Record<string, string>>,
): boolean {
  const { id, type, attributes } = event;
  const isBox = (wanted: string): boolean => type === "box" && (attributes["name"] === wanted || id.startsWith(wanted));
  // "health_status" means every one of them, as with docker.
  const isAction = (wanted: string): boolean =>
    [event.action, eventAction(event)].includes(wanted) || eventAction(event).startsWith(`${wanted}: `);
  return (
    anyFits(filters, "type", (wanted) => wanted === type || wanted === eventType(event)) &&
    anyFits(filters, "event", isAction) &&
    anyFits(filters, "action", isAction) &&
    anyFits(filters, "box", isBox) &&
    anyFits(filters, "container", isBox) &&
    anyFits(filters, "image", (image) => attributes["image"] === image || attributes["image"] === `${image}:latest`) &&
    anyFits(filters, "volume", (name) => type === "volume" && id === name) &&
    (!filters.has("label") || labelsFit(filters, { ...attributes, ...(type === "box" ? labelsOf(id) : {}) }))
  );
}
