/** Commands that are groups of commands: `devbox volume ls`. */
import { DevboxError } from "../core/errors.ts";
import { parseArguments } from "./arguments.ts";
import { type Command, defineCommand, everyCommand } from "./command.ts";
import { writeOut } from "./ui/output.ts";
import { wantsColour } from "./ui/terminal.ts";

export type Subcommands = Readonly<Record<string, () => Promise<{ readonly default: Command }>>>;

/** Makes a group. The names of its commands hold that of the group: `volume ls`. */
export function defineGroup(name: string, description: string, commands: Subcommands): Command {
  const names = Object.keys(commands);
  return defineCommand({
    meta: { name, description },
    args: {
      command: { type: "positional", required: false, completes: names, description: names.join(", ") },
      words: { type: "positional", required: false, variadic: true, description: "Its own options and words" },
      ...everyCommand,
    },
    cutAtFirstPositional: true,
    examples: names.map((each) => [`devbox ${name} ${each} --help`, "its options"] as const),
    async run({ command, words, debug }, allCommands) {
      if (command === undefined) return await printHelp(this as Command);
      const load = Object.hasOwn(commands, command) ? commands[command] : undefined;
      if (load === undefined) {
        throw new DevboxError("USAGE", {
          step: `devbox ${name}: unknown command ${JSON.stringify(command)}`,
          hint: `there are ${names.join(", ")}; see: devbox ${name} --help`,
        });
      }
      const chosen = (await load()).default;
      const line = parseArguments(chosen, words);
      if (line.help) return await printHelp(chosen);
      return await chosen.run(debug === true ? { ...line.values, debug } : line.values, allCommands);
    },
  });
}

async function printHelp(command: Command): Promise<number> {
  const { commandHelp } = await import("./help.ts");
  writeOut(await commandHelp(command, wantsColour(1, process.env)));
  return 0;
}
