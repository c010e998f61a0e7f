/** devbox kill: send a signal to boxes. */
import { defineCommand, everyCommand } from "../command.ts";
import { forEachBox } from "../each-box.ts";
import { openContext } from "../ui/context.ts";

export default defineCommand({
  meta: { name: "kill", description: "Send a signal to the command of boxes" },
  args: {
    box: { type: "positional", variadic: true, completes: "boxes", description: "Names, or beginnings of ids" },
    signal: {
      type: "string",
      alias: "s",
      default: "KILL",
      valueHint: "SIGNAL",
      description: "By name or number",
    },
    ...everyCommand,
  },
  examples: [
    ["devbox kill web", "at once"],
    ["devbox kill -s HUP web", "for a program that reads its configuration anew"],
  ],
  async run(values) {
    using context = openContext(values);
    const { killBox } = await import("../../box/stop.ts");
    await forEachBox(values.box, (name) => killBox(context, name, values.signal));
    return 0;
  },
});
