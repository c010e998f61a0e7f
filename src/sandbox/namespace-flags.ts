/** The kinds of namespaces (namespaces(7)): their flags, and what stands in the links of /proc/PID/ns. */
import {
  CLONE_NEWCGROUP,
  CLONE_NEWIPC,
  CLONE_NEWNET,
  CLONE_NEWNS,
  CLONE_NEWPID,
  CLONE_NEWTIME,
  CLONE_NEWUSER,
  CLONE_NEWUTS,
} from "../../ffi/constants.ts";
import type { NamespaceType } from "../oci/runtime.ts";

/** Of clone(2), unshare(2) and setns(2). clone(2) cannot make a time namespace: its flag is part of the exit signal there. */
export const namespaceFlags: Readonly<Record<NamespaceType, number>> = {
  user: CLONE_NEWUSER,
  mount: CLONE_NEWNS,
  pid: CLONE_NEWPID,
  ipc: CLONE_NEWIPC,
  uts: CLONE_NEWUTS,
  network: CLONE_NEWNET,
  cgroup: CLONE_NEWCGROUP,
  time: CLONE_NEWTIME,
};

/** File names in /proc/PID/ns. */
export const namespaceFiles: Readonly<Record<NamespaceType, string>> = {
  user: "user",
  mount: "mnt",
  pid: "pid",
  ipc: "ipc",
  uts: "uts",
  network: "net",
  cgroup: "cgroup",
  time: "time",
};

/** The flags of several kinds in one number. */
export function flagsOf(types: readonly NamespaceType[]): number {
  return types.reduce((flags, type) => flags | namespaceFlags[type], 0);
}

/** What the links in /proc/PID/ns say, by kind: `user:[4026531837]`. A kind that the kernel does not have is left out. */
export type NamespaceLinks = Readonly<Partial<Record<NamespaceType, string>>>;

/** Which namespaces of `target` are others than `own`: those to be joined by a process that is to be where the target is. */
export function joinableNamespaces(own: NamespaceLinks, target: NamespaceLinks): NamespaceType[] {
  return namespaceTypes.filter((type) => target[type] !== undefined && target[type] !== own[type]);
}

export const namespaceTypes = Object.keys(namespaceFlags) as readonly NamespaceType[];
