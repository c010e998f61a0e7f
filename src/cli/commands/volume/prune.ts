/** devbox volume prune. */
import { defineCommand, everyCommand } from "../../command.ts";
import { labelsFit, parseFilters } from "../../format/filters.ts";
import { openContext } from "../../ui/context.ts";
import { writeOut } from "../../ui/output.ts";

export default defineCommand({
  meta: { name: "volume prune", description: "Remove volumes that no box mounts" },
  args: {
    all: { type: "boolean", alias: "a", description: "Also those that were given a name" },
    force: { type: "boolean", alias: "f", description: "For docker's scripts: nothing is asked anyway" },
    filter: { type: "string", multiple: true, valueHint: "KEY=VALUE", description: "label, label! (all but those)" },
    ...everyCommand,
  },
  examples: [["devbox volume prune --all", "everything that no box mounts"]],
  notes: ["Without --all only volumes go that devbox volume create made a name up for, as with docker."],
  async run(values) {
    using context = openContext(values);
    const { discardVolumes } = await import("../../../box/volumes.ts");
    const { openStore } = await import("../../../store/open.ts");
    const { isMadeUpName } = await import("../../../store/volume-paths.ts");
    const { listVolumes } = await import("../../../store/volumes.ts");
    const store = openStore(context.env);
    const filters = parseFilters(values.filter, ["label", "label!"]);
    const names = await discardVolumes(context, store, (users) =>
      listVolumes(store, (error) => context.log.warn(error instanceof Error ? error.message : String(error)))
        .filter(({ name, labels }) => {
          const kept = filters.has("label!") && labelsFit(filters, labels, "label!");
          return !users.has(name) && (values.all || isMadeUpName(name)) && labelsFit(filters, labels) && !kept;
        })
        .map(({ name }) => name),
    );
    if (names.length > 0) writeOut(`Deleted Volumes:\n${names.map((name) => `${name}\n`).join("")}`);
    return 0;
  },
});
