/** Completion for fish: a line for each command, option and kind of word. */
import type { Command } from "./command.ts";
import {
  boxNames,
  imageNames,
  type Offer,
  offerOf,
  placesOf,
  positionalOffer,
  visibleOptions,
} from "./completion-offers.ts";
import type { LoadedGroup } from "./groups.ts";

export function fishScript(commands: readonly Command[], groups: readonly LoadedGroup[]): string {
  const lines = [
    ...commands.map(({ meta }) => offerWord("__fish_use_subcommand", meta.name, meta.description)),
    ...groups.flatMap(({ group, members }) =>
      members.map(({ word, command }) =>
        offerWord(`__devbox_at ${group.meta.name}; and __devbox_words 2`, word, command.meta.description),
      ),
    ),
    ...[...placesOf(commands, groups)].flatMap(([command, places]) => commandLines(command, places)),
  ];
  return `${helpers}${lines.join("\n")}\n`;
}

/** commandline(1): `-o` cuts the line into words, `-c` before the cursor, `-p` of this command alone. */
const helpers = `function __devbox_at
  set -l words (commandline -opc)
  set -l last (math 1 + (count $argv))
  test "$words[2..$last]" = "$argv"
end
function __devbox_words
  test (count (commandline -opc)) -eq $argv[1]
end
`;

function offerWord(condition: string, word: string, description: string): string {
  const when = /[ ;]/.test(condition) ? `'${condition}'` : condition;
  return `complete -c devbox -n ${when} -f -a ${word} -d ${quote(description)}`;
}

function commandLines(command: Command, places: readonly string[]): readonly string[] {
  const within = `complete -c devbox -n '${places.map((place) => `__devbox_at ${place}`).join("; or ")}'`;
  const options = visibleOptions(command).map(([option, def]) => {
    const letters = [def.alias ?? []].flat().map((letter) => ` -s ${letter}`);
    const value = def.type === "boolean" ? "" : argument(offerOf(def));
    return `${within} -l ${option}${letters.join("")}${value} -d ${quote(def.description ?? "")}`;
  });
  const words = positionalOffer(command);
  return words.length === 0 ? options : [...options, `${within}${argument(words)}`];
}

function argument(offer: Offer): string {
  if (offer === "files") return " -r";
  if (offer === "images") return ` -x -a ${quote(`(${imageNames})`)}`;
  if (offer === "boxes") return ` -x -a ${quote(`(${boxNames})`)}`;
  return ` -x -a ${quote(offer.join(" "))}`;
}

/** In fish, as in sh, but a backslash escapes inside single quotes. */
function quote(text: string): string {
  return `'${text.replaceAll("\\", "\\\\").replaceAll("'", "\\'")}'`;
}
