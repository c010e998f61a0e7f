/** devbox start: boxes that were made before, or have ended. */
import type { AttachEnd } from "../../box/attach.ts";
import { DevboxError } from "../../core/errors.ts";
import { detachKeysFlag } from "../box-flags.ts";
import { defineCommand, everyCommand } from "../command.ts";
import { forEachBox } from "../each-box.ts";
import { openContext } from "../ui/context.ts";

export default defineCommand({
  meta: { name: "start", description: "Start boxes that do not run" },
  args: {
    box: { type: "positional", variadic: true, completes: "boxes", description: "Names, or beginnings of ids" },
    attach: { type: "boolean", alias: "a", description: "Show what it prints, pass signals on, end as it does" },
    interactive: { type: "boolean", alias: "i", description: "Pass stdin on to a box that was made with -i" },
    ...detachKeysFlag,
    ...everyCommand,
  },
  examples: [
    ["devbox start web", "in the background"],
    ["devbox start -ai sh", "on this terminal"],
  ],
  async run(values) {
    using context = openContext(values);
    const { attach, interactive } = values;
    if (!attach && !interactive) {
      const { startBox } = await import("../../box/start.ts");
      await forEachBox(values.box, (name) => startBox(context, name));
      return 0;
    }
    const [name, another] = values.box;
    if (name === undefined || another !== undefined) {
      throw new DevboxError("USAGE", { step: "devbox start: one box at a time can be attached to" });
    }
    const { startAttached } = await import("../../box/start-attached.ts");
    const request = { stdin: interactive ?? false, signals: true, detachKeys: values["detach-keys"] };
    return exitStatus(await startAttached(context, name, request));
  },
});

/** Whoever has detached has got what he wanted. */
function exitStatus(end: AttachEnd): number {
  return end ?? 0;
}
