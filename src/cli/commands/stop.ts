/** devbox stop: end boxes, giving them time to do so themselves. */
import { defineCommand, everyCommand } from "../command.ts";
import { forEachBox } from "../each-box.ts";
import { stopFlags, toStopRequest } from "../stop-flags.ts";
import { openContext } from "../ui/context.ts";

export default defineCommand({
  meta: { name: "stop", description: "Stop boxes that run" },
  args: {
    box: { type: "positional", variadic: true, completes: "boxes", description: "Names, or beginnings of ids" },
    ...stopFlags,
    ...everyCommand,
  },
  examples: [
    ["devbox stop web", "SIGTERM, or what its image says, and SIGKILL after 10 seconds"],
    ["devbox stop -t 60 db", "give it a minute"],
  ],
  async run(values) {
    const request = toStopRequest(values);
    using context = openContext(values);
    const { stopBox } = await import("../../box/stop.ts");
    await forEachBox(values.box, (name) => stopBox(context, name, request), "at once");
    return 0;
  },
});
