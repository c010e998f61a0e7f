/** The processes of a control group: who they are, freezing, thawing, signalling and killing all of them. */
import { closeSync, existsSync, openSync } from "node:fs";
import { O_CLOEXEC, O_WRONLY } from "../../ffi/constants.ts";
import { DevboxError, errnoName } from "../core/errors.ts";
import { directoryOf } from "./controllers.ts";
import { childGroups, readControl, readTable, readWords, writeControl } from "./files.ts";
import { ownCgroups } from "./layout.ts";
import { ownPath } from "./path.ts";
import type { Cgroup } from "./types.ts";
import { waitForControl } from "./watch.ts";

/**
 * Descriptors of cgroup.procs of each directory, closed on exec, the caller's to close: whose pid is written into all of them
 * is in the group. `init`: a process of the container, which a further one joins; where the container has made groups
 * of its own and moved its processes there, the new one goes to that of `init`.
 */
export function openProcs(cgroup: Cgroup, init?: number): readonly number[] {
  const fds: number[] = [];
  try {
    for (const directory of entrances(cgroup, init))
      fds.push(openSync(`${directory}/cgroup.procs`, O_WRONLY | O_CLOEXEC));
    return fds;
  } catch (error) {
    for (const fd of fds) closeSync(fd);
    throw new DevboxError("CGROUP_FAILED", { step: `enter the control group ${cgroup.path}`, cause: error });
  }
}

/** A version 2 group that hands controllers down takes no processes: EBUSY (cgroups(7) "no internal processes"). */
function entrances(cgroup: Cgroup, init: number | undefined): readonly string[] {
  const { layout, directories, path } = cgroup;
  const unified = unifiedDirectory(cgroup);
  if (init === undefined || unified === undefined || !readControl(unified, "cgroup.subtree_control"))
    return directories;
  const own = ownCgroups(readControl(`/proc/${init}`, "cgroup") ?? "");
  const where = layout.version === 2 ? ownPath(layout, own) : (own.unified ?? "/");
  if (!where.startsWith(`${path}/`)) return directories;
  return directories.map((directory) => (directory === unified ? unified + where.slice(path.length) : directory));
}

/** Every process in the group and in groups below, as the caller's pid namespace counts, in no order. */
export function cgroupPids(cgroup: Cgroup): readonly number[] {
  return pidsIn(cgroup.directories);
}

/** The same for directories. Processes that the caller's pid namespace does not show (0) are left out. */
export function pidsIn(directories: readonly string[]): readonly number[] {
  const pids = new Set<number>();
  const pending = [...directories];
  for (let directory = pending.pop(); directory !== undefined; directory = pending.pop()) {
    for (const word of readWords(directory, "cgroup.procs")) pids.add(Number(word));
    pending.push(...childGroups(directory));
  }
  pids.delete(0);
  return [...pids];
}

/** A file that stops and resumes all of a group, and how it tells that it has done so. */
interface Freezer {
  readonly directory: string;
  readonly file: "cgroup.freeze" | "freezer.state";
}

/** The version 2 freezer (5.2) also serves the version 2 tree beside version 1 ones; else the version 1 controller. */
function findFreezer(cgroup: Cgroup): Freezer | undefined {
  const unified = unifiedDirectory(cgroup);
  if (unified !== undefined && readControl(unified, "cgroup.freeze") !== undefined) {
    return { directory: unified, file: "cgroup.freeze" };
  }
  const directory = cgroup.layout.version === 1 ? directoryOf(cgroup, "freezer") : undefined;
  return directory === undefined ? undefined : { directory, file: "freezer.state" };
}

/** The group in a version 2 tree, if it has one. */
export function unifiedDirectory({ layout, directories, path }: Cgroup): string | undefined {
  const mount = layout.version === 2 ? layout.mount : layout.unified;
  return mount === undefined ? undefined : directories.find((directory) => directory === `${mount}${path}`);
}

function requireFreezer(cgroup: Cgroup, step: string): Freezer {
  const freezer = findFreezer(cgroup);
  if (freezer !== undefined) return freezer;
  const because = "it has no freezer: neither cgroup.freeze (Linux 5.2) nor the freezer controller";
  throw new DevboxError("CGROUP_UNAVAILABLE", { step, because });
}

/** Stops all processes of the group; returns when they stand still. */
export async function freeze(cgroup: Cgroup): Promise<void> {
  const step = `freeze the control group ${cgroup.path}`;
  await setFrozen(requireFreezer(cgroup, step), true, step);
}

/** Lets them go on. */
export async function thaw(cgroup: Cgroup): Promise<void> {
  const step = `thaw the control group ${cgroup.path}`;
  await setFrozen(requireFreezer(cgroup, step), false, step);
}

/** Whether it is frozen, or about to be. */
export function isFrozen(cgroup: Cgroup): boolean {
  const freezer = findFreezer(cgroup);
  if (freezer === undefined) return false;
  const state = readControl(freezer.directory, freezer.file);
  return freezer.file === "cgroup.freeze" ? state === "1" : state === "FROZEN" || state === "FREEZING";
}

/** A process in uninterruptible sleep is frozen only when it wakes: ten seconds are given, and a failed freeze is taken back. */
const freezeTimeoutMs = 10_000;

async function setFrozen({ directory, file }: Freezer, frozen: boolean, step: string): Promise<void> {
  const isOld = file === "freezer.state";
  const word = isOld ? { true: "FROZEN", false: "THAWED" } : { true: "1", false: "0" };
  const set = (value: boolean) => writeControl(directory, file, word[`${value}`]);
  // The version 1 freezer may get stuck in FREEZING when a process forks meanwhile; writing again freezes the newcomers.
  const isDone = () => {
    if (!isOld) return readTable(directory, "cgroup.events")["frozen"] === (frozen ? 1 : 0);
    if (readControl(directory, file) === word[`${frozen}`]) return true;
    set(frozen);
    return false;
  };
  try {
    set(frozen);
    if (await waitForControl(directory, isOld ? undefined : "cgroup.events", isDone, freezeTimeoutMs)) return;
    if (frozen) set(false);
  } catch (error) {
    throw new DevboxError("CGROUP_FAILED", { step, cause: error });
  }
  throw new DevboxError("CGROUP_FAILED", {
    step,
    because: `its processes did not ${frozen ? "stand still" : "go on"} within ${freezeTimeoutMs / 1000} seconds`,
  });
}

/** Sends a signal to every process of the group; none escapes by forking, where the group can be frozen meanwhile. */
export async function signalCgroup(cgroup: Cgroup, signal: number): Promise<void> {
  if (signal === 9) return killCgroup(cgroup);
  const wasFrozen = isFrozen(cgroup);
  const canFreeze = !wasFrozen && findFreezer(cgroup) !== undefined;
  if (canFreeze) await freeze(cgroup);
  try {
    signalAll(cgroup, signal);
  } finally {
    if (canFreeze) await thaw(cgroup);
  }
}

/**
 * Kills every process of the group and of groups below, frozen ones as well. cgroup.kill (5.14) does it at once; else the group
 * is frozen, so that nobody forks, killed, and thawed to die. They are gone a moment later: `removeCgroup` waits for it.
 */
export async function killCgroup(cgroup: Cgroup): Promise<void> {
  if (!cgroup.directories.some((directory) => existsSync(directory))) return;
  const unified = unifiedDirectory(cgroup);
  if (unified !== undefined && tryKillFile(cgroup, unified)) return;
  const freezer = findFreezer(cgroup);
  if (freezer === undefined) return killUntilEmpty(cgroup);
  // A failed freeze must not keep us from killing.
  await freeze(cgroup).catch(() => undefined);
  signalAll(cgroup, 9);
  await thaw(cgroup);
}

function tryKillFile(cgroup: Cgroup, directory: string): boolean {
  try {
    writeControl(directory, "cgroup.kill", "1");
    return true;
  } catch (error) {
    if (["ENOENT", "EOPNOTSUPP", "ENODEV"].includes(errnoName(error) ?? "")) return false;
    throw new DevboxError("CGROUP_FAILED", {
      step: `kill the processes of the control group ${cgroup.path}`,
      cause: error,
    });
  }
}

/** Without a freezer a fork may escape one round: rounds go on until nobody is left. */
async function killUntilEmpty(cgroup: Cgroup): Promise<void> {
  const isEmpty = () => {
    signalAll(cgroup, 9);
    return cgroupPids(cgroup).length === 0;
  };
  const directory = cgroup.directories[0] ?? "/";
  await waitForControl(directory, undefined, isEmpty, freezeTimeoutMs);
}

function signalAll(cgroup: Cgroup, signal: number): void {
  for (const pid of cgroupPids(cgroup)) {
    try {
      process.kill(pid, signal);
    } catch (error) {
      if (errnoName(error) === "ESRCH") continue;
      throw new DevboxError("CGROUP_FAILED", {
        step: `signal process ${pid} of the control group ${cgroup.path}`,
        cause: error,
      });
    }
  }
}
