/** Which devices the processes of a group may use: devices.allow and devices.deny on version 1, a BPF program on version 2. */
import { closeSync, constants, openSync } from "node:fs";
import {
  attachDeviceProgram,
  attachedDevicePrograms,
  detachDeviceProgram,
  loadDeviceProgram,
  openProgram,
} from "../../ffi/bpf.ts";
import { DevboxError, errnoName } from "../core/errors.ts";
import type { DeviceRule } from "../oci/runtime.ts";
import { directoryOf } from "./controllers.ts";
import { compileDeviceProgram } from "./device-program.ts";
import { deviceWrites, isAboutAll, type UniformRule, uniformRules } from "./device-rules.ts";
import { readControl, writeControl } from "./files.ts";
import { unifiedDirectory } from "./processes.ts";
import type { Cgroup } from "./types.ts";

/**
 * Allows the devices of `rules` and those that every container has, and no others. `rootless`: who may not restrict devices
 * leaves them alone, as runc does: such a user can make no nodes of devices, and use only those that are open to him anyway.
 * Returns what was left out, in words.
 */
export function applyDeviceRules(cgroup: Cgroup, rules: readonly DeviceRule[], rootless: boolean): readonly string[] {
  const uniform = uniformRules(rules);
  try {
    restrict(cgroup, uniform);
    return [];
  } catch (error) {
    const isForbidden = ["EPERM", "EACCES", "ENOENT"].includes(errnoName(error) ?? "");
    if (rootless && (isForbidden || (error instanceof DevboxError && error.code === "CGROUP_UNAVAILABLE"))) {
      return ["linux.resources.devices: this user cannot restrict devices"];
    }
    if (error instanceof DevboxError) throw error;
    throw new DevboxError("CGROUP_FAILED", { step: `restrict the devices of ${cgroup.path}`, cause: error });
  }
}

function restrict(cgroup: Cgroup, rules: readonly UniformRule[]): void {
  const directory = cgroup.layout.version === 1 ? directoryOf(cgroup, "devices") : undefined;
  if (directory !== undefined) {
    // Nothing to say: and who says it below a group that lacks devices is refused.
    if (allowsAll(rules) && readControl(directory, "devices.list") === "a *:* rwm") return;
    for (const { file, text, property } of deviceWrites(rules)) writeRule(directory, file, text, property);
    return;
  }
  // A version 1 machine without the devices controller may have a version 2 tree beside, and programs work there, too.
  const unified = unifiedDirectory(cgroup);
  if (unified === undefined) {
    const because = "this machine has neither the devices controller nor a version 2 tree";
    throw new DevboxError("CGROUP_UNAVAILABLE", { step: `restrict the devices of ${cgroup.path}`, because });
  }
  guard(unified, rules);
}

function writeRule(directory: string, file: string, text: string, property: string): void {
  try {
    writeControl(directory, file, text);
  } catch (error) {
    if (errnoName(error) !== "EPERM" || process.geteuid?.() !== 0) throw error;
    const step = `${property}: write ${JSON.stringify(text)} to ${directory}/${file}`;
    throw new DevboxError("CGROUP_FAILED", { step, because: "the group above does not have these devices (EPERM)" });
  }
}

/** Attaches the program in place of the one that is there: at no moment all devices are free. */
function guard(directory: string, rules: readonly UniformRule[]): void {
  const group = openSync(directory, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    const old = attachedDevicePrograms(group);
    if (old.length === 0 && allowsAll(rules)) return;
    withDescriptor(loadDeviceProgram(compileDeviceProgram(rules)), (program) => replacePrograms(group, program, old));
  } finally {
    closeSync(group);
  }
}

/** Whether nothing is denied: of all containers those that are privileged, where a program would only cost. */
function allowsAll(rules: readonly UniformRule[]): boolean {
  return rules.slice(rules.findLastIndex(isAboutAll)).every((rule) => rule.allow) && rules.some(isAboutAll);
}

function replacePrograms(group: number, program: number, old: readonly number[]): void {
  const [only] = old;
  if (old.length === 1 && only !== undefined) {
    const previous = openProgram(only);
    if (previous !== undefined) {
      const isReplaced = withDescriptor(previous, (fd) => attachDeviceProgram(group, program, fd));
      if (isReplaced) return;
    }
  }
  attachDeviceProgram(group, program);
  for (const id of old) {
    const previous = openProgram(id);
    if (previous !== undefined) withDescriptor(previous, (fd) => detachDeviceProgram(group, fd));
  }
}

function withDescriptor<T>(fd: number, use: (fd: number) => T): T {
  try {
    return use(fd);
  } finally {
    closeSync(fd);
  }
}
