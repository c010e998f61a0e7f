/** devbox update: other limits and another restart policy for boxes. */
import { DevboxError } from "../../core/errors.ts";
import { resourceFlags, restartFlag } from "../box-flags.ts";
import { parseRestart, resourceOptions } from "../box-values.ts";
import { defineCommand, everyCommand } from "../command.ts";
import { forEachBox } from "../each-box.ts";
import { openContext } from "../ui/context.ts";

export default defineCommand({
  meta: { name: "update", description: "Change limits and the restart policy of boxes" },
  args: {
    box: { type: "positional", variadic: true, completes: "boxes", description: "Names, or beginnings of ids" },
    ...restartFlag,
    ...resourceFlags,
    ...everyCommand,
  },
  examples: [
    ["devbox update --restart unless-stopped web", "from its next end on"],
    ["devbox update --memory 1g --cpus 2 web", "at once, when it runs"],
  ],
  async run(values) {
    const resources = resourceOptions(values);
    const restart = values.restart === undefined ? undefined : parseRestart(values.restart);
    if (restart === undefined && Object.keys(resources).length === 0) {
      throw new DevboxError("USAGE", { step: "devbox update: nothing to change was given" });
    }
    using context = openContext(values);
    const { updateBox } = await import("../../box/update.ts");
    await forEachBox(values.box, (name) => updateBox(context, name, { resources, restart }));
    return 0;
  },
});
