/** devbox rm: remove boxes that were kept. */
import { defineCommand, everyCommand } from "../command.ts";
import { forEachBox } from "../each-box.ts";
import { openContext } from "../ui/context.ts";

export default defineCommand({
  meta: { name: "rm", description: "Remove boxes that were kept" },
  args: {
    box: { type: "positional", variadic: true, completes: "boxes", description: "Names, or beginnings of ids" },
    force: { type: "boolean", alias: "f", description: "End those that run; one that is not there is no failure" },
    volumes: {
      type: "boolean",
      alias: "v",
      description: "With their anonymous volumes, which go with the box anyway; those with names stay",
    },
    ...everyCommand,
  },
  examples: [
    ["devbox rm web", "the box of devbox run --name web …"],
    ["devbox rm -f web", "also when it runs"],
  ],
  async run(values) {
    using context = openContext(values);
    const { removeBoxNamed } = await import("../../box/remove.ts");
    await forEachBox(values.box, (name) => removeBoxNamed(context, name, values.force ?? false));
    return 0;
  },
});
