import { expect, test } from "bun:test";
import { planV1 } from "../../../src/cgroup/plan-v1.ts";
import type { LinuxResources } from "../../../src/oci/runtime.ts";
import { failureOf } from "../../helpers/failure.ts";

/** `file: text`, in the order of writing. */
function writes(resources: LinuxResources): readonly string[] {
  return planV1(resources).writes.map(({ file, text }) => `${file}: ${text}`);
}

test.each([
  [{ limit: 1000, swap: 3000 }, ["memory.limit_in_bytes: 1000", "memory.memsw.limit_in_bytes: 3000"]],
  [{ limit: -1 }, ["memory.limit_in_bytes: -1", "memory.memsw.limit_in_bytes: -1"]],
  [{ swap: 3000 }, ["memory.memsw.limit_in_bytes: 3000"]],
  [{ reservation: 500, swappiness: 0 }, ["memory.soft_limit_in_bytes: 500", "memory.swappiness: 0"]],
  [{ kernel: 1, kernelTCP: 2 }, ["memory.kmem.limit_in_bytes: 1", "memory.kmem.tcp.limit_in_bytes: 2"]],
  [{ disableOOMKiller: true, useHierarchy: true }, ["memory.use_hierarchy: 1", "memory.oom_control: 1"]],
  [{ disableOOMKiller: false }, ["memory.oom_control: 0"]],
  [{ limit: 0, swap: 0 }, []],
])("memory %j", (memory, expected) => {
  expect(writes({ memory })).toEqual(expected);
});

test("limits of memory may be written in the other order", () => {
  const { writes: plan } = planV1({ memory: { limit: 1000, swap: 3000, reservation: 5 } });
  expect(plan.map(({ postponable }) => postponable ?? false)).toEqual([true, true, false]);
});

test("unlimited memory does without a file for swap, a limit for it does not", () => {
  expect(planV1({ memory: { limit: -1 } }).writes[1]?.optional).toBe(true);
  expect(planV1({ memory: { limit: 1, swap: 2 } }).writes[1]?.optional).toBe(false);
});

test.each([
  [{ shares: 1024 }, ["cpu.shares: 1024"]],
  [{ idle: 1, shares: 1024 }, ["cpu.idle: 1"]],
  [
    { quota: 50_000, period: 20_000, burst: 1000 },
    ["cpu.cfs_period_us: 20000", "cpu.cfs_burst_us: 1000", "cpu.cfs_quota_us: 50000"],
  ],
  [{ quota: -1 }, ["cpu.cfs_quota_us: -1"]],
  [{ realtimeRuntime: 950_000, realtimePeriod: 1_000_000 }, ["cpu.rt_period_us: 1000000", "cpu.rt_runtime_us: 950000"]],
  [{ cpus: "0", mems: "0-1" }, ["cpuset.cpus: 0", "cpuset.mems: 0-1"]],
])("cpu %j", (cpu, expected) => {
  expect(writes({ cpu })).toEqual(expected);
});

test("block devices", () => {
  const { writes: plan } = planV1({
    blockIO: {
      weight: 500,
      leafWeight: 10,
      weightDevice: [{ major: 8, minor: 0, weight: 400, leafWeight: 300 }],
      throttleReadBpsDevice: [{ major: 8, minor: 0, rate: 600 }],
      throttleWriteIOPSDevice: [{ major: 8, minor: 16, rate: 0 }],
    },
  });
  expect(plan.map(({ file, text, instead }) => [file, text, instead?.file])).toEqual([
    ["blkio.weight", "500", "blkio.bfq.weight"],
    ["blkio.leaf_weight", "10", undefined],
    ["blkio.weight_device", "8:0 400", "blkio.bfq.weight_device"],
    ["blkio.leaf_weight_device", "8:0 300", undefined],
    ["blkio.throttle.read_bps_device", "8:0 600", undefined],
    ["blkio.throttle.write_iops_device", "8:16 0", undefined],
  ]);
});

test("pids, network, huge pages, rdma", () => {
  expect(
    writes({
      pids: { limit: -1 },
      network: { classID: 1_048_577, priorities: [{ name: "eth0", priority: 500 }] },
      hugepageLimits: [{ pageSize: "1GB", limit: 0 }],
      rdma: { mlx: { hcaHandles: 0 } },
    }),
  ).toEqual([
    "pids.max: max",
    "hugetlb.1GB.limit_in_bytes: 0",
    "hugetlb.1GB.rsvd.limit_in_bytes: 0",
    "net_cls.classid: 1048577",
    "net_prio.ifpriomap: eth0 500",
    "rdma.max: mlx hca_handle=0",
  ]);
});

test.each([
  [{ unified: { "memory.high": "1" } }, 'linux.resources.unified["memory.high"]'],
  [{ network: { priorities: [{ name: "eth0 1\nlo", priority: 1 }] } }, "linux.resources.network.priorities[0].name"],
  [{ hugepageLimits: [{ pageSize: "2MB/../x", limit: 1 }] }, "linux.resources.hugepageLimits[0].pageSize"],
])("%j is refused", (resources: LinuxResources, place) => {
  const failure = failureOf(() => planV1(resources));
  expect(failure.code).toBe("BAD_CONFIG");
  expect(failure.step).toContain(place);
});
