/** The trees of this machine and our own groups in them, read from /proc. */
import { readFileSync } from "node:fs";
import { findCgroupLayout, ownCgroups } from "./layout.ts";
import type { CgroupLayout, OwnCgroups } from "./types.ts";

export interface HostCgroups {
  readonly layout: CgroupLayout;
  readonly own: OwnCgroups;
}

/** undefined: no control groups are mounted. */
export function readHostCgroups(): HostCgroups | undefined {
  const layout = findCgroupLayout(readFileSync("/proc/self/mountinfo", "utf8"));
  return layout === undefined ? undefined : { layout, own: ownCgroups(readFileSync("/proc/self/cgroup", "utf8")) };
}
