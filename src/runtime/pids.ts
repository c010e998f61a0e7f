/** The processes of a container, as the host counts. */
import { readdirSync, readlinkSync } from "node:fs";
import { cgroupPids } from "../cgroup/processes.ts";
import type { ParsedConfig } from "../oci/runtime.ts";
import type { KnownContainer } from "./container.ts";

/** Whether it has a pid namespace to itself: with its first process, all of it ends. One that it has joined is that of others, too. */
export function ownsPids({ linux }: Pick<ParsedConfig, "linux">): boolean {
  return linux.namespaces.some(({ type, path }) => type === "pid" && path === undefined);
}

/** Those of its control group; without one, of its own pid namespace; without that, its first process. In ascending order. */
export function containerPids({ record: { cgroup, init, config } }: KnownContainer): readonly number[] {
  if (cgroup !== undefined) return [...cgroupPids(cgroup)].sort((a, b) => a - b);
  if (init === undefined) return [];
  if (!ownsPids(config)) return [init.pid];
  const namespace = pidNamespace(init.pid);
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => namespace !== undefined && pidNamespace(pid) === namespace)
    .sort((a, b) => a - b);
}

/** undefined: the process has ended, or is not ours to look at (proc_pid_ns(5)). */
function pidNamespace(pid: number): string | undefined {
  try {
    return readlinkSync(`/proc/${pid}/ns/pid`);
  } catch {
    return undefined;
  }
}
