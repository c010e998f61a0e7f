/** Resources put into effect: the planned writes, the check of memory before them, and the devices. */
import { DevboxError, errnoName } from "../core/errors.ts";
import type { LinuxResources, MemoryResources } from "../oci/runtime.ts";
import { directoryOf, requireControllers } from "./controllers.ts";
import { applyDeviceRules } from "./devices.ts";
import { readNumber, writeControl } from "./files.ts";
import { badResource, type ControlWrite, isGiven, type ResourcePlan } from "./plan.ts";
import { planV1 } from "./plan-v1.ts";
import { planV2 } from "./plan-v2.ts";
import type { Cgroup } from "./types.ts";

export interface ApplyOptions {
  /** Whether the caller may lack the right to restrict devices (BPF), which then is left out as runc does. */
  readonly rootless: boolean;
}

/** What has no effect on this version, and so was left out: lines for the log. */
export interface Applied {
  readonly ignored: readonly string[];
}

/**
 * Puts `resources` into effect; what they do not name stays as it is. `devices` that are there, an empty list as well, mean:
 * nothing but them and those of the specification. At the start of a container give an empty list rather than none.
 */
export function applyResources(cgroup: Cgroup, resources: LinuxResources, options: ApplyOptions): Applied {
  const plan = planResources(cgroup, resources);
  requireControllers(cgroup, { ...resources, devices: [] });
  if (cgroup.layout.version === 2) checkMemory(cgroup, resources.memory ?? {});
  const ignored = resources.devices === undefined ? [] : applyDeviceRules(cgroup, resources.devices, options.rootless);
  writeAll(cgroup, plan.writes);
  return { ignored: [...plan.ignored, ...ignored] };
}

/** What would be written; throws BAD_CONFIG for what this version does not have. */
function planResources({ layout }: Cgroup, resources: LinuxResources): ResourcePlan {
  return layout.version === 2 ? planV2(resources) : planV1(resources);
}

function writeAll(cgroup: Cgroup, writes: readonly ControlWrite[]): void {
  const postponed: ControlWrite[] = [];
  for (const write of writes) {
    if (!writeOne(cgroup, write, write.postponable === true)) postponed.push(write);
  }
  for (const write of postponed) writeOne(cgroup, write, false);
}

/** Whether it is done; false only if it may be postponed. */
function writeOne(cgroup: Cgroup, write: ControlWrite, mayPostpone: boolean): boolean {
  const directory = directoryOf(cgroup, write.controller);
  if (directory === undefined) {
    if (write.optional === true) return true;
    throw refused(write, `this machine has no controller ${write.controller}`);
  }
  try {
    writeControl(directory, write.file, write.text);
    return true;
  } catch (error) {
    const name = errnoName(error);
    if (mayPostpone && name === "EINVAL") return false;
    if (name !== "ENOENT") throw refused(write, error, directory);
  }
  const { instead } = write;
  if (instead !== undefined) return writeOne(cgroup, withoutAlternative(write, instead), mayPostpone);
  if (write.optional === true) return true;
  throw refused(write, "this kernel has no such file", directory);
}

function withoutAlternative(
  { instead: _, ...write }: ControlWrite,
  instead: NonNullable<ControlWrite["instead"]>,
): ControlWrite {
  return { ...write, ...instead };
}

/** Errors of the kernel that mean something else than their words. */
const meanings: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  EBUSY: { "memory.limit_in_bytes": "the processes use more than that, and it could not be reclaimed" },
  ENODEV: { "": "there is no such device" },
  ENXIO: { "": "there is no such device" },
};

function refused({ file, text, property }: ControlWrite, cause: unknown, directory?: string): DevboxError {
  const name = errnoName(cause) ?? "";
  const meaning = meanings[name]?.[file] ?? meanings[name]?.[""];
  const where = directory === undefined ? file : `${directory}/${file}`;
  return new DevboxError("CGROUP_FAILED", {
    step: `${property}: write ${JSON.stringify(text)} to ${where}`,
    ...(typeof cause === "string" ? { because: cause } : { cause }),
    ...(meaning === undefined ? {} : { because: `${meaning} (${name})` }),
  });
}

/**
 * `checkBeforeUpdate`: version 2 kills processes to get below a new limit, version 1 refuses it. Asked for, version 2 is made to
 * refuse as well.
 */
function checkMemory(cgroup: Cgroup, { checkBeforeUpdate, limit, swap }: MemoryResources): void {
  const directory = directoryOf(cgroup, "memory");
  if (checkBeforeUpdate !== true || directory === undefined) return;
  const usage = readNumber(directory, "memory.current");
  if (usage === undefined) return;
  for (const [name, value] of Object.entries({ limit, swap })) {
    if (!isGiven(value) || BigInt(value) < 0n || BigInt(value) > BigInt(usage)) continue;
    throw badResource(`linux.resources.memory.${name}`, `${value} bytes are not more than the ${usage} in use`);
  }
}
