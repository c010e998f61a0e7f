/** Which trees of control groups this machine has, and where we are in them: pure, from two files of /proc. */
import type { CgroupLayout, OwnCgroups } from "./types.ts";

/** Names of version 1 controllers, as they stand among the mount options (cgroups(7) "Cgroups version 1 controllers"). */
const controllers: ReadonlySet<string> = new Set([
  "blkio",
  "cpu",
  "cpuacct",
  "cpuset",
  "devices",
  "freezer",
  "hugetlb",
  "memory",
  "misc",
  "net_cls",
  "net_prio",
  "perf_event",
  "pids",
  "rdma",
]);

interface MountLine {
  readonly root: string;
  readonly mount: string;
  readonly type: string;
  readonly options: readonly string[];
}

/** From the text of /proc/self/mountinfo (proc(5)); undefined: no control groups are mounted. */
export function findCgroupLayout(mountinfo: string): CgroupLayout | undefined {
  const lines = mountinfo.split("\n").flatMap(parseLine);
  const unified = preferred(lines.filter((line) => line.type === "cgroup2"));
  const mounts: Record<string, string> = {};
  for (const line of byPreference(lines.filter((each) => each.type === "cgroup"))) {
    for (const option of line.options) {
      if (controllers.has(option) || option.startsWith("name=")) mounts[option] ??= line.mount;
    }
  }
  const hasControllers = Object.keys(mounts).some((name) => controllers.has(name));
  if (unified !== undefined && (!hasControllers || unified.mount === "/sys/fs/cgroup")) {
    return { version: 2, mount: unified.mount, ...(unified.root === "/" ? {} : { root: unified.root }) };
  }
  return hasControllers ? { version: 1, mounts, unified: unified?.mount } : undefined;
}

/** `31 23 0:28 ROOT MOUNT OPTIONS [TAGS…] - TYPE SOURCE SUPER-OPTIONS` */
function parseLine(line: string): MountLine[] {
  const [before, after] = line.split(" - ", 2);
  if (before === undefined || after === undefined) return [];
  const [, , , root, mount] = before.split(" ");
  const [type, , options = ""] = after.split(" ");
  if (root === undefined || mount === undefined || (type !== "cgroup" && type !== "cgroup2")) return [];
  return [{ root: unescapeOctal(root), mount: unescapeOctal(mount), type, options: options.split(",") }];
}

/** Space, tab, newline and backslash are written as `\040` and the like (proc(5)). */
function unescapeOctal(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)));
}

/** Mounts at the usual place first: others are of containers' root file systems. */
function byPreference(lines: readonly MountLine[]): readonly MountLine[] {
  const isUsual = ({ mount }: MountLine) => mount === "/sys/fs/cgroup" || mount.startsWith("/sys/fs/cgroup/");
  return [...lines.filter(isUsual), ...lines.filter((line) => !isUsual(line))];
}

function preferred(lines: readonly MountLine[]): MountLine | undefined {
  return byPreference(lines)[0];
}

/** From the text of /proc/self/cgroup (cgroups(7)): `7:cpu,cpuacct:/path`, `0::/path`. */
export function ownCgroups(procSelfCgroup: string): OwnCgroups {
  const paths: Record<string, string> = {};
  let unified: string | undefined;
  for (const line of procSelfCgroup.split("\n")) {
    const [, hierarchy, list, path] = /^(\d+):([^:]*):(\/.*)$/.exec(line) ?? [];
    if (list === undefined || path === undefined) continue;
    if (hierarchy === "0" && list === "") unified = path;
    else for (const name of list.split(",")) paths[name] = path;
  }
  return { unified, controllers: paths };
}
