/** devbox container prune. */
import { defineCommand, everyCommand } from "../../command.ts";
import { forEachBox } from "../../each-box.ts";
import { pruneFilterOption, readPruneFilters } from "../../prune-filters.ts";
import { openContext } from "../../ui/context.ts";

export default defineCommand({
  meta: { name: "container prune", description: "Remove all boxes that do not run" },
  args: {
    filter: {
      ...pruneFilterOption.filter,
      description: "Only boxes that fit: until (made before, 24h or a time), label, label! (all but those)",
    },
    force: { type: "boolean", alias: "f", description: "For docker's scripts: nothing is asked anyway" },
    ...everyCommand,
  },
  examples: [["devbox container prune --filter until=24h", "those of yesterday; prints their names"]],
  notes: ["With their anonymous volumes, as devbox rm."],
  async run(values) {
    using context = openContext({ debug: values.debug });
    const { listedBoxes } = await import("../../../box/list.ts");
    const { removeBoxNamed } = await import("../../../box/remove.ts");
    const { openStore } = await import("../../../store/open.ts");
    const fits = readPruneFilters(values.filter, context.now()) ?? (() => true);
    const idle = listedBoxes(context, openStore(context.env))
      .map(({ record }) => record)
      .filter((record) => (record.status === "created" || record.status === "exited") && fits(record));
    await forEachBox(
      idle.map(({ id, name }) => name ?? id),
      (name) => removeBoxNamed(context, name, false),
    );
    return 0;
  },
});
