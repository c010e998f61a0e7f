/** devbox history: how an image was made. */
import { defineCommand, everyCommand, jsonOption } from "../command.ts";
import { renderList } from "../format/list.ts";
import { historyShape, shortStepId } from "../format/shapes/history.ts";
import { openContext } from "../ui/context.ts";
import { writeOut } from "../ui/output.ts";

export default defineCommand({
  meta: { name: "history", description: "Show how an image was made, the last step first" },
  args: {
    image: { type: "positional", completes: "images", description: "Image reference or id" },
    human: {
      type: "boolean",
      alias: "H",
      default: true,
      description: "Sizes and times in words",
      negativeDescription: "Sizes in bytes, times as they are",
    },
    format: { type: "string", valueHint: "FORMAT", description: "json, table TEMPLATE, or TEMPLATE" },
    quiet: { type: "boolean", alias: "q", description: "Print ids only" },
    "no-trunc": { type: "boolean", description: "Print ids and commands in full" },
    ...jsonOption,
    ...everyCommand,
  },
  examples: [["devbox history --no-trunc debian:12", "with whole commands"]],
  async run(values) {
    using context = openContext(values);
    const { imageHistory } = await import("../../image/shown/history.ts");
    const { openStore } = await import("../../store/open.ts");
    const steps = imageHistory(openStore(context.env), values.image, context.env);
    const full = values["no-trunc"] ?? false;
    const shape = historyShape({ now: context.now(), full, human: values.human });
    if (values.json) writeOut(`${JSON.stringify(steps)}\n`);
    else if (values.quiet) writeOut(steps.map((step) => `${shortStepId(step, full)}\n`).join(""));
    else writeOut(renderList(shape, values.format, steps));
    return 0;
  },
});
