/** Handing a group to the container's user: runtime-spec config-linux.md "Cgroup ownership". */
import { chownSync, readFileSync } from "node:fs";
import { DevboxError, errnoName } from "../core/errors.ts";
import { toHostId } from "../oci/id-map.ts";
import type { ParsedConfig } from "../oci/runtime.ts";
import type { Cgroup } from "./types.ts";

/**
 * Who is to own the group, as the host counts: the container's user, if it sees the group in a namespace of its own and may
 * write to it. undefined: nobody else than now.
 */
export function cgroupOwner({ linux, mounts, process }: ParsedConfig): number | undefined {
  const isNew = linux.namespaces.some(({ type, path }) => type === "cgroup" && path === undefined);
  const isWritable = mounts.some(
    ({ destination, source, type, options = [] }) =>
      destination.replace(/\/+$/, "") === "/sys/fs/cgroup" &&
      (source === "cgroup" || type === "cgroup") &&
      !options.includes("ro"),
  );
  const uid = process?.user.uid;
  if (!isNew || !isWritable || uid === undefined) return undefined;
  // Joined by path a user namespace has maps of its own; then nothing is changed.
  const user = linux.namespaces.find(({ type }) => type === "user");
  if (user === undefined) return uid;
  return user.path === undefined ? toHostId(linux.uidMappings ?? [], uid) : undefined;
}

/** For kernels that do not tell (before 4.15). */
const usualFiles = ["cgroup.procs", "cgroup.subtree_control", "cgroup.threads"];

/**
 * Gives the group, and the files in it that do not loosen its limits (/sys/kernel/cgroup/delegate), to `uid` of the host.
 * Version 1 groups stay as they are: handing them over is not safe.
 */
export function delegateCgroup(cgroup: Cgroup, uid: number): void {
  const [directory] = cgroup.directories;
  if (cgroup.layout.version === 1 || directory === undefined) return;
  try {
    chownSync(directory, uid, -1);
    for (const file of delegatedFiles()) chownIfThere(`${directory}/${file}`, uid);
  } catch (error) {
    throw new DevboxError("CGROUP_FAILED", {
      step: `give the control group ${cgroup.path} to user ${uid}`,
      cause: error,
    });
  }
}

function delegatedFiles(): readonly string[] {
  try {
    return readFileSync("/sys/kernel/cgroup/delegate", "utf8").split("\n").filter(Boolean);
  } catch {
    return usualFiles;
  }
}

function chownIfThere(path: string, uid: number): void {
  try {
    chownSync(path, uid, -1);
  } catch (error) {
    if (errnoName(error) !== "ENOENT") throw error;
  }
}
