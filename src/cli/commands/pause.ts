/** devbox pause. */
import { defineCommand, everyCommand } from "../command.ts";
import { forEachBox } from "../each-box.ts";
import { openContext } from "../ui/context.ts";

export default defineCommand({
  meta: { name: "pause", description: "Freeze all processes of boxes" },
  args: {
    box: { type: "positional", variadic: true, completes: "boxes", description: "Names, or beginnings of ids" },
    ...everyCommand,
  },
  examples: [["devbox pause web", "by its control group, or where it has none by SIGSTOP and SIGCONT"]],
  async run(values) {
    using context = openContext(values);
    const { pauseBox } = await import("../../box/pause.ts");
    await forEachBox(values.box, (name) => pauseBox(context, name));
    return 0;
  },
});
