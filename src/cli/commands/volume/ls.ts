/** devbox volume ls. */
import type { VolumeRecord } from "../../../store/volumes.ts";
import { defineCommand, everyCommand } from "../../command.ts";
import { anyFits, booleanFilter, type Filters, labelsFit, nameFits, parseFilters } from "../../format/filters.ts";
import { renderList } from "../../format/list.ts";
import { type VolumeRow, volumeShape } from "../../format/shapes/volume.ts";
import { openContext } from "../../ui/context.ts";
import { writeOut } from "../../ui/output.ts";

export default defineCommand({
  meta: { name: "volume ls", description: "List volumes" },
  args: {
    filter: {
      type: "string",
      multiple: true,
      alias: "f",
      valueHint: "KEY=VALUE",
      description: "name, label, driver, dangling (true: no box mounts it)",
    },
    format: { type: "string", valueHint: "FORMAT", description: "json, table TEMPLATE, or TEMPLATE" },
    quiet: { type: "boolean", alias: "q", description: "Print names only" },
    ...everyCommand,
  },
  examples: [["devbox volume ls --filter dangling=true", "those that no box mounts"]],
  async run(values) {
    using context = openContext(values);
    const { openStore } = await import("../../../store/open.ts");
    const { listVolumes, volumeUsers } = await import("../../../store/volumes.ts");
    const store = openStore(context.env);
    const filters = parseFilters(values.filter, ["name", "label", "driver", "dangling"]);
    const users = volumeUsers(store);
    const rows = listVolumes(store, (error) => context.log.warn(error instanceof Error ? error.message : String(error)))
      .filter((volume) => isWanted(filters, volume, users.has(volume.name)))
      .map((volume): VolumeRow => ({ volume, storeRoot: store.root, links: users.get(volume.name)?.length ?? 0 }));
    if (values.quiet && values.format === undefined) writeOut(rows.map(({ volume }) => `${volume.name}\n`).join(""));
    else writeOut(renderList(volumeShape, values.format, rows));
    return 0;
  },
});

function isWanted(filters: Filters, { name, labels }: VolumeRecord, isUsed: boolean): boolean {
  const dangling = booleanFilter(filters, "dangling");
  return (
    anyFits(filters, "name", (pattern) => nameFits(pattern, name)) &&
    anyFits(filters, "driver", (driver) => driver === "local") &&
    labelsFit(filters, labels) &&
    (dangling === undefined || dangling !== isUsed)
  );
}
