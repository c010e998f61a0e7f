/** The command line of devbox: find the command, read its options, run it; whatever is thrown becomes a message. */
import { DevboxError, errorTable } from "../core/errors.ts";
import { parseArguments } from "./arguments.ts";
import { catalogue, loadAllCommands, loadCommand, loadSections } from "./catalogue.ts";
import type { Command } from "./command.ts";

/**
 * @param words the command line without the program.
 * @returns the exit status: the command's own, or that of the error that was printed.
 */
export async function dispatch(words: readonly string[]): Promise<number> {
  const wishes: ErrorWishes = { debug: false, json: false };
  try {
    return await runLine(words, wishes);
  } catch (error) {
    return await report(error, wishes);
  }
}

/** How an error is to be printed; set as soon as the words are known to be ours and not those of the box's command. */
interface ErrorWishes {
  debug: boolean;
  json: boolean;
  command?: Pick<Command, "meta" | "runsCommand" | "untilInterrupted">;
}

async function runLine(words: readonly string[], wishes: ErrorWishes): Promise<number> {
  const [first, ...rest] = words;
  switch (first) {
    case undefined:
    case "--help":
    case "-h":
      return await printOverview();
    case "help":
      return rest[0] === undefined ? await printOverview() : await helpOf(await commandNamed(rest[0]), rest.slice(1));
    case "--debug":
      // Before the command as behind it.
      wishes.debug = true;
      return rest[0] === undefined ? await printOverview() : await runLine([rest[0], first, ...rest.slice(1)], wishes);
    default:
      return await runCommand(await commandNamed(first), rest, wishes);
  }
}

async function runCommand(command: Command, words: readonly string[], wishes: ErrorWishes): Promise<number> {
  wishes.command = command;
  if (command.subcommands !== undefined) {
    const at = words.findIndex((word) => !word.startsWith("-"));
    // Options before it are its own: groups have none but those that all have.
    if (at >= 0)
      return await runCommand(await subcommandNamed(command, words[at] ?? ""), words.toSpliced(at, 1), wishes);
  }
  const names = Object.keys(command.args);
  // A line that cannot be parsed still has wishes; one that can, states them.
  wishes.json = names.includes("json") && words.includes("--json");
  const line = parseArguments(command, words);
  if (line.help) return await printHelp(command);
  const { debug, json } = line.values;
  wishes.debug = debug === true;
  wishes.json = json === true;
  return await command.run(line.values, loadAllCommands);
}

async function commandNamed(name: string): Promise<Command> {
  const command = await loadCommand(name);
  if (command !== undefined) return command;
  const { nearest } = await import("../core/nearest.ts");
  const { otherWay } = await import("./other-words.ts");
  const suggestion = nearest(name, Object.keys(catalogue));
  const nearestHint =
    suggestion === undefined ? "see: devbox --help" : `did you mean devbox ${suggestion}? see: devbox --help`;
  const what = name.startsWith("-") ? `unknown option ${name}` : `unknown command ${JSON.stringify(name)}`;
  throw new DevboxError("USAGE", {
    step: `devbox: ${what}`,
    hint: otherWay(name) ?? nearestHint,
  });
}

async function subcommandNamed(group: Command, word: string): Promise<Command> {
  const { chooseSubcommand } = await import("./groups.ts");
  return await chooseSubcommand(group, word);
}

/** `help image ls` */
async function helpOf(command: Command, [word]: readonly string[]): Promise<number> {
  const isGroup = word !== undefined && command.subcommands !== undefined;
  return await printHelp(isGroup ? await subcommandNamed(command, word) : command);
}

async function printOverview(): Promise<number> {
  const { overview } = await import("./help.ts");
  const sections = await loadSections();
  return await print((colour) => overview(sections, colour));
}

async function printHelp(command: Command): Promise<number> {
  const { commandHelp } = await import("./help.ts");
  const { helpWidth } = await import("./ui/terminal.ts");
  return await print((colour) => commandHelp(command, colour, helpWidth()));
}

async function print(render: (colour: boolean) => string | Promise<string>): Promise<number> {
  const { writeOut } = await import("./ui/output.ts");
  const { wantsColour } = await import("./ui/terminal.ts");
  writeOut(await render(wantsColour(1, process.env)));
  return 0;
}

/** @returns the exit status */
async function report(thrown: unknown, { debug, json, command }: ErrorWishes): Promise<number> {
  const { errorJson, renderError, toDevboxError } = await import("./ui/error-message.ts");
  const { writeError } = await import("./ui/output.ts");
  const { wantsColour } = await import("./ui/terminal.ts");
  const error = withOwnHelp(toDevboxError(thrown), command?.meta.name);
  if (error.code === "INTERRUPTED" && command?.untilInterrupted) return error.exitStatus;
  if (error.code === "READER_GONE" && !debug) return error.exitStatus;
  writeError(json ? errorJson(error) : renderError(error, { colour: wantsColour(2, process.env), debug }));
  return command?.runsCommand && error.exitStatus === 1 ? errorTable.USAGE.exit : error.exitStatus;
}

/** A slip in a value is known to whoever reads it, the command whose help shows the right form, to us. */
function withOwnHelp(error: DevboxError, command: string | undefined): DevboxError {
  if (error.code !== "USAGE" || error.hint !== errorTable.USAGE.hint || command === undefined) return error;
  const { step, because, cause } = error;
  return new DevboxError("USAGE", {
    step,
    ...(because === undefined ? {} : { because }),
    cause,
    hint: `see: devbox ${command} --help`,
  });
}
