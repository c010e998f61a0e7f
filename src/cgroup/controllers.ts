/** Controllers: handing them down the version 2 tree, which of them resources need, and which of those a group lacks. */
import { DevboxError, errnoName } from "../core/errors.ts";
import type { LinuxResources } from "../oci/runtime.ts";
import { readControl, readWords, writeControl } from "./files.ts";
import { dirname } from "./path.ts";
import type { Cgroup } from "./types.ts";

/**
 * Lets the groups in `directory` have every controller that it has itself (cgroup.subtree_control). What cannot be handed
 * down stays out, silently: only who needs it is to fail, and `requireControllers` says so then.
 */
export function enableControllers(directory: string): void {
  const handed = new Set(readWords(directory, "cgroup.subtree_control"));
  const missing = readWords(directory, "cgroup.controllers").filter((name) => !handed.has(name));
  if (missing.length === 0 || tryEnable(directory, missing)) return;
  // One that is refused (cpu, while processes with real-time scheduling are in the group) takes all with it.
  for (const name of missing) tryEnable(directory, [name]);
}

function tryEnable(directory: string, names: readonly string[]): boolean {
  try {
    writeControl(directory, "cgroup.subtree_control", names.map((name) => `+${name}`).join(" "));
    return true;
  } catch (error) {
    if (errnoName(error) === undefined) throw error;
    return false;
  }
}

type Version = 1 | 2;

/** The controllers without which `resources` have no effect, by the names of the version. */
export function neededControllers(resources: LinuxResources, version: Version): readonly string[] {
  const { memory = {}, cpu = {}, pids, blockIO = {}, hugepageLimits = [], network = {}, rdma = {} } = resources;
  const needed = new Set<string>();
  const need = (name: string, ...values: readonly unknown[]) => {
    if (values.some(isAsked)) needed.add(name);
  };
  need("memory", memory.limit, memory.reservation, memory.swap, memory.swappiness, memory.disableOOMKiller);
  need("cpu", cpu.shares, cpu.quota, cpu.period, cpu.burst, cpu.idle, cpu.realtimeRuntime, cpu.realtimePeriod);
  need("cpuset", cpu.cpus, cpu.mems);
  need("pids", pids?.limit);
  need(version === 2 ? "io" : "blkio", ...Object.values(blockIO));
  need("hugetlb", hugepageLimits);
  need("rdma", Object.keys(rdma));
  if (version === 1) {
    need("net_cls", network.classID);
    need("net_prio", network.priorities);
    need("devices", resources.devices);
  }
  for (const file of Object.keys(resources.unified ?? {})) {
    const [controller] = file.split(".");
    if (controller !== undefined && controller !== "" && controller !== "cgroup") needed.add(controller);
  }
  return [...needed];
}

/** 0, false, "" and empty lists are what engines write for "not given". */
function isAsked(value: unknown): boolean {
  if (Array.isArray(value)) return value.length > 0;
  return value !== undefined && value !== 0 && value !== 0n && value !== false && value !== "";
}

/** The controllers that `resources` need and the group does not have. */
export function missingControllers(cgroup: Cgroup, resources: LinuxResources): readonly string[] {
  const { layout, directories } = cgroup;
  const needed = neededControllers(resources, layout.version);
  if (layout.version === 2) {
    const there = new Set(directories.flatMap((directory) => readWords(directory, "cgroup.controllers")));
    return needed.filter((name) => !there.has(name));
  }
  return needed.filter((name) => directoryOf(cgroup, name) === undefined);
}

/** The group in the tree of a controller; undefined: there is none. */
export function directoryOf({ layout, directories, path }: Cgroup, controller: string): string | undefined {
  if (layout.version === 2) return directories[0];
  const mount = layout.mounts[controller];
  return mount === undefined ? undefined : directories.find((directory) => directory === `${mount}${path}`);
}

/** Throws CGROUP_UNAVAILABLE, with the reason, if `resources` need a controller that the group does not have. */
export function requireControllers(cgroup: Cgroup, resources: LinuxResources): void {
  const missing = missingControllers(cgroup, resources);
  if (missing.length === 0) return;
  const names = missing.join(", ");
  throw new DevboxError("CGROUP_UNAVAILABLE", {
    step: `limit the container's resources in ${cgroup.path}`,
    because: `the control group has no controller ${names}: ${whyMissing(cgroup, missing)}`,
  });
}

/** Where on the way down from the root the first of them got lost, and why. */
function whyMissing({ layout, path }: Cgroup, missing: readonly string[]): string {
  if (layout.version === 1) return "its tree is not mounted, or closed to this user";
  const parts = path.split("/").filter(Boolean);
  const groups = parts.map((_, index) => [layout.mount, ...parts.slice(0, index)].join("/"));
  for (const directory of groups) {
    const there = readWords(directory, "cgroup.controllers");
    if (missing.some((name) => !there.includes(name))) return `${directory} has it not`;
    const handed = readWords(directory, "cgroup.subtree_control");
    if (missing.every((name) => handed.includes(name))) continue;
    if (directory !== layout.mount && readControl(directory, "cgroup.procs") !== "") {
      return `${directory} has processes of its own and so cannot hand it down (cgroups(7) "no internal processes")`;
    }
    return `${directory} does not hand it down, and this user cannot change that`;
  }
  return `${dirname(groups.at(-1) ?? layout.mount)} does not hand it down`;
}
