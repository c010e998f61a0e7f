/** cgroup v2 delegation (cgroups(7)): without it boxes run, but their memory and processors cannot be limited. */
import { accessSync, constants } from "node:fs";
import type { Finding, Probe, ProbeInput } from "../finding.ts";

const root = "/sys/fs/cgroup";
const useful = ["cpu", "memory", "pids", "io"];

export const probeCgroup: Probe = async (input) => [judgeCgroup(readDelegation(input))];

export type Delegation =
  /** No cgroup v2 here: the hierarchy is v1 or mixed. */
  | { readonly kind: "v1" }
  /** The controllers of our cgroup, and whether we may make children of it. */
  | { readonly kind: "v2"; readonly path: string; readonly controllers: readonly string[]; readonly writable: boolean };

function readDelegation({ readText }: ProbeInput): Delegation {
  // cgroup.controllers stands at the root of v2 only; in a mixed set-up v2 lies below it, without controllers.
  if (readText(`${root}/cgroup.controllers`) === undefined) return { kind: "v1" };
  const own = /^0::(.*)$/m.exec(readText("/proc/self/cgroup") ?? "")?.[1] ?? "/";
  const path = `${root}${own === "/" ? "" : own}`;
  const controllers = (readText(`${path}/cgroup.controllers`) ?? "").trim().split(/\s+/).filter(Boolean);
  return { kind: "v2", path, controllers, writable: isWritable(`${path}/cgroup.procs`) && isWritable(path) };
}

function isWritable(path: string): boolean {
  try {
    accessSync(path, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

export function judgeCgroup(delegation: Delegation): Finding {
  const name = "cgroup delegation";
  if (delegation.kind === "v1") {
    const detail = "the host uses cgroup v1: boxes cannot be limited in memory and processors";
    return { name, status: "warn", detail, fix: "boot with systemd.unified_cgroup_hierarchy=1" };
  }
  const { path, controllers, writable } = delegation;
  const missing = useful.filter((controller) => !controllers.includes(controller));
  if (writable && missing.length === 0) return { name, status: "ok", detail: `${path}: ${controllers.join(" ")}` };
  const why = writable ? `without ${missing.join(", ")}` : "not ours to divide";
  return {
    name,
    status: "warn",
    detail: `${path}: ${why}; boxes cannot be limited in memory and processors`,
    fix:
      "sudo mkdir -p /etc/systemd/system/user@.service.d && " +
      "printf '[Service]\\nDelegate=cpu cpuset io memory pids\\n' | " +
      "sudo tee /etc/systemd/system/user@.service.d/delegate.conf && sudo systemctl daemon-reload; then log in again",
  };
}
