/** devbox rm: remove boxes that were kept. */
import { defineCommand, everyCommand } from "../command.ts";
import { openContext } from "../ui/context.ts";
import { writeOut } from "../ui/output.ts";

export default defineCommand({
  meta: { name: "rm", description: "Remove boxes that were kept" },
  args: {
    box: { type: "positional", variadic: true, description: "Names, or beginnings of ids" },
    ...everyCommand,
  },
  examples: [["devbox rm web", "the box of devbox run --name web …"]],
  async run(values) {
    using context = openContext(values);
    const { removeBoxes } = await import("../../box/remove.ts");
    for (const name of await removeBoxes(context, values.box)) writeOut(`${name}\n`);
    return 0;
  },
});
