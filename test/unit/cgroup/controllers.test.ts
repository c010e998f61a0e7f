import { expect, test } from "bun:test";
import { neededControllers } from "../../../src/cgroup/controllers.ts";
import type { LinuxResources } from "../../../src/oci/runtime.ts";

test.each<[LinuxResources, readonly string[], readonly string[]]>([
  [{ memory: { limit: 1 } }, ["memory"], ["memory"]],
  [{ cpu: { shares: 2 } }, ["cpu"], ["cpu"]],
  [{ cpu: { cpus: "0" } }, ["cpuset"], ["cpuset"]],
  [{ pids: { limit: 5 } }, ["pids"], ["pids"]],
  [{ blockIO: { weight: 10 } }, ["blkio"], ["io"]],
  [{ blockIO: { throttleReadBpsDevice: [{ major: 1, minor: 1, rate: 1 }] } }, ["blkio"], ["io"]],
  [{ hugepageLimits: [{ pageSize: "2MB", limit: 1 }] }, ["hugetlb"], ["hugetlb"]],
  [{ rdma: { mlx: { hcaHandles: 1 } } }, ["rdma"], ["rdma"]],
  [{ network: { classID: 1 } }, ["net_cls"], []],
  [{ devices: [{ allow: false }] }, ["devices"], []],
  [{ unified: { "memory.high": "1", "cgroup.max.depth": "1" } }, ["memory"], ["memory"]],
  // What engines write for "nothing".
  [
    {
      memory: { limit: 0, disableOOMKiller: false },
      cpu: { shares: 0, cpus: "" },
      pids: { limit: 0 },
      blockIO: { weight: 0, weightDevice: [] },
    },
    [],
    [],
  ],
])("%j", (resources, v1, v2) => {
  expect(neededControllers(resources, 1)).toEqual(v1);
  expect(neededControllers(resources, 2)).toEqual(v2);
});
