/** Commands that are groups of commands: `devbox volume ls`. */
import { type Command, defineCommand, everyCommand, type Subcommands } from "./command.ts";
import { writeOut } from "./ui/output.ts";
import { helpWidth, wantsColour } from "./ui/terminal.ts";

/** Makes a group. A command that stands in no other place has the group's name in its own: `volume ls`. */
export function defineGroup(name: string, description: string, subcommands: Subcommands): Command {
  const words = Object.keys(subcommands);
  return defineCommand({
    meta: { name, description },
    args: {
      command: { type: "positional", required: false, completes: words, description: words.join(", ") },
      ...everyCommand,
    },
    examples: [[`devbox ${name} ${words[0]} --help`, "the options of one"]],
    subcommands,
    /** Without a word that chooses one. */
    async run() {
      const { commandHelp } = await import("./help.ts");
      writeOut(await commandHelp(this as Command, wantsColour(1, process.env), helpWidth()));
      return 0;
    },
  });
}
