/** What shells offer for the words of a command line, read off the definitions. */
import type { ArgumentDefs, Command, OptionDef } from "./command.ts";
import type { LoadedGroup } from "./groups.ts";

/** The commands that are no groups, each with the words that lead to it: `rmi`, and `image rm`. */
export function placesOf(
  commands: readonly Command[],
  groups: readonly LoadedGroup[],
): ReadonlyMap<Command, readonly string[]> {
  const places = new Map<Command, readonly string[]>();
  for (const command of commands) if (command.subcommands === undefined) places.set(command, [command.meta.name]);
  for (const { group, members } of groups) {
    for (const { word, command } of members) {
      places.set(command, [...(places.get(command) ?? []), `${group.meta.name} ${word}`]);
    }
  }
  return places;
}

export function visibleOptions({ args }: { readonly args: ArgumentDefs }): readonly (readonly [string, OptionDef])[] {
  const options: [string, OptionDef][] = [];
  for (const [name, def] of Object.entries(args)) {
    if (def.type !== "positional" && !def.hidden) options.push([name, def]);
  }
  return options;
}

/** What can stand for the command's words, by the first of them. */
export function positionalOffer({ args }: { readonly args: ArgumentDefs }): Offer {
  const first = Object.values(args).find(({ type }) => type === "positional");
  return first?.type === "positional" ? (first.completes ?? []) : [];
}

/** `completes` of a definition, or the options of an `enum`. */
export type Offer = "boxes" | "files" | "images" | readonly string[];

export function offerOf(def: OptionDef): Offer {
  return def.type === "enum" ? def.options : (def.completes ?? []);
}

/** Names of the images in the store, one a line; nothing where there is no store. */
export const imageNames = `devbox images 2>/dev/null | awk 'NR > 1 && $2 != "<none>" { print $1 ":" $2 }'`;

/** Names of boxes, running or not. */
export const boxNames = "devbox ps --all --format '{{.Names}}' 2>/dev/null";
