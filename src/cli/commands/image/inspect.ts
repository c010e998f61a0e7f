/** devbox image inspect. */
import { defineCommand, everyCommand } from "../../command.ts";
import { renderValue } from "../../format/list.ts";
import { toJson, toValue } from "../../format/value.ts";
import { openContext } from "../../ui/context.ts";
import { writeOut } from "../../ui/output.ts";

export default defineCommand({
  meta: { name: "image inspect", description: "Show all about images, as JSON" },
  args: {
    image: {
      type: "positional",
      variadic: true,
      completes: "images",
      description: "Image references, ids, or beginnings of ids",
    },
    format: { type: "string", alias: "f", valueHint: "FORMAT", description: "json, or TEMPLATE" },
    ...everyCommand,
  },
  examples: [["devbox image inspect -f '{{.Config.Cmd}}' debian:12", "one thing"]],
  async run(values) {
    using context = openContext({ debug: values.debug });
    const { inspectImage } = await import("../../../image/inspect.ts");
    const { openStore } = await import("../../../store/open.ts");
    const store = openStore(context.env);
    const found = values.image.map((name) => toValue(inspectImage(store, name, context.env)));
    const { format } = values;
    if (format === undefined) writeOut(`${toJson(found, 4)}\n`);
    else writeOut(found.map((value) => renderValue(format, value)).join(""));
    return 0;
  },
});
