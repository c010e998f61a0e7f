/** Completion for fish: a line for each command, option and kind of word. */
import type { Command } from "./command.ts";
import { imageNames, type Offer, offerOf, positionalOffer, visibleOptions } from "./completion-offers.ts";

export function fishScript(commands: readonly Command[]): string {
  return `${commands.flatMap(commandLines).join("\n")}\n`;
}

function commandLines(command: Command): readonly string[] {
  const { name, description } = command.meta;
  const within = `complete -c devbox -n '__fish_seen_subcommand_from ${name}'`;
  const options = visibleOptions(command).map(([option, def]) => {
    const letters = [def.alias ?? []].flat().map((letter) => ` -s ${letter}`);
    const value = def.type === "boolean" ? "" : argument(offerOf(def));
    return `${within} -l ${option}${letters.join("")}${value} -d ${quote(def.description ?? "")}`;
  });
  const words = positionalOffer(command);
  return [
    `complete -c devbox -n __fish_use_subcommand -f -a ${name} -d ${quote(description)}`,
    ...options,
    ...(words.length === 0 ? [] : [`${within}${argument(words)}`]),
  ];
}

function argument(offer: Offer): string {
  if (offer === "files") return " -r";
  return offer === "images" ? ` -x -a ${quote(`(${imageNames})`)}` : ` -x -a ${quote(offer.join(" "))}`;
}

/** In fish, as in sh, but a backslash escapes inside single quotes. */
function quote(text: string): string {
  return `'${text.replaceAll("\\", "\\\\").replaceAll("'", "\\'")}'`;
}
