/** What is in a group of commands (`subcommands.ts`): found by its word, or all of it. */
import { DevboxError } from "../core/errors.ts";
import { nearest } from "../core/nearest.ts";
import type { Command } from "./command.ts";
import { otherWay } from "./other-words.ts";

/** What docker and podman take for the same word: they stand in no help. */
const synonyms: Readonly<Record<string, string>> = { list: "ls", ps: "ls", remove: "rm" };

/** @throws DevboxError USAGE where the group has no such command */
export async function chooseSubcommand({ meta, subcommands = {} }: Command, word: string): Promise<Command> {
  const own = (each: string) => (Object.hasOwn(subcommands, each) ? subcommands[each] : undefined);
  const synonym = Object.hasOwn(synonyms, word) ? synonyms[word] : undefined;
  const load = own(word) ?? own(synonym ?? "");
  if (load !== undefined) return (await load()).default;
  const names = Object.keys(subcommands);
  const found = nearest(word, names);
  const nearestHint =
    found === undefined ? `there are ${names.join(", ")};` : `did you mean devbox ${meta.name} ${found}?`;
  throw new DevboxError("USAGE", {
    step: `devbox ${meta.name}: unknown command ${JSON.stringify(word)}`,
    hint: otherWay(word) ?? `${nearestHint} see: devbox ${meta.name} --help`,
  });
}

/** A command of a group, and the word that chooses it. */
export interface Member {
  readonly word: string;
  readonly command: Command;
}

export interface LoadedGroup {
  readonly group: Command;
  readonly members: readonly Member[];
}

/** Those of the commands that are groups, with all that is in them. */
export async function loadGroups(commands: readonly Command[]): Promise<readonly LoadedGroup[]> {
  const groups = commands.filter(({ subcommands }) => subcommands !== undefined);
  return await Promise.all(groups.map(async (group) => ({ group, members: await loadMembers(group) })));
}

export async function loadMembers({ subcommands = {} }: Command): Promise<readonly Member[]> {
  const members = Object.entries(subcommands);
  return await Promise.all(members.map(async ([word, load]) => ({ word, command: (await load()).default })));
}
