/** Rows of "linux.resources" and "linux.cgroupsPath", where control groups are those of version 1 (cgroups(7)). */
import type { LinuxResources } from "../../../src/oci/runtime.ts";
import type { Config } from "../oci-runtime.ts";
import { type Row, type Seen, withoutNamespace } from "./row.ts";

/** An ordinary user to whom no group was delegated. */
const mayNot: Seen = { refused: /control group/ };
const MiB = 2 ** 20;

const set = (resources: LinuxResources | Config) => (config: Config) => (config.linux.resources = resources);

/** Properties of one object of resources, and what the files of its controller then have, in this order. */
function limits(
  controller: string,
  key: keyof LinuxResources,
  cases: Readonly<Record<string, readonly [value: unknown, file: string, seen: string | RegExp]>>,
): readonly Row[] {
  return Object.entries(cases).map(([name, [value, file, seen]]) => ({
    of: ["linux.resources", `linux.resources.${key}`, `linux.resources.${key}.${name}`],
    change: set({ [key]: { [name]: value } }),
    script: `cat /sys/fs/cgroup/${controller}/${file}`,
    sees: { root: seen, user: mayNot },
  }));
}

/** What this kernel has no controller for, or no such file of: said by its place. */
function missing(of: string | readonly string[], resources: Config, place: RegExp, user: Seen = mayNot): Row {
  return { of, change: set(resources), sees: { root: { refused: place }, user } };
}

/** What version 2 has nothing of is passed over there, as by runc: an ordinary user has to do with that alone. */
const passedOver = "it came up";

const throttled = (
  ["throttleReadBpsDevice", "throttleWriteBpsDevice", "throttleReadIOPSDevice", "throttleWriteIOPSDevice"] as const
).map((key): Row => {
  const file = {
    throttleReadBpsDevice: "read_bps",
    throttleWriteBpsDevice: "write_bps",
    throttleReadIOPSDevice: "read_iops",
    throttleWriteIOPSDevice: "write_iops",
  }[key];
  return {
    of: [
      "linux.resources.blockIO",
      `linux.resources.blockIO.${key}`,
      ...["major", "minor", "rate"].map((part) => `linux.resources.blockIO.${key}[].${part}`),
    ],
    change: set({ blockIO: { [key]: [{ major: 7, minor: 0, rate: 123_456 }] } }),
    script: `cat /sys/fs/cgroup/blkio/blkio.throttle.${file}_device`,
    sees: { root: "7:0 123456", user: mayNot },
  };
});

const rule = (part: string): string => `linux.resources.devices[].${part}`;

export const resourceRows: readonly Row[] = [
  {
    of: "linux.cgroupsPath",
    change(config, { id }) {
      // So that the box sees where its group is.
      withoutNamespace(config, "cgroup");
      config.linux.cgroupsPath = `/table-${id}`;
    },
    script: "grep -o ':memory:.*$\\|:pids:.*$' /proc/self/cgroup | cut -d: -f3 | sort -u",
    sees: { root: ({ id }) => `/table-${id}`, user: /^(?!.*table-)/ },
  },
  {
    of: "linux.cgroupsPath",
    word: "..",
    change: (config) => (config.linux.cgroupsPath = "/a/../b"),
    sees: { refused: /linux\.cgroupsPath: expected a path without "\.\."/ },
  },
  {
    of: ["linux.resources.devices", ...["allow", "type", "major", "minor", "access"].map(rule)],
    change(config) {
      for (const name of Object.keys(config.process.capabilities)) config.process.capabilities[name].push("CAP_MKNOD");
      config.linux.resources = {
        devices: [
          { allow: false, access: "rwm" },
          { allow: true, type: "c", major: 1, minor: 11, access: "w" },
        ],
      };
    },
    script:
      "mknod /tmp/k c 1 11 2>/dev/null || { echo none made; exit; }; (: < /tmp/k) 2>&1; : > /tmp/k && echo may write",
    sees: { root: "sh: can't open /tmp/k: Operation not permitted\nmay write", user: "none made" },
  },
  ...limits("memory", "memory", {
    limit: [64 * MiB, "memory.limit_in_bytes", String(64 * MiB)],
    reservation: [32 * MiB, "memory.soft_limit_in_bytes", String(32 * MiB)],
    swappiness: [33, "memory.swappiness", "33"],
    disableOOMKiller: [true, "memory.oom_control", /^oom_kill_disable 1/],
  }),
  // What an ordinary user is not refused is what version 2, which it has to do with, has no limit of.
  ...(
    [
      ["kernel", 64 * MiB, "kmem.limit_in_bytes", /^(?:67108864|9223372036854771712)$/],
      ["kernelTCP", 16 * MiB, "kmem.tcp.limit_in_bytes", String(16 * MiB)],
      ["useHierarchy", true, "use_hierarchy", "1"],
      ["checkBeforeUpdate", true, "use_hierarchy", "1"],
    ] as const
  ).map(
    ([key, value, file, seen]): Row => ({
      of: `linux.resources.memory.${key}`,
      change: set({ memory: { [key]: value } }),
      script: `cat /sys/fs/cgroup/memory/memory.${file} 2>/dev/null || echo passed over`,
      sees: { root: seen, user: "passed over" },
    }),
  ),
  {
    of: "linux.resources.memory.swap",
    change: set({ memory: { limit: 64 * MiB, swap: 96 * MiB } }),
    script: "cat /sys/fs/cgroup/memory/memory.memsw.limit_in_bytes",
    sees: { root: String(96 * MiB), user: mayNot },
  },
  ...limits("cpu", "cpu", {
    shares: [512, "cpu.shares", "512"],
    quota: [50_000, "cpu.cfs_quota_us", "50000"],
    period: [200_000, "cpu.cfs_period_us", "200000"],
    idle: [1, "cpu.idle", "1"],
    realtimePeriod: [500_000, "cpu.rt_period_us", "500000"],
    realtimeRuntime: [1000, "cpu.rt_runtime_us", "1000"],
  }),
  {
    of: "linux.resources.cpu.burst",
    change: set({ cpu: { quota: 50_000, burst: 1000 } }),
    script: "cat /sys/fs/cgroup/cpu/cpu.cfs_burst_us",
    sees: { root: "1000", user: mayNot },
  },
  ...limits("cpuset", "cpu", { cpus: ["0", "cpuset.cpus", "0"], mems: ["0", "cpuset.mems", "0"] }),
  ...limits("pids", "pids", { limit: [44, "pids.max", "44"] }),
  ...throttled,
  ...limits("blkio", "blockIO", { weight: [123, "blkio*.weight", "123"] }),
  missing("linux.resources.blockIO.leafWeight", { blockIO: { leafWeight: 100 } }, /blockIO\.leafWeight/),
  missing(
    [
      "weightDevice",
      "weightDevice[].major",
      "weightDevice[].minor",
      "weightDevice[].weight",
      "weightDevice[].leafWeight",
    ].map((part) => `linux.resources.blockIO.${part}`),
    { blockIO: { weightDevice: [{ major: 7, minor: 0, weight: 100, leafWeight: 100 }] } },
    /blockIO\.weightDevice\[0\]/,
  ),
  missing(
    [
      "linux.resources.hugepageLimits",
      "linux.resources.hugepageLimits[].pageSize",
      "linux.resources.hugepageLimits[].limit",
    ],
    { hugepageLimits: [{ pageSize: "2MB", limit: 2 * MiB }] },
    /hugetlb/,
  ),
  missing(
    ["linux.resources.network", "linux.resources.network.classID"],
    { network: { classID: 7 } },
    /net_cls/,
    passedOver,
  ),
  missing(
    [
      "linux.resources.network.priorities",
      "linux.resources.network.priorities[].name",
      "linux.resources.network.priorities[].priority",
    ],
    { network: { priorities: [{ name: "lo", priority: 7 }] } },
    /net_prio/,
    passedOver,
  ),
  missing(
    [
      "linux.resources.rdma",
      "linux.resources.rdma.*",
      "linux.resources.rdma.*.hcaHandles",
      "linux.resources.rdma.*.hcaObjects",
    ],
    { rdma: { mlx5_1: { hcaHandles: 3, hcaObjects: 10 } } },
    /rdma/,
  ),
  missing(["linux.resources.unified", "linux.resources.unified.*"], { unified: { "memory.high": "max" } }, /unified/),
];
