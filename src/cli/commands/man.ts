/** devbox man: the manual page, for man(1). */
import { defineCommand, everyCommand } from "../command.ts";
import { loadGroups } from "../groups.ts";
import { manPage } from "../man-page.ts";
import { writeOut } from "../ui/output.ts";
import { version } from "../version.ts";

export default defineCommand({
  meta: { name: "man", description: "Print the manual page" },
  args: { ...everyCommand },
  examples: [
    ["devbox man | man -l -", "read it"],
    [
      "mkdir -p ~/.local/share/man/man1 && devbox man > ~/.local/share/man/man1/devbox.1",
      "so that man devbox finds it",
    ],
  ],
  async run(_, allCommands) {
    const commands = await allCommands();
    writeOut(manPage(commands, await loadGroups(commands), version));
    return 0;
  },
});
