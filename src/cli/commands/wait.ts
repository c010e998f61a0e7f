/** devbox wait: wait for the end of boxes. */
import { defineCommand, everyCommand } from "../command.ts";
import { openContext } from "../ui/context.ts";
import { writeOut } from "../ui/output.ts";

export default defineCommand({
  meta: { name: "wait", description: "Wait until boxes have ended, and print their exit codes" },
  args: {
    box: { type: "positional", variadic: true, completes: "boxes", description: "Names, or beginnings of ids" },
    ...everyCommand,
  },
  untilInterrupted: true,
  examples: [["devbox wait job", "prints 0 when all went well, also when a restart policy starts the box again then"]],
  async run(values) {
    using context = openContext(values);
    const { waitForBoxes } = await import("../../box/wait.ts");
    for await (const code of waitForBoxes(context, values.box)) writeOut(`${code}\n`);
    return 0;
  },
});
