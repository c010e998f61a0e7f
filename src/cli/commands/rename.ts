/** devbox rename. */
import { defineCommand, everyCommand } from "../command.ts";
import { openContext } from "../ui/context.ts";

export default defineCommand({
  meta: { name: "rename", description: "Give a box another name" },
  args: {
    box: { type: "positional", completes: "boxes", description: "Name, or the beginning of an id" },
    name: { type: "positional", description: "The new name" },
    ...everyCommand,
  },
  examples: [["devbox rename web old-web", "running or not"]],
  async run(values) {
    using context = openContext(values);
    const { renameBox } = await import("../../box/rename.ts");
    await renameBox(context, values.box, values.name.replace(/^\//, ""));
    return 0;
  },
});
