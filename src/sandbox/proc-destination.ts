/**
 * Destinations in /proc. What devbox itself writes there goes to a procfs that no mount of config.json can stand in for
 * (`openInProc`), so these rules are not what keeps a box in: they are runc's, so that no configuration works here that is
 * refused there (CVE-2019-16884: an image whose volume is /proc).
 */
import { PROC_SUPER_MAGIC } from "../../ffi/constants.ts";
import { EINVAL } from "../../ffi/errno.ts";
import { DevboxError } from "../core/errors.ts";
import type { RuntimeMount } from "../oci/runtime.ts";
import type { MountOptions } from "./mount-options.ts";
import { cleanInside, type RootPlan } from "./paths.ts";
import { continueIfEqual, jumpTo } from "./steps.ts";

/** Files that lxcfs and its kin show in the kernel's place. */
const replaceable: ReadonlySet<string> = new Set([
  ...["proc/cpuinfo", "proc/diskstats", "proc/loadavg", "proc/meminfo", "proc/net/dev", "proc/slabinfo", "proc/stat"],
  ...["proc/swaps", "proc/sys/crypto/fips_enabled", "proc/sys/kernel/ns_last_pid", "proc/uptime"],
]);

/** @throws DevboxError BAD_CONFIG for a destination in /proc where nothing may be mounted. */
export function requireDestination({ destination, type }: RuntimeMount, { bind, remount }: MountOptions): void {
  const path = cleanInside(destination);
  if (path !== "proc" && !path.startsWith("proc/")) return;
  if (remount || replaceable.has(path) || (path === "proc" && (bind || type === "proc"))) return;
  throw new DevboxError("BAD_CONFIG", {
    step: `mount on ${destination}`,
    because: path === "proc" ? "only a procfs may be mounted there" : "nothing may be mounted in /proc",
    hint: "choose another place in the box",
  });
}

/** Steps that fail unless the mount in `mount`, which is meant for /proc, is a procfs. */
export function requireProcfs({ plan, mount }: RootPlan, { destination }: RuntimeMount, label: string): void {
  if (cleanInside(destination) !== "proc") return;
  const [other, good] = [plan.mark("no procfs"), plan.mark("a procfs")];
  // struct statfs (statfs(2)): f_type comes first, 120 bytes in all.
  const status = plan.buffer(128);
  plan.syscall(label, "fstatfs", [mount, status]);
  continueIfEqual(plan, label, { data: status.data, offset: 0, value: PROC_SUPER_MAGIC }, other);
  jumpTo(plan, good);
  plan.here(other);
  plan.add({ kind: "fail", label: `${label}: only a procfs may be mounted there`, errno: EINVAL });
  plan.here(good);
}
