/** devbox unpause. */
import { defineCommand, everyCommand } from "../command.ts";
import { forEachBox } from "../each-box.ts";
import { openContext } from "../ui/context.ts";

export default defineCommand({
  meta: { name: "unpause", description: "Let frozen boxes go on" },
  args: {
    box: { type: "positional", variadic: true, completes: "boxes", description: "Names, or beginnings of ids" },
    ...everyCommand,
  },
  examples: [["devbox unpause web", "by its control group, or where it has none by SIGSTOP and SIGCONT"]],
  async run(values) {
    using context = openContext(values);
    const { unpauseBox } = await import("../../box/pause.ts");
    await forEachBox(values.box, (name) => unpauseBox(context, name));
    return 0;
  },
});
