/** Words that start other OCI runtimes, to compare with. */
import { existsSync } from "node:fs";

/** crun works on no machine where cgroup versions 1 and 2 are mounted side by side: root shows it version 2 alone. */
const hybridCgroups = existsSync("/sys/fs/cgroup/unified");
const unified = 'umount -R /sys/fs/cgroup && mount -t cgroup2 none /sys/fs/cgroup && exec crun "$@"';

export const runtimes: Readonly<Record<"runc" | "crun", readonly string[]>> = {
  runc: ["runc"],
  crun: hybridCgroups ? ["unshare", "--mount", "sh", "-c", unified, "crun"] : ["crun"],
};

/** Without root, runc refuses supplementary groups, whatever the id map; and crun needs the mount above. */
export function isPossible(runtime: "runc" | "crun"): boolean {
  return process.geteuid?.() === 0 || (runtime === "crun" && !hybridCgroups);
}
