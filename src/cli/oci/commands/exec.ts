/** devbox oci exec. */
import { forwardSignals } from "../../../box/signals.ts";
import { execProcess } from "../../../runtime/exec-process.ts";
import { sendPidfd } from "../../../runtime/passed.ts";
import { writePidFileOrEnd } from "../../../runtime/pid-file.ts";
import { sendSignal } from "../../../runtime/signal.ts";
import type { ExecutedProcess } from "../../../runtime/types.ts";
import { defineCommand } from "../../command.ts";
import type { Around } from "../around.ts";
import { checkConsole, plainLines } from "./console-rules.ts";
import { readExecProcess } from "./exec-options.ts";
import { container, count, help } from "./shared.ts";

export default ({ root, facts, log }: Around) =>
  defineCommand({
    meta: { name: "oci exec", description: "Run a further process in a container" },
    args: {
      ...container,
      command: { type: "positional", required: false, variadic: true, description: "And its arguments" },
      process: {
        type: "string",
        alias: "p",
        valueHint: "FILE",
        description: "All of it, as under process in config.json",
      },
      tty: { type: "boolean", alias: "t", description: "Give it a terminal" },
      "console-socket": { type: "string", valueHint: "SOCKET", description: "Unix socket that gets the terminal" },
      "pid-file": { type: "string", valueHint: "FILE", description: "Write its process id there" },
      "pidfd-socket": { type: "string", valueHint: "SOCKET", description: "Unix socket that gets a pidfd of it" },
      detach: { type: "boolean", alias: "d", description: "Do not wait for its end" },
      env: {
        type: "string",
        alias: "e",
        multiple: true,
        valueHint: "NAME=VALUE",
        description: "Add to its environment",
      },
      cwd: { type: "string", valueHint: "DIR", description: "Its working directory" },
      user: { type: "string", alias: "u", valueHint: "UID[:GID]", description: "Who it runs as" },
      "additional-gids": {
        type: "string",
        alias: "g",
        multiple: true,
        valueHint: "GID",
        description: "Its further groups",
      },
      cap: { type: "string", alias: "c", multiple: true, valueHint: "NAME", description: "Add a capability" },
      "no-new-privs": { type: "boolean", description: "It gains no privileges by executing files" },
      apparmor: { type: "string", valueHint: "PROFILE", description: "Its AppArmor profile" },
      "process-label": { type: "string", valueHint: "LABEL", description: "Its SELinux label" },
      cgroup: { type: "string", multiple: true, valueHint: "PATH", description: "A group below the container's" },
      "preserve-fds": { type: "string", default: "0", valueHint: "N", description: "Pass N descriptors from 3 on" },
      "ignore-paused": { type: "boolean", description: "Also where the container is paused: it waits then" },
      "no-subreaper": { type: "boolean", hidden: true, description: "Accepted: there is never one" },
      ...help,
    },
    cutAtFirstPositional: true,
    examples: [["devbox oci exec -t ID sh", "a shell in a container"]],
    async run(values) {
      const detach = values.detach === true;
      const consoleSocket = values["console-socket"] || undefined;
      // Before the command is there: it may be quicker than we are, and what is sent to it then is not to end us.
      using signals = detach ? undefined : forwardSignals();
      const executed = await execProcess({
        root,
        id: values.id,
        facts,
        process: async (config) => {
          const process = await readExecProcess(values, config, log.warn);
          checkConsole(process.terminal === true, consoleSocket, detach ? "apart" : "foreground");
          return process;
        },
        ignorePaused: values["ignore-paused"] === true,
        subgroups: values.cgroup,
        consoleSocket,
        plainLines: consoleSocket === undefined && plainLines(),
        detach,
        preservedFds: count("preserve-fds", values["preserve-fds"]),
      });
      const pidFile = values["pid-file"] || undefined;
      if (pidFile !== undefined) writePidFileOrEnd(pidFile, executed.pid);
      const pidfdSocket = values["pidfd-socket"] || undefined;
      if (pidfdSocket !== undefined) sendPidfd(pidfdSocket, executed.pid);
      if (detach) return 0;
      signals?.to((signal) => sendSignal(executed.pid, signal));
      return await waitForEnd(executed);
    },
  });

async function waitForEnd({ terminal, launched }: ExecutedProcess): Promise<number> {
  if (terminal === undefined) return await launched.wait();
  const { joinUntilEnd } = await import("../../../box/terminal.ts");
  return await joinUntilEnd(terminal, true, () => launched.wait());
}
