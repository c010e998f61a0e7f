/** devbox oci ps: runc's: the lines of ps(1) whose pid is one of the container's, or the pids as JSON. */
import { DevboxError } from "../../../core/errors.ts";
import { containerStatus, findContainer } from "../../../runtime/container.ts";
import { containerPids } from "../../../runtime/pids.ts";
import { checkTransition } from "../../../runtime/status.ts";
import { defineCommand } from "../../command.ts";
import { writeOut } from "../../ui/output.ts";
import type { Around } from "../around.ts";
import { container, help } from "./shared.ts";

export default ({ root }: Around) =>
  defineCommand({
    meta: { name: "oci ps", description: "List the processes of a container" },
    args: {
      ...container,
      options: { type: "positional", required: false, variadic: true, description: "Of ps(1); default: -ef" },
      format: {
        type: "enum",
        alias: "f",
        options: ["table", "json"],
        default: "table",
        description: "How to print them",
      },
      ...help,
    },
    cutAtFirstPositional: true,
    examples: [],
    async run({ id, format, options }) {
      const known = findContainer(root, id);
      const status = containerStatus(known);
      checkTransition("ps", id, status);
      // The pid of a first process that has ended may be anybody's by now.
      const isGone = status === "stopped" && known.record.cgroup === undefined;
      const pids = isGone ? [] : containerPids(known);
      writeOut(format === "json" ? `${JSON.stringify(pids)}\n` : selectLines(runPs(options), pids));
      return 0;
    },
  });

function runPs(options: readonly string[]): string {
  const command = ["ps", ...(options.length === 0 ? ["-ef"] : options)];
  const step = command.join(" ");
  let result: ReturnType<typeof Bun.spawnSync>;
  try {
    result = Bun.spawnSync({ cmd: command, stdout: "pipe", stderr: "pipe" });
  } catch (cause) {
    throw new DevboxError("HELPER_MISSING", { step, cause, hint: "install procps, or use --format json" });
  }
  if (result.exitCode === 0) return String(result.stdout);
  throw new DevboxError("HELPER_MISSING", { step, because: String(result.stderr).trim() });
}

/** The heading, and the lines whose column PID names one of these. */
function selectLines(text: string, pids: readonly number[]): string {
  const [heading = "", ...lines] = text.trimEnd().split("\n");
  const column = heading.trim().split(/\s+/).indexOf("PID");
  if (column < 0)
    throw new DevboxError("USAGE", { step: "devbox oci ps", because: "these ps options show no column PID" });
  const wanted = new Set(pids.map(String));
  const own = lines.filter((line) => wanted.has(line.trim().split(/\s+/)[column] ?? ""));
  return [heading, ...own].map((line) => `${line}\n`).join("");
}
