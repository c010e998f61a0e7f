/** devbox exec: a command in a box that runs. */
// All at once: every import() on the way costs a third of a millisecond.
import { execInBox } from "../../box/exec.ts";
import { parseEnvFile, parseEnvFlag } from "../../bundle/env-file.ts";
import { DevboxError } from "../../core/errors.ts";
import { defineCommand, everyCommand } from "../command.ts";
import { badFlag, readEnvFile } from "../run-values.ts";
import { openContext } from "../ui/context.ts";
import { isTerminal } from "../ui/terminal.ts";

export default defineCommand({
  meta: { name: "exec", description: "Run a command in a box that runs" },
  args: {
    box: { type: "positional", completes: "boxes", description: "Name, or beginning of the id" },
    command: { type: "positional", variadic: true, description: "Command and its arguments" },
    interactive: { type: "boolean", alias: "i", description: "Pass stdin on (default; -i=false gives it /dev/null)" },
    tty: { type: "boolean", alias: "t", description: "Give it a terminal (default when stdin and stdout are one)" },
    detach: { type: "boolean", alias: "d", description: "Leave it running in the background" },
    env: {
      type: "string",
      multiple: true,
      alias: "e",
      valueHint: "NAME[=VALUE]",
      description: "Set a variable; without a value, pass the caller's on",
    },
    "env-file": {
      type: "string",
      multiple: true,
      valueHint: "FILE",
      completes: "files",
      description: "Read variables from a file, one NAME=VALUE a line",
    },
    user: { type: "string", alias: "u", valueHint: "USER[:GROUP]", description: "Default: that of the box" },
    workdir: { type: "string", alias: "w", valueHint: "DIR", description: "Absolute; default: that of the box" },
    privileged: { type: "boolean", description: "All capabilities, and no filter" },
    "detach-keys": { type: "string", hidden: true, description: "What exec runs is not detached from" },
    ...everyCommand,
  },
  cutAtFirstPositional: true,
  runsCommand: true,
  examples: [
    ["devbox exec web ls -l /", "as the box's user, in its working directory"],
    ["devbox exec -u 0 -w / web sh", "a shell of root, when called from a terminal"],
    ["devbox exec -d web touch /tmp/flag", "not waited for"],
  ],
  async run(values) {
    const { env } = process;
    const { workdir, detach } = values;
    if (values.command.length === 0) throw new DevboxError("USAGE", { step: "devbox exec: COMMAND is missing" });
    if (workdir !== undefined && !workdir.startsWith("/")) {
      throw badFlag("--workdir", workdir, "it is not an absolute path", "/src");
    }
    using context = openContext(values);
    return await execInBox(context, values.box, {
      command: values.command,
      env: [
        ...values["env-file"].flatMap((file) => parseEnvFile(readEnvFile(file), env, file)),
        ...values.env.map((text) => parseEnvFlag(text, env)),
      ],
      user: values.user || undefined,
      workdir,
      privileged: values.privileged ?? false,
      interactive: values.interactive ?? true,
      tty: values.tty ?? (!detach && isTerminal(0) && isTerminal(1)),
      detach: detach ?? false,
    });
  },
});
