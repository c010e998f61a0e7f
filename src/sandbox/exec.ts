/** The last steps: the command, looked for on the PATH of the box as execvp(3) does. */
import { CLOSE_RANGE_CLOEXEC } from "../../ffi/constants.ts";
import { EACCES, ENAMETOOLONG, ENODEV, ENOENT, ENOTDIR } from "../../ffi/errno.ts";
import type { PlanBuilder } from "../launch/plan.ts";
import type { RuntimeProcess } from "../oci/runtime.ts";

/** docker's default, for an environment without PATH. */
const defaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/**
 * Steps that keep the descriptors of the host from the command: whatever is still open (the root, pipes to the
 * supervisor) ends at exec; 0, 1 and 2 stay. Before the filter, which need not know the call.
 */
export function closeAtExec(plan: PlanBuilder): void {
  plan.syscall("close all descriptors at exec", "close_range", [3, 0xffff_ffff, CLOSE_RANGE_CLOEXEC]);
}

/** Steps that replace the process by the command; the last of them fails with why no candidate could be executed. */
export function execute(plan: PlanBuilder, process: RuntimeProcess): void {
  const [command = ""] = process.args;
  const argv = plan.vector(process.args);
  const envp = plan.vector(process.env);
  const absent = [ENOENT, ENOTDIR, ENODEV, ENAMETOOLONG];
  const paths = candidates(command, process.env);
  // As execvp(3): a candidate that may not be executed does not end the search, but is the answer when it finds no other.
  for (const tolerate of [[...absent, EACCES], absent])
    for (const path of paths) plan.syscall(`execute ${path}`, "execve", [plan.string(path), argv, envp], { tolerate });
  plan.add({ kind: "fail", label: `execute ${command}`, errno: ENOENT });
}

/** Paths to try, in order: the command itself when it names a place, else it in each directory of PATH (execvp(3)). */
export function candidates(command: string, env: readonly string[]): string[] {
  if (command.includes("/")) return [command];
  if (command === "") return [];
  const path = env.findLast((entry) => entry.startsWith("PATH="))?.slice("PATH=".length) ?? defaultPath;
  // An empty element means the working directory (execvp(3)); docker refuses that, as does Go's exec.ErrDot: we skip it.
  return path
    .split(":")
    .filter((directory) => directory !== "")
    .map((directory) => `${directory.replace(/\/$/, "")}/${command}`);
}
