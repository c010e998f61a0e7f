/** devbox volume inspect. */
import { defineCommand, everyCommand } from "../../command.ts";
import { renderValue } from "../../format/list.ts";
import { toJson, type Value } from "../../format/value.ts";
import { openContext } from "../../ui/context.ts";
import { writeOut } from "../../ui/output.ts";

export default defineCommand({
  meta: { name: "volume inspect", description: "Show volumes as JSON" },
  args: {
    volume: { type: "positional", variadic: true, description: "Names" },
    format: { type: "string", alias: "f", valueHint: "FORMAT", description: "json, or TEMPLATE" },
    ...everyCommand,
  },
  examples: [["devbox volume inspect -f '{{.Mountpoint}}' data", "where its files are"]],
  async run(values) {
    using context = openContext(values);
    const { openStore } = await import("../../../store/open.ts");
    const { findVolume } = await import("../../../store/volumes.ts");
    const { volumeData } = await import("../../../store/volume-paths.ts");
    const store = openStore(context.env);
    const shown = values.volume.map((each): Value => {
      const { name, created, labels } = findVolume(store, each);
      return {
        CreatedAt: created,
        Driver: "local",
        Labels: new Map(Object.entries(labels)),
        Mountpoint: volumeData(store.root, name),
        Name: name,
        Options: new Map(),
        Scope: "local",
      };
    });
    const { format } = values;
    if (format === undefined) writeOut(`${toJson(shown, 4)}\n`);
    else writeOut(shown.map((value) => renderValue(format, value)).join(""));
    return 0;
  },
});
