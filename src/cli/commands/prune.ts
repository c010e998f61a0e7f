/** devbox prune: free what nothing needs. */
import { defineCommand, everyCommand, jsonOption, progressOptions } from "../command.ts";
import { pruneFilterOption, readPruneFilters } from "../prune-filters.ts";
import { openContext } from "../ui/context.ts";
import { writeOut } from "../ui/output.ts";
import { formatBytes } from "../ui/units.ts";

export default defineCommand({
  meta: {
    name: "prune",
    description: "Remove what nothing needs: nameless images, layers, remains",
  },
  args: {
    all: { type: "boolean", alias: "a", description: "Also every image that no box uses" },
    ...pruneFilterOption,
    volumes: { type: "boolean", description: "Also volumes that were given no name, and that no box mounts" },
    force: { type: "boolean", alias: "f", description: "For docker's scripts: nothing is asked anyway" },
    ...progressOptions,
    ...jsonOption,
    ...everyCommand,
  },
  examples: [
    ["devbox prune", "safe beside pulls and running boxes"],
    ["devbox prune --all", "all images that no box uses"],
    ["devbox prune --all --filter until=240h", "those that were made ten days ago or earlier"],
  ],
  notes: [
    "Boxes that were kept stay, and so do their images: devbox rm NAME removes a box.",
    "What remains of interrupted work goes whatever the filters say.",
  ],
  async run(values) {
    using context = openContext(values);
    const { prune } = await import("../../image/garbage/prune.ts");
    const { readHostFacts } = await import("../../host/read-facts.ts");
    const { openStore } = await import("../../store/open.ts");
    const fits = readPruneFilters(values.filter, context.now());
    const store = openStore(context.env);
    const options = { all: values.all ?? false, ...(fits === undefined ? {} : { fits }) };
    const pruned = await prune(context, store, readHostFacts(context.env), options);
    const volumes = values.volumes
      ? await (await import("../../box/volumes.ts")).discardUnnamedVolumes(context, store)
      : undefined;
    if (values.json) writeOut(`${JSON.stringify({ ...pruned, ...(volumes === undefined ? {} : { volumes }) })}\n`);
    else if (!values.quiet) {
      const lines = [...(volumes ?? []), ...pruned.images].map((name) => `removed: ${name}\n`).join("");
      writeOut(`${lines}freed ${formatBytes(pruned.freedBytes)}\n`);
    }
    return 0;
  },
});
