/** The last steps: the command, looked for on the PATH of the box as execvp(3) does. */
import {
  AT_EACCESS,
  AT_FDCWD,
  CLOSE_RANGE_CLOEXEC,
  F_OK,
  O_CLOEXEC,
  O_DIRECTORY,
  O_PATH,
  PR_SET_KEEPCAPS,
  X_OK,
} from "../../ffi/constants.ts";
import { EACCES, ENAMETOOLONG, ENODEV, ENOENT, ENOTDIR } from "../../ffi/errno.ts";
import type { PlanBuilder } from "../launch/plan.ts";
import type { RuntimeProcess } from "../oci/runtime.ts";
import { capabilitiesOf, capset, type Identity, setGroups } from "./identity.ts";

/** Errors for which execvp(3) looks further. */
const absent: readonly number[] = [ENOENT, ENOTDIR, ENODEV, ENAMETOOLONG];

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
  const paths = candidates(command, process.env);
  // As execvp(3): a candidate that may not be executed does not end the search, but is the answer when it finds no other.
  for (const tolerate of [[...absent, EACCES], absent])
    for (const path of paths) plan.syscall(`execute ${path}`, "execve", [plan.string(path), argv, envp], { tolerate });
  plan.add({ kind: "fail", label: `execute ${command}`, errno: ENOENT });
}

/**
 * Steps of a child that fail as `execute` would, for a command that is not there or may not be executed; it becomes the user of
 * the command for that, and has only its capabilities.
 */
export function findExecutable(plan: PlanBuilder, identity: Pick<Identity, "process" | "idMap" | "grantable">): void {
  const { process, idMap } = identity;
  const { user } = process;
  setGroups(plan, user, idMap);
  plan.syscall("keep capabilities over the change of user", "prctl", [PR_SET_KEEPCAPS, 1, 0, 0, 0]);
  plan.syscall(`look as group ${user.gid}`, "setresgid", [user.gid, user.gid, user.gid]);
  plan.syscall(`look as user ${user.uid}`, "setresuid", [user.uid, user.uid, user.uid]);
  capset(plan, "look with the capabilities of the command", capabilitiesOf(identity));
  search(plan, process);
}

/** Two rounds, as in `execute`: in the second what is there, and could not be executed in the first, is the answer. */
function search(plan: PlanBuilder, { args, env }: RuntimeProcess): void {
  const [command = ""] = args;
  const paths = candidates(command, env);
  const found = plan.mark("the command is there");
  const opened = { slot: plan.descriptor() };
  // AT_EACCESS: without it, access(2) asks as if a user other than root had no capabilities.
  for (const path of paths) {
    const [next, label, file] = [plan.mark("the next place"), `execute ${path}`, plan.string(path)];
    const options = { tolerate: [...absent, EACCES], onError: next };
    plan.syscall(label, "faccessat2", [AT_FDCWD, file, X_OK, AT_EACCESS], options);
    // A directory, which everybody may "execute"?
    const flags = O_PATH | O_DIRECTORY | O_CLOEXEC;
    plan.syscall(label, "openat", [AT_FDCWD, file, flags, 0], {
      save: opened.slot,
      tolerate: [ENOTDIR],
      onError: found,
    });
    plan.here(next);
  }
  for (const path of paths) {
    const [next, label] = [plan.mark("the next place"), `execute ${path}`];
    plan.syscall(label, "faccessat2", [AT_FDCWD, plan.string(path), F_OK, AT_EACCESS], {
      tolerate: absent,
      onError: next,
    });
    plan.add({ kind: "fail", label, errno: EACCES });
    plan.here(next);
  }
  plan.add({ kind: "fail", label: `execute ${command}`, errno: ENOENT });
  plan.here(found);
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
