/** A further process in a container that runs: joins its namespaces, its control group, and becomes the command. */
import { closeSync, openSync, readlinkSync, readSync } from "node:fs";
import { O_CLOEXEC, O_DIRECTORY, O_PATH, O_RDONLY } from "../../ffi/constants.ts";
import { openProcs } from "../cgroup/processes.ts";
import { DevboxError, errnoName } from "../core/errors.ts";
import { openProcess, type ProcessIdentity } from "../host/process-identity.ts";
import { launch } from "../launch/launch.ts";
import { needsHostProc } from "../sandbox/identity.ts";
import { joinableNamespaces, type NamespaceLinks, namespaceFiles, namespaceTypes } from "../sandbox/namespace-flags.ts";
import { planExec } from "../sandbox/plan-exec.ts";
import { openConsoleSocket } from "./console-socket.ts";
import { explainFailure } from "./explain-failure.ts";
import { preserved } from "./passed.ts";
import { pipesToGive, startedPid } from "./started.ts";
import type { ExecRequest, ExecutedProcess } from "./types.ts";

/**
 * Starts the process. Returns when its command is executed, or one that is tied to us when it is under way: then `wait` tells what
 * failed.
 * @throws DevboxError COMMAND_NOT_FOUND, COMMAND_NOT_EXECUTABLE, LAUNCH_FAILED, CONTAINER_STATE where the container has ended
 */
export async function execInContainer(request: ExecRequest): Promise<ExecutedProcess> {
  const { init, process, cgroup, stdio, preservedFds } = request;
  using opened = new DisposableStack();
  const keep = (fd: number): number => {
    opened.defer(() => closeSync(fd));
    return fd;
  };
  const target = keep(openTarget(init));
  const groups = cgroup === undefined ? [] : openProcs(cgroup, init.pid).map(keep);
  const cgroups = groups.map((_, index) => `cgroup-${index}`);
  const terminal = process.terminal === true;
  const console = terminal && request.console === undefined ? opened.use(openConsoleSocket()) : undefined;
  const theirs = request.console ?? console?.theirs;
  const { seccomp, personality, facts, idMap, supervision, listener } = request;
  const directory = O_PATH | O_DIRECTORY | O_CLOEXEC;
  const proc = needsHostProc(request) ? keep(openSync("/proc", directory)) : undefined;
  const root = hasOwnDirectory(init.pid) ? keep(openSync(`/proc/${init.pid}/root`, directory)) : undefined;
  const plan = planExec({
    process,
    seccomp,
    ...(personality === undefined ? {} : { personality }),
    facts,
    join: joinableNamespaces(namespacesOf("self"), namespacesOf(init.pid)),
    ...(root === undefined ? {} : { ownDirectory: true }),
    idMap,
    supervision: { kind: supervision },
    cgroups,
    held: [],
    pipes: pipesToGive(process, stdio),
    ...(request.console === undefined ? {} : { blockingConsole: true }),
    ...(request.plainLines === true ? { plainLines: true } : {}),
    ...(preservedFds === 0 ? {} : { preservedFds }),
    ...(request.onOwnRoot === true ? { onOwnRoot: true } : {}),
    ...(listener === undefined ? {} : { seccompListener: "seccomp-listener", containerState: listener.state }),
  });
  const launched = launch(plan, {
    fds: {
      target,
      ...Object.fromEntries(groups.map((fd, index) => [`cgroup-${index}`, fd])),
      ...(theirs === undefined ? {} : { console: theirs }),
      ...(proc === undefined ? {} : { proc }),
      ...(root === undefined ? {} : { root }),
      ...(listener === undefined ? {} : { "seccomp-listener": listener.socket }),
      ...preserved(preservedFds),
    },
    stdio,
    translate: explainFailure,
  });
  console?.closeTheirs();
  const pid = await startedPid(launched);
  const master = console?.receive();
  try {
    // Who waits for it to the end hears of a failure then, and saves the detour.
    if (supervision === "orphaned") await launched.executed();
    return { pid, terminal: master, launched };
  } catch (error) {
    if (master !== undefined) closeSync(master);
    throw error;
  }
}

/** Joined by descriptor: whatever is looked up by its number besides counts only as long as that one lives. */
function openTarget(init: ProcessIdentity): number {
  const target = openProcess(init);
  if (target !== undefined) return target;
  throw new DevboxError("CONTAINER_STATE", { step: "execute in the container", because: "container not running" });
}

/** What namespaces a process is in. */
function namespacesOf(pid: number | "self"): NamespaceLinks {
  const links = namespaceTypes.map((type) => [type, readNamespace(pid, namespaceFiles[type])] as const);
  return Object.fromEntries(links.filter(([, link]) => link !== undefined));
}

/**
 * Is its root directory one that its mount namespace does not know (mount-namespace.ts)? Then no mount can be reached from it that
 * belongs to the namespace, and proc_pid_mountinfo(5) has nothing to tell.
 */
function hasOwnDirectory(pid: number): boolean {
  const file = openSync(`/proc/${pid}/mountinfo`, O_RDONLY | O_CLOEXEC);
  try {
    return readSync(file, new Uint8Array(1)) === 0;
  } finally {
    closeSync(file);
  }
}

/** undefined: this kernel has none of the kind. */
function readNamespace(pid: number | "self", file: string): string | undefined {
  try {
    return readlinkSync(`/proc/${pid}/ns/${file}`);
  } catch (error) {
    if (errnoName(error) === "ENOENT") return undefined;
    throw new DevboxError("SYSCALL_FAILED", { step: `look at the ${file} namespace of process ${pid}`, cause: error });
  }
}
