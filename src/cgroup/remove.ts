/** Removing a control group with all groups in it, when its processes are gone. */
import { rmdirSync } from "node:fs";
import { DevboxError, errnoName } from "../core/errors.ts";
import { childGroups, readTable } from "./files.ts";
import { cgroupPids, unifiedDirectory } from "./processes.ts";
import type { Cgroup } from "./types.ts";
import { waitForControl } from "./watch.ts";

/** A killed process is gone when it has given back its memory and closed its files: seconds, with much of both. */
const removalTimeoutMs = 10_000;

/**
 * Removes the group from every tree; one that is gone already is no failure. Processes that are about to vanish are waited
 * for; such as are not make it fail, and nobody is killed here.
 */
export async function removeCgroup(cgroup: Cgroup): Promise<void> {
  const unified = unifiedDirectory(cgroup);
  if (unified !== undefined) {
    const isEmpty = () => readTable(unified, "cgroup.events")["populated"] !== 1;
    await waitForControl(unified, "cgroup.events", isEmpty, removalTimeoutMs);
  }
  const left = new Set(cgroup.directories);
  const removeAll = () => {
    for (const directory of left) if (tryRemove(directory)) left.delete(directory);
    return left.size === 0;
  };
  try {
    // Version 1 trees tell nobody when they are empty, and a version 2 group stays busy for a moment after it has told.
    const directory = cgroup.directories[0] ?? "/";
    if (await waitForControl(directory, undefined, removeAll, unified === undefined ? removalTimeoutMs : 1000)) return;
  } catch (error) {
    throw new DevboxError("CGROUP_FAILED", { step: `remove the control group ${cgroup.path}`, cause: error });
  }
  throw stillBusy(cgroup);
}

/** So long a process that is given up may take to end. */
const unusedTimeoutMs = 1000;

/** Removes it where nobody is in it: for a group that was about to be made, and may be somebody else's. */
export async function removeUnusedCgroup({ directories }: Cgroup): Promise<void> {
  const isGone = (directory: string): boolean => {
    try {
      return tryRmdir(directory);
    } catch {
      return true; // in a tree that is closed to us
    }
  };
  await waitForControl("/", undefined, () => directories.map(isGone).every(Boolean), unusedTimeoutMs);
}

function stillBusy(cgroup: Cgroup): DevboxError {
  const pids = cgroupPids(cgroup);
  const who =
    pids.length === 0 ? "something still uses it" : `it still has ${pids.length} processes (${pids.slice(0, 5)})`;
  return new DevboxError("CGROUP_FAILED", { step: `remove the control group ${cgroup.path}`, because: who });
}

/** Whether it is gone. Groups in it go first: the container's own, which may be many and deep. */
function tryRemove(directory: string): boolean {
  if (tryRmdir(directory)) return true;
  const groups = [directory];
  // The list grows while it is gone through; every group stands behind the one that it is in.
  for (const group of groups) groups.push(...childGroups(group));
  return groups.reverse().map(tryRmdir).every(Boolean);
}

/** EBUSY: it has processes, or groups in it. */
function tryRmdir(directory: string): boolean {
  try {
    rmdirSync(directory);
    return true;
  } catch (error) {
    const name = errnoName(error);
    if (name === "ENOENT") return true;
    if (name === "EBUSY" || name === "ENOTEMPTY") return false;
    throw error;
  }
}
