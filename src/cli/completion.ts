/** Completion for shells, made from the definitions of the commands: it cannot know of an option that is not there. */
import type { Command } from "./command.ts";
import { bashScript } from "./completion-bash.ts";
import { fishScript } from "./completion-fish.ts";
import { loadGroups } from "./groups.ts";

export const shells = ["bash", "zsh", "fish"] as const;
export type Shell = (typeof shells)[number];

/** The script to be sourced by the shell. */
export async function completionScript(shell: Shell, commands: readonly Command[]): Promise<string> {
  const groups = await loadGroups(commands);
  switch (shell) {
    case "bash":
      return `# source <(devbox completion bash)\n${bashScript(commands, groups)}`;
    case "zsh":
      // zsh runs bash's completion functions.
      return `# source <(devbox completion zsh)\nautoload -U +X bashcompinit && bashcompinit\n${bashScript(commands, groups)}`;
    case "fish":
      return `# devbox completion fish | source\n${fishScript(commands, groups)}`;
  }
}
