/** Completion for shells, made from the definitions of the commands: it cannot know of an option that is not there. */
import type { Command, OptionDef } from "./command.ts";

export const shells = ["bash", "zsh", "fish"] as const;
export type Shell = (typeof shells)[number];

/** The script to be sourced by the shell. */
export function completionScript(shell: Shell, commands: readonly Command[]): string {
  switch (shell) {
    case "bash":
      return bashScript(commands);
    case "zsh":
      // zsh runs bash's completion functions.
      return `autoload -U +X bashcompinit && bashcompinit\n${bashScript(commands)}`;
    case "fish":
      return fishScript(commands);
  }
}

function visibleOptions(command: Command): [string, OptionDef][] {
  const options: [string, OptionDef][] = [];
  for (const [name, def] of Object.entries(command.args)) {
    if (def.type !== "positional" && !def.hidden) options.push([name, def]);
  }
  return options;
}

/** Options that want a value, in all spellings: behind them no option is offered. */
function valueOptions(command: Command): readonly string[] {
  return visibleOptions(command)
    .filter(([, def]) => def.type !== "boolean")
    .flatMap(([name, def]) => [`--${name}`, ...[def.alias ?? []].flat().map((letter) => `-${letter}`)]);
}

function bashScript(commands: readonly Command[]): string {
  const names = commands.map(({ meta }) => meta.name).join(" ");
  const cases = commands.flatMap((command) => {
    const options = visibleOptions(command);
    const choices = options.flatMap(([name, def]) =>
      def.type === "enum"
        ? [`      --${name}) COMPREPLY=($(compgen -W "${def.options.join(" ")}" -- "$word")); return ;;`]
        : [],
    );
    const values = valueOptions(command);
    return [
      `  ${command.meta.name})`,
      '    case "$before" in',
      ...choices,
      ...(values.length === 0 ? [] : [`      ${values.join("|")}) COMPREPLY=($(compgen -f -- "$word")); return ;;`]),
      "    esac",
      `    words="${options.map(([name]) => `--${name}`).join(" ")}" ;;`,
    ];
  });
  return `# devbox completion bash: source <(devbox completion bash)
_devbox() {
  local word="\${COMP_WORDS[COMP_CWORD]}" before="\${COMP_WORDS[COMP_CWORD-1]}" words=""
  COMPREPLY=()
  if [ "$COMP_CWORD" -eq 1 ]; then
    COMPREPLY=($(compgen -W "${names} help" -- "$word"))
    return
  fi
  case "\${COMP_WORDS[1]}" in
${cases.map((line) => `  ${line}`).join("\n")}
    help) words="${names}" ;;
  esac
  COMPREPLY=($(compgen -W "$words" -- "$word"))
}
complete -o default -F _devbox devbox
`;
}

function fishScript(commands: readonly Command[]): string {
  const lines = commands.flatMap((command) => {
    const { name, description } = command.meta;
    const options = visibleOptions(command).map(([option, def]) => {
      const letters = [def.alias ?? []].flat().map((letter) => ` -s ${letter}`);
      const value =
        def.type === "boolean" ? "" : def.type === "enum" ? ` -x -a ${quote(def.options.join(" "))}` : " -r";
      const what = quote(def.description ?? "");
      return `complete -c devbox -n '__fish_seen_subcommand_from ${name}' -l ${option}${letters.join("")}${value} -d ${what}`;
    });
    return [`complete -c devbox -n __fish_use_subcommand -f -a ${name} -d ${quote(description)}`, ...options];
  });
  return `# devbox completion fish | source\n${lines.join("\n")}\n`;
}

/** In fish, as in sh, but a backslash escapes inside single quotes. */
function quote(text: string): string {
  return `'${text.replaceAll("\\", "\\\\").replaceAll("'", "\\'")}'`;
}
