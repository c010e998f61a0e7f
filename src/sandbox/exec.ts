/** The last steps: the working directory, and the command, looked for on the PATH of the box as execvp(3) does. */
import { CLOSE_RANGE_CLOEXEC } from "../../ffi/constants.ts";
import { EACCES, EEXIST, ENAMETOOLONG, ENODEV, ENOENT, ENOTDIR, EROFS } from "../../ffi/errno.ts";
import type { PlanBuilder } from "../launch/plan.ts";
import type { RuntimeProcess } from "../oci/runtime.ts";
import { jumpTo } from "./steps.ts";

/** docker's default, for an environment without PATH. */
const defaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/** Steps that make and enter the working directory as root of the box; after pivot_root. */
export function enterDirectory(plan: PlanBuilder, cwd: string): void {
  const enter = plan.mark("cwd");
  let walked = "";
  plan.syscall(`enter ${cwd}`, "chdir", [plan.string(cwd)], { tolerate: [ENOENT], onError: enter });
  const done = plan.mark("cwd-done");
  jumpTo(plan, done);
  plan.here(enter);
  for (const name of cwd.split("/").filter((part) => part !== "")) {
    walked += `/${name}`;
    plan.syscall(`make the working directory ${walked}`, "mkdirat", [-1, plan.string(walked), 0o755], {
      tolerate: [EEXIST, EROFS],
    });
  }
  plan.syscall(`enter the working directory ${cwd}`, "chdir", [plan.string(cwd)]);
  plan.here(done);
}

/** Steps that replace the process by the command; the last of them fails with why no candidate could be executed. */
export function execute(plan: PlanBuilder, process: RuntimeProcess): void {
  // Whatever is still open (the root, layers, pipes to the supervisor) ends at exec; 0, 1 and 2 stay.
  plan.syscall("close all descriptors at exec", "close_range", [3, 0xffff_ffff, CLOSE_RANGE_CLOEXEC]);
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
  const path = env.findLast((entry) => entry.startsWith("PATH="))?.slice("PATH=".length) ?? defaultPath;
  // An empty element means the working directory (execvp(3)); docker refuses that, as does Go's exec.ErrDot: we skip it.
  return path
    .split(":")
    .filter((directory) => directory !== "")
    .map((directory) => `${directory.replace(/\/$/, "")}/${command}`);
}
