/** devbox hook: what the hooks in our bundles call (runtime-spec config.md "POSIX-platform Hooks"), under any runtime. */
import { DevboxError } from "../../core/errors.ts";
import { defineCommand, everyCommand } from "../command.ts";

export default defineCommand({
  meta: { name: "hook", description: "Run an OCI hook of a bundle; reads the state of the box on stdin" },
  args: {
    name: { type: "positional", description: "slirp4netns" },
    arguments: { type: "positional", required: false, variadic: true, description: "As they stand in config.json" },
    ...everyCommand,
  },
  cutAtFirstPositional: true,
  examples: [["devbox hook slirp4netns start --directory DIR --helper FILE 8080:80", "for runc, crun and others"]],
  async run(values) {
    if (values.name !== "slirp4netns") {
      throw new DevboxError("USAGE", { step: `devbox hook: there is none named ${JSON.stringify(values.name)}` });
    }
    const { runHook } = await import("../../network/hook.ts");
    await runHook(await Bun.stdin.text(), values.arguments);
    return 0;
  },
});
