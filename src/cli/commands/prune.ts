/** devbox prune: free what nothing needs. */
import { defineCommand, everyCommand, jsonOption, progressOptions } from "../command.ts";
import { openContext } from "../ui/context.ts";
import { writeOut } from "../ui/output.ts";
import { formatBytes } from "../ui/units.ts";

export default defineCommand({
  meta: {
    name: "prune",
    description: "Remove what nothing needs: nameless images, layers, remains of pulls and boxes",
  },
  args: {
    all: { type: "boolean", alias: "a", description: "Also every image that no box uses" },
    ...progressOptions,
    ...jsonOption,
    ...everyCommand,
  },
  examples: [
    ["devbox prune", "safe beside pulls and running boxes"],
    ["devbox prune --all", "all images that no box uses"],
  ],
  notes: ["Boxes that were kept stay, and so do their images: devbox rm NAME removes a box."],
  async run(values) {
    using context = openContext(values);
    const { prune } = await import("../../image/prune.ts");
    const { readHostFacts } = await import("../../host/read-facts.ts");
    const { openStore } = await import("../../store/open.ts");
    const store = openStore(context.env);
    const pruned = await prune(context, store, readHostFacts(context.env), { all: values.all ?? false });
    if (values.json) writeOut(`${JSON.stringify(pruned)}\n`);
    else if (!values.quiet) {
      const lines = pruned.images.map((name) => `removed: ${name}\n`).join("");
      writeOut(`${lines}freed ${formatBytes(pruned.freedBytes)}\n`);
    }
    return 0;
  },
});
