/** devbox restart: stop boxes and start them again. */
import { defineCommand, everyCommand } from "../command.ts";
import { forEachBox } from "../each-box.ts";
import { stopFlags, toStopRequest } from "../stop-flags.ts";
import { openContext } from "../ui/context.ts";

export default defineCommand({
  meta: { name: "restart", description: "Stop boxes and start them again" },
  args: {
    box: { type: "positional", variadic: true, completes: "boxes", description: "Names, or beginnings of ids" },
    ...stopFlags,
    ...everyCommand,
  },
  examples: [["devbox restart web", "as devbox stop and devbox start; one that does not run is started"]],
  async run(values) {
    const request = toStopRequest(values);
    using context = openContext(values);
    const { restartBoxNow } = await import("../../box/start.ts");
    await forEachBox(values.box, (name) => restartBoxNow(context, name, request), "at once");
    return 0;
  },
});
