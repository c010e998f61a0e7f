/** devbox volume inspect. */
import { defineCommand, everyCommand } from "../../command.ts";
import { renderValue } from "../../format/list.ts";
import { toJson, toValue } from "../../format/value.ts";
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
    const { describeVolume } = await import("../../../store/volume-description.ts");
    const store = openStore(context.env);
    const shown = values.volume.map((name) => toValue(describeVolume(store, name)));
    const { format } = values;
    if (format === undefined) writeOut(`${toJson(shown, 4)}\n`);
    else writeOut(shown.map((value) => renderValue(format, value)).join(""));
    return 0;
  },
});
