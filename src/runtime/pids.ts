/** The processes of a container, as the host counts. */
import { readdirSync, readlinkSync } from "node:fs";
import { cgroupPids } from "../cgroup/processes.ts";
import type { KnownContainer } from "./container.ts";

/** Those of its control group; without one, of its pid namespace; without that, its first process. In ascending order. */
export function containerPids({ record: { cgroup, init, config } }: KnownContainer): readonly number[] {
  if (cgroup !== undefined) return [...cgroupPids(cgroup)].sort((a, b) => a - b);
  if (init === undefined) return [];
  if (!config.linux.namespaces.some(({ type }) => type === "pid")) return [init.pid];
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
