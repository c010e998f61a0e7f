/** devbox completion: the script that a shell sources. */
import { DevboxError } from "../../core/errors.ts";
import { defineCommand, everyCommand } from "../command.ts";
import { writeOut } from "../ui/output.ts";

export default defineCommand({
  meta: { name: "completion", description: "Print the completion script of a shell: bash, zsh or fish" },
  args: {
    shell: { type: "positional", completes: ["bash", "zsh", "fish"], description: "bash, zsh or fish" },
    ...everyCommand,
  },
  examples: [
    ["source <(devbox completion bash)", "in ~/.bashrc; the same with zsh in ~/.zshrc"],
    ["devbox completion fish | source", "in ~/.config/fish/config.fish"],
  ],
  async run(values, allCommands) {
    const { completionScript, shells } = await import("../completion.ts");
    const shell = shells.find((name) => name === values.shell);
    if (shell === undefined) {
      const step = `devbox completion: there is none for ${JSON.stringify(values.shell)}`;
      throw new DevboxError("USAGE", { step, hint: `choose one of ${shells.join(", ")}` });
    }
    writeOut(await completionScript(shell, await allCommands()));
    return 0;
  },
});
