import { describe, expect, test } from "bun:test";
import { blkioToIoWeight, planV2, sharesToWeight } from "../../../src/cgroup/plan-v2.ts";
import type { LinuxResources } from "../../../src/oci/runtime.ts";
import { failureOf } from "../../helpers/failure.ts";

/** `file: text`, in the order of writing. */
function writes(resources: LinuxResources): readonly string[] {
  return planV2(resources).writes.map(({ file, text }) => `${file}: ${text}`);
}

describe("memory", () => {
  test.each([
    [{ limit: 1000 }, ["memory.max: 1000"]],
    [{ limit: -1 }, ["memory.swap.max: max", "memory.max: max"]],
    [{ limit: 1000, swap: 3000 }, ["memory.swap.max: 2000", "memory.max: 1000"]],
    [{ limit: 1000, swap: 1000 }, ["memory.swap.max: 0", "memory.max: 1000"]],
    [{ limit: 1000, swap: -1 }, ["memory.swap.max: max", "memory.max: 1000"]],
    [{ limit: -1, swap: 3000 }, ["memory.swap.max: 3000", "memory.max: max"]],
    [{ reservation: 500 }, ["memory.low: 500"]],
    [{ reservation: -1 }, ["memory.low: max"]],
    [{ limit: 0, swap: 0, reservation: 0 }, []],
    [{ disableOOMKiller: false, useHierarchy: true }, []],
  ] as const)("%j", (memory, expected) => {
    expect(writes({ memory })).toEqual([...expected]);
  });

  test.each([
    [{ swap: 1000 }, "linux.resources.memory.swap"],
    [{ limit: 1000, swap: 999 }, "linux.resources.memory.swap"],
    [{ swappiness: 10 }, "linux.resources.memory.swappiness"],
    [{ disableOOMKiller: true }, "linux.resources.memory.disableOOMKiller"],
    [{ useHierarchy: false }, "linux.resources.memory.useHierarchy"],
  ])("%j is refused", (memory, place) => {
    const failure = failureOf(() => planV2({ memory }));
    expect(failure.code).toBe("BAD_CONFIG");
    expect(failure.step).toContain(place);
  });

  test("limits that no number holds exactly", () => {
    expect(writes({ memory: { limit: 2n ** 60n + 1n, swap: 2n ** 61n + 3n } })).toEqual([
      "memory.swap.max: 1152921504606846978",
      "memory.max: 1152921504606846977",
    ]);
  });

  test("what counts as memory anyway is said, not refused", () => {
    expect(planV2({ memory: { kernel: 1000, kernelTCP: -1 } })).toEqual({
      writes: [],
      ignored: [
        "linux.resources.memory.kernel: version 2 of control groups counts it in the limit of memory",
        "linux.resources.memory.kernelTCP: version 2 of control groups counts it in the limit of memory",
      ],
    });
  });
});

describe("cpu", () => {
  test.each([
    [{ shares: 1024 }, ["cpu.weight: 100"]],
    [{ quota: 50_000 }, ["cpu.max: 50000 100000"]],
    [{ quota: 50_000, period: 20_000 }, ["cpu.max: 50000 20000"]],
    [{ period: 20_000 }, ["cpu.max: max 20000"]],
    [{ quota: -1 }, ["cpu.max: max 100000"]],
    [{ quota: 50_000, burst: 10_000 }, ["cpu.max.burst: 10000", "cpu.max: 50000 100000"]],
    [{ burst: 0 }, ["cpu.max.burst: 0"]],
    [{ idle: 1, shares: 1024 }, ["cpu.idle: 1"]],
    [{ idle: 0, shares: 1024 }, ["cpu.idle: 0", "cpu.weight: 100"]],
    [{ cpus: "0-1", mems: "0" }, ["cpuset.cpus: 0-1", "cpuset.mems: 0"]],
    [{ shares: 0, quota: 0, period: 0, cpus: "", mems: "", realtimeRuntime: 0, realtimePeriod: 0 }, []],
  ])("%j", (cpu, expected) => {
    expect(writes({ cpu })).toEqual([...expected]);
  });

  test.each([{ realtimeRuntime: 1 }, { realtimePeriod: 1 }, { cpus: "0\n1" }, { mems: "all" }])(
    "%j is refused",
    (cpu) => {
      expect(failureOf(() => planV2({ cpu })).code).toBe("BAD_CONFIG");
    },
  );

  // 2000 and 22000 as runc 1.4 was seen to convert them (opencontainers/runc#4896, youki-dev/youki#3274).
  test.each([
    [1, 1],
    [2, 1],
    [3, 2],
    [1024, 100],
    [2000, 170],
    [22_000, 1204],
    [262_143, 10_000],
    [262_144, 10_000],
    [9_999_999, 10_000],
  ])("%d shares are weight %d", (shares, weight) => {
    expect(sharesToWeight(shares)).toBe(weight);
  });
});

describe("io", () => {
  test("weights, with the scheduler's file first, and limits", () => {
    const { writes: plan } = planV2({
      blockIO: {
        weight: 500,
        weightDevice: [{ major: 8, minor: 0, weight: 10 }],
        throttleReadBpsDevice: [{ major: 8, minor: 0, rate: 600 }],
        throttleWriteBpsDevice: [{ major: 8, minor: 0, rate: 2n ** 60n }],
        throttleReadIOPSDevice: [{ major: 8, minor: 16, rate: 0 }],
        throttleWriteIOPSDevice: [{ major: 8, minor: 16, rate: 300 }],
      },
    });
    expect(plan.map(({ file, text, instead }) => [file, text, instead?.file, instead?.text])).toEqual([
      ["io.bfq.weight", "500", "io.weight", "4950"],
      ["io.bfq.weight", "8:0 10", "io.weight", "8:0 1"],
      ["io.max", "8:0 rbps=600", undefined, undefined],
      ["io.max", `8:0 wbps=${2n ** 60n}`, undefined, undefined],
      ["io.max", "8:16 riops=max", undefined, undefined],
      ["io.max", "8:16 wiops=300", undefined, undefined],
    ]);
    expect(plan[3]?.property).toBe("linux.resources.blockIO.throttleWriteBpsDevice[0]");
  });

  test.each([
    [10, 1],
    [500, 4950],
    [1000, 10_000],
  ])("blkio weight %d is io weight %d", (weight, expected) => {
    expect(blkioToIoWeight(weight)).toBe(expected);
  });

  test("leaves have no weight", () => {
    expect(failureOf(() => planV2({ blockIO: { leafWeight: 10 } })).step).toContain("blockIO.leafWeight");
    const weightDevice = [{ major: 8, minor: 0, leafWeight: 10 }];
    expect(failureOf(() => planV2({ blockIO: { weightDevice } })).step).toContain("blockIO.weightDevice[0].leafWeight");
  });
});

test("pids, huge pages, rdma", () => {
  expect(
    writes({
      pids: { limit: 100 },
      hugepageLimits: [{ pageSize: "2MB", limit: 209_715_200 }],
      rdma: { mlx5_1: { hcaHandles: 3, hcaObjects: 10_000 }, mlx4_0: { hcaObjects: 1000 } },
    }),
  ).toEqual([
    "pids.max: 100",
    "hugetlb.2MB.max: 209715200",
    "hugetlb.2MB.rsvd.max: 209715200",
    "rdma.max: mlx5_1 hca_handle=3 hca_object=10000",
    "rdma.max: mlx4_0 hca_object=1000",
  ]);
  expect(writes({ pids: { limit: -1 } })).toEqual(["pids.max: max"]);
  expect(writes({ pids: { limit: 0 } })).toEqual([]);
});

test("unified: every line is a write, and empty texts are none", () => {
  const unified = {
    "memory.high": "1000",
    "io.max": "8:0 rbps=1\n8:16 rbps=2\n",
    "cpu.uclamp.min": "",
    "hugetlb.1GB.max": "0",
  };
  expect(writes({ unified })).toEqual([
    "memory.high: 1000",
    "io.max: 8:0 rbps=1",
    "io.max: 8:16 rbps=2",
    "hugetlb.1GB.max: 0",
  ]);
});

test.each([
  "../memory.max",
  "a/memory.max",
  "..",
  ".",
  "",
  "memory",
  "memory.max/../x",
  "memory.\n",
  "cgroup.procs",
  "cgroup.kill",
])("unified file %p is refused", (file) => {
  expect(failureOf(() => planV2({ unified: { [file]: "1" } })).code).toBe("BAD_CONFIG");
});

test.each([
  [{ hugepageLimits: [{ pageSize: "../../x", limit: 1 }] }, "linux.resources.hugepageLimits[0].pageSize"],
  [{ rdma: { "a b": { hcaHandles: 1 } } }, "linux.resources.rdma.a b"],
  [{ rdma: { mlx: {} } }, "linux.resources.rdma.mlx"],
  [{ network: { classID: 1 } }, "linux.resources.network"],
  [{ network: { priorities: [{ name: "eth0", priority: 1 }] } }, "linux.resources.network"],
])("%j is refused", (resources: LinuxResources, place) => {
  const failure = failureOf(() => planV2(resources));
  expect(failure.code).toBe("BAD_CONFIG");
  expect(failure.step).toContain(place);
});

test("what engines write for nothing is nothing", () => {
  expect(
    planV2({ memory: {}, cpu: { shares: 0 }, blockIO: { weight: 0 }, network: { classID: 0 }, devices: [] }),
  ).toEqual({
    writes: [],
    ignored: [],
  });
});
