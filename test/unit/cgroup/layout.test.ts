import { expect, test } from "bun:test";
import { findCgroupLayout, ownCgroups } from "../../../src/cgroup/layout.ts";

const v2 = "30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate,memory_recursiveprot";
const tmpfs = "31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw,mode=755";
const cpu = "32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw shared:9 - cgroup cgroup rw,cpu,cpuacct";
const memory = "35 31 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory,xattr,release_agent=/bin/x";
const systemd = "40 31 0:37 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,name=systemd";
const unified = "41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw";
const other = "22 1 0:20 / /proc rw - proc proc rw";

function layout(...lines: readonly string[]) {
  return findCgroupLayout(`${[other, ...lines].join("\n")}\n`);
}

test("version 2", () => {
  expect(layout(v2)).toEqual({ version: 2, mount: "/sys/fs/cgroup" });
});

test("version 1: controllers by mount, also two on one", () => {
  expect(layout(tmpfs, cpu, memory, systemd)).toEqual({
    version: 1,
    mounts: {
      cpu: "/sys/fs/cgroup/cpu,cpuacct",
      cpuacct: "/sys/fs/cgroup/cpu,cpuacct",
      memory: "/sys/fs/cgroup/memory",
      "name=systemd": "/sys/fs/cgroup/systemd",
    },
    unified: undefined,
  });
});

test("a version 2 tree beside version 1 ones", () => {
  expect(layout(tmpfs, memory, unified)).toEqual({
    version: 1,
    mounts: { memory: "/sys/fs/cgroup/memory" },
    unified: "/sys/fs/cgroup/unified",
  });
});

test("version 2 at the usual place is version 2, whatever is mounted elsewhere", () => {
  const netClassifier = "50 23 0:40 / /mnt/net_cls rw - cgroup cgroup rw,net_cls";
  expect(layout(netClassifier, v2)).toEqual({ version: 2, mount: "/sys/fs/cgroup" });
});

test("only a tree without controllers beside version 2 leaves version 2", () => {
  expect(layout(tmpfs, systemd, unified)).toEqual({ version: 2, mount: "/sys/fs/cgroup/unified" });
});

test("mounts in containers' root file systems do not count where there are usual ones", () => {
  const inContainer = "90 80 0:26 /box /var/lib/c1/rootfs/sys/fs/cgroup rw - cgroup2 cgroup2 rw";
  expect(layout(inContainer, v2)).toEqual({ version: 2, mount: "/sys/fs/cgroup" });
});

test("the part of the tree that is mounted, and escapes in names", () => {
  expect(layout("30 23 0:26 /docker/abc /sys/fs/cgroup rw - cgroup2 cgroup rw")).toEqual({
    version: 2,
    mount: "/sys/fs/cgroup",
    root: "/docker/abc",
  });
  expect(layout("30 23 0:26 / /mnt/a\\040b\\134c rw - cgroup2 cgroup rw")).toEqual({
    version: 2,
    mount: "/mnt/a b\\c",
  });
});

test.each(["", "garbage", "1 2 3 - cgroup2", "30 23 0:26 / /x rw cgroup2 cgroup rw"])("%p: none", (text) => {
  expect(findCgroupLayout(text)).toBeUndefined();
});

test("our own groups", () => {
  expect(ownCgroups("9:name=systemd:/a\n4:cpu,cpuacct:/b:c\n0::/user.slice/x y.scope\n")).toEqual({
    unified: "/user.slice/x y.scope",
    controllers: { "name=systemd": "/a", cpu: "/b:c", cpuacct: "/b:c" },
  });
  expect(ownCgroups("")).toEqual({ unified: undefined, controllers: {} });
});
