/** devbox image prune. */
import { defineCommand, everyCommand, jsonOption, progressOptions } from "../../command.ts";
import { pruneFilterOption, readPruneFilters } from "../../prune-filters.ts";
import { openContext } from "../../ui/context.ts";
import { writeOut } from "../../ui/output.ts";
import { formatBytes } from "../../ui/units.ts";

export default defineCommand({
  meta: { name: "image prune", description: "Remove images that have no name, and their layers" },
  args: {
    all: { type: "boolean", alias: "a", description: "Every image that no box uses" },
    ...pruneFilterOption,
    force: { type: "boolean", alias: "f", description: "For docker's scripts: nothing is asked anyway" },
    ...progressOptions,
    ...jsonOption,
    ...everyCommand,
  },
  examples: [["devbox image prune --all --filter until=720h", "what was made a month ago, and no box uses"]],
  async run(values) {
    using context = openContext(values);
    const { prune } = await import("../../../image/garbage/prune.ts");
    const { readHostFacts } = await import("../../../host/read-facts.ts");
    const { openStore } = await import("../../../store/open.ts");
    const fits = readPruneFilters(values.filter, context.now());
    const options = { all: values.all ?? false, remains: false, ...(fits === undefined ? {} : { fits }) };
    const pruned = await prune(context, openStore(context.env), readHostFacts(context.env), options);
    if (values.json) writeOut(`${JSON.stringify(pruned)}\n`);
    else if (!values.quiet) {
      const lines = pruned.images.map((name) => `removed: ${name}\n`).join("");
      writeOut(`${lines}freed ${formatBytes(pruned.freedBytes)}\n`);
    }
    return 0;
  },
});
