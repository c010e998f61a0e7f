/** devbox export: the files of a box as a tar archive. */
import { DevboxError } from "../../core/errors.ts";
import { defineCommand, everyCommand } from "../command.ts";
import { openContext } from "../ui/context.ts";
import { isTerminal } from "../ui/terminal.ts";

export default defineCommand({
  meta: { name: "export", description: "Write all files of a box as a tar archive" },
  args: {
    box: { type: "positional", completes: "boxes", description: "Its name, or the beginning of its id" },
    output: { type: "string", alias: "o", valueHint: "FILE", completes: "files", description: "Default: stdout" },
    ...everyCommand,
  },
  examples: [
    ["devbox export -o web.tar web", "into a file"],
    ["devbox export web | devbox import - web:flat", "a box as an image of one layer"],
  ],
  notes: [
    "Running or not. What is mounted in the box is not its own, and left out.",
    "devbox commit keeps layers apart.",
  ],
  async run(values) {
    using context = openContext({ debug: values.debug });
    const { box } = values;
    const output = values.output === "-" ? undefined : values.output;
    if (output === undefined && isTerminal(1)) {
      throw new DevboxError("USAGE", {
        step: `export the box ${box}`,
        because: "an archive is nothing for a terminal",
        hint: `devbox export -o FILE ${box}, or send stdout elsewhere`,
      });
    }
    const { exportBox, exportToFile } = await import("../../box/export.ts");
    const notes = output === undefined ? await exportBox(context, box, 1) : await exportToFile(context, box, output);
    for (const note of notes) context.log.warn(note);
    return 0;
  },
});
