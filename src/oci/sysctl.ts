/** Names of kernel parameters (sysctl(8)), and which namespace each belongs to. */
import type { NamespaceType } from "./runtime.ts";

/** System V IPC (ipc_namespaces(7)). */
const ipcParameters: ReadonlySet<string> = new Set([
  "kernel.msgmax",
  "kernel.msgmnb",
  "kernel.msgmni",
  "kernel.sem",
  "kernel.shmall",
  "kernel.shmmax",
  "kernel.shmmni",
  "kernel.shm_rmid_forced",
]);

/**
 * The directories and the file below /proc/sys; undefined for what is no name. Both separators are taken; the first that is
 * found is it, and the other stands for a "." in a name: `net.ipv4.conf.eno2/100.rp_filter` (sysctl.d(5)).
 */
export function sysctlParts(name: string): readonly string[] | undefined {
  const separator = /[./]/.exec(name)?.[0] ?? ".";
  const other = separator === "." ? "/" : ".";
  const parts = name.split(separator).map((part) => part.replaceAll(other, "."));
  const isName = (part: string): boolean => /^(?!\.)[\w:@.-]+$/.test(part);
  return parts.every(isName) ? parts : undefined;
}

/** The type of the namespace that has the parameter; undefined: it is the whole machine's. */
export function sysctlNamespace(parts: readonly string[]): NamespaceType | undefined {
  const name = parts.join(".");
  if (parts[0] === "net") return "network";
  if ((parts[0] === "fs" && parts[1] === "mqueue") || ipcParameters.has(name)) return "ipc";
  return name === "kernel.domainname" || name === "kernel.hostname" ? "uts" : undefined;
}
