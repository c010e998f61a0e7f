/** Completion for bash (bash(1) "Programmable Completion"): one function, with a case for each command. */
import type { Command, OptionDef } from "./command.ts";
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

export function bashScript(commands: readonly Command[], groups: readonly LoadedGroup[]): string {
  const names = commands.map(({ meta }) => meta.name).join(" ");
  return `${helpers}
_devbox() {
  local word="\${COMP_WORDS[COMP_CWORD]}" before="\${COMP_WORDS[COMP_CWORD-1]}" options="" values=""
  local command="\${COMP_WORDS[1]}" first=2
  COMPREPLY=()
  # bash takes = for a word of its own.
  if [ "$word" = "=" ]; then word=""
  elif [ "$before" = "=" ]; then before="\${COMP_WORDS[COMP_CWORD-2]}"; fi
  if [ "$COMP_CWORD" -eq 1 ]; then _devbox_offer "${names} help"; return; fi
  # A command of a group is known by the name of its own.
  case "$command" in
${groups.map(groupCase).join("\n")}
  esac
  case "$command" in
    help) _devbox_offer "${names}" ;;
${[...placesOf(commands, groups).keys()].map(commandCase).join("\n")}
  esac
}
complete -o default -F _devbox devbox
`;
}

/** The functions see the variables of their caller, as bash has it. */
const helpers = `_devbox_offer() { COMPREPLY=($(compgen -W "$1" -- "$word")); }

_devbox_boxes() { _devbox_offer "$(${boxNames})"; }

# The name of an image may hold colons, at which bash splits words: what stands before the last one is there already.
_devbox_images() {
  local line="\${COMP_LINE:0:COMP_POINT}" names
  local whole="\${line##* }"
  names="$(${imageNames})"
  COMPREPLY=($(compgen -W "$names" -- "$whole"))
  case "$COMP_WORDBREAKS" in
    *:*) COMPREPLY=("\${COMPREPLY[@]#"\${whole%"\${whole##*:}"}"}") ;;
  esac
}

# Whether a word stands before the one under the cursor that is neither an option nor an option's value.
_devbox_has_word() {
  local at
  for ((at = first; at < COMP_CWORD; at++)); do
    case "\${COMP_WORDS[at]}" in
      =|:) at=$((at + 1)) ;;
      -*) case " $values " in *" \${COMP_WORDS[at]} "*)
            at=$((at + 1)); [ "\${COMP_WORDS[at]}" = "=" ] && at=$((at + 1)) ;;
          esac ;;
      *) while [ "\${COMP_WORDS[at+1]}" = ":" ]; do at=$((at + 2)); done
         if [ "$at" -lt "$COMP_CWORD" ]; then return 0; fi ;;
    esac
  done
  return 1
}
`;

function groupCase({ group, members }: LoadedGroup): string {
  const words = members.map(({ word }) => word).join(" ");
  return [
    `    ${group.meta.name})`,
    `      if [ "$COMP_CWORD" -eq 2 ]; then _devbox_offer "${words}"; return; fi`,
    '      first=3; case "${COMP_WORDS[2]}" in',
    ...members.map(({ word, command }) => `        ${word}) command="${command.meta.name}" ;;`),
    "      esac ;;",
  ].join("\n");
}

function commandCase(command: Command): string {
  const options = visibleOptions(command);
  const valued = options.filter(([, def]) => def.type !== "boolean");
  const spelled = valued.flatMap(([name, def]) => spellings(name, def));
  return [
    `    "${command.meta.name}")`,
    `      values="${spelled.join(" ")}"`,
    // What stands behind the image is the box's.
    ...(command.cutAtFirstPositional ? ["      if _devbox_has_word; then return; fi"] : []),
    ...(valued.length === 0 ? [] : ['      case "$before" in', ...valued.map(valueCase), "      esac"]),
    `      options="${options.map(([name]) => `--${name}`).join(" ")}"`,
    `      case "$word" in -*) _devbox_offer "$options" ;; *) ${offer(positionalOffer(command))} ;; esac ;;`,
  ].join("\n");
}

function spellings(name: string, def: OptionDef): readonly string[] {
  return [`--${name}`, ...[def.alias ?? []].flat().map((letter) => `-${letter}`)];
}

function valueCase([name, def]: readonly [string, OptionDef]): string {
  return `        ${spellings(name, def).join("|")}) ${offer(offerOf(def))}; return ;;`;
}

/** Where nothing is to be offered, `-o default` would offer files. */
function offer(what: Offer): string {
  if (what === "files") return 'COMPREPLY=($(compgen -f -- "$word"))';
  if (what === "images") return "_devbox_images";
  if (what === "boxes") return "_devbox_boxes";
  return what.length === 0 ? "compopt +o default 2>/dev/null" : `_devbox_offer "${what.join(" ")}"`;
}
