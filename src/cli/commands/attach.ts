/** devbox attach: the caller's terminal and streams on a box in the background. */
import { detachKeysFlag } from "../box-flags.ts";
import { defineCommand, everyCommand } from "../command.ts";
import { openContext } from "../ui/context.ts";

export default defineCommand({
  meta: { name: "attach", description: "Join a box that runs in the background" },
  args: {
    box: { type: "positional", completes: "boxes", description: "Name, or beginning of the id" },
    stdin: {
      type: "boolean",
      default: true,
      description: "Pass stdin on to a box that was run with -i",
      negativeDescription: "Leave stdin alone",
    },
    "sig-proxy": {
      type: "boolean",
      default: true,
      description: "Pass signals on",
      negativeDescription: "Let signals end this devbox",
    },
    ...detachKeysFlag,
    ...everyCommand,
  },
  untilInterrupted: true,
  examples: [
    ["devbox attach web", "what it prints from now on; devbox logs has what was before"],
    ["devbox attach sh", "of devbox run -dit: ctrl-p ctrl-q leaves it running"],
  ],
  async run(values) {
    using context = openContext(values);
    const { attachToBox } = await import("../../box/attach.ts");
    const request = { stdin: values.stdin, signals: values["sig-proxy"], detachKeys: values["detach-keys"] };
    const end = await attachToBox(context, values.box, request);
    // Whoever has detached has got what he wanted.
    return end ?? 0;
  },
});
