/** Resources in the trees of this machine: read back from the kernel, and felt by processes. */
import { describe, expect, test } from "bun:test";
import { applyResources } from "../../../src/cgroup/apply.ts";
import { missingControllers } from "../../../src/cgroup/controllers.ts";
import { readHostCgroups } from "../../../src/cgroup/host.ts";
import { watchOom } from "../../../src/cgroup/oom.ts";
import { killCgroup } from "../../../src/cgroup/processes.ts";
import type { Cgroup } from "../../../src/cgroup/types.ts";
import { oomKills, readUsage } from "../../../src/cgroup/usage.ts";
import type { LinuxResources } from "../../../src/oci/runtime.ts";
import { control, noCgroups, testCgroup } from "../../helpers/cgroup.ts";
import { failureOf } from "../../helpers/failure.ts";

const MiB = 2 ** 20;

function apply(cgroup: Cgroup, resources: LinuxResources) {
  return applyResources(cgroup, resources, { rootless: false });
}

// Version 2 is proved in a virtual machine: test/vm.
const isV1 = readHostCgroups()?.layout.version === 1;

describe.skipIf(noCgroups !== undefined || !isV1)("version 1, as root", () => {
  test.each<[LinuxResources, Readonly<Record<string, string>>]>([
    [
      { memory: { limit: 64 * MiB, swap: 128 * MiB, reservation: 32 * MiB, swappiness: 10, disableOOMKiller: true } },
      {
        "memory.limit_in_bytes": String(64 * MiB),
        "memory.memsw.limit_in_bytes": String(128 * MiB),
        "memory.soft_limit_in_bytes": String(32 * MiB),
        "memory.swappiness": "10",
      },
    ],
    [
      { cpu: { shares: 512, quota: 40_000, period: 50_000, burst: 10_000, cpus: "0", mems: "0" } },
      {
        "cpu.shares": "512",
        "cpu.cfs_quota_us": "40000",
        "cpu.cfs_period_us": "50000",
        "cpu.cfs_burst_us": "10000",
        "cpuset.cpus": "0",
        "cpuset.mems": "0",
      },
    ],
    [{ cpu: { idle: 1, shares: 512 } }, { "cpu.idle": "1" }],
    [{ pids: { limit: 12 } }, { "pids.max": "12" }],
    [{ pids: { limit: -1 } }, { "pids.max": "max" }],
  ])("%j", async (resources, expected) => {
    await using group = testCgroup("values");
    expect(apply(group.cgroup, resources)).toEqual({ ignored: [] });
    for (const [file, text] of Object.entries(expected))
      expect([file, control(group.cgroup, file)]).toEqual([file, text]);
  });

  test("limits go up and down, together and away", async () => {
    await using group = testCgroup("updates");
    const limits = () =>
      ["memory.limit_in_bytes", "memory.memsw.limit_in_bytes"].map((file) => Number(control(group.cgroup, file)));
    for (const [limit, swap] of [
      [64 * MiB, 128 * MiB],
      [256 * MiB, 512 * MiB],
      [32 * MiB, 64 * MiB],
    ] as const) {
      apply(group.cgroup, { memory: { limit, swap } });
      expect(limits()).toEqual([limit, swap]);
    }
    apply(group.cgroup, { memory: { limit: -1 } });
    for (const limit of limits()) expect(limit).toBeGreaterThan(2 ** 60);
  });

  test("a shorter period with a smaller quota, below a group with a quota", async () => {
    await using group = testCgroup("period");
    apply(group.cgroup, { cpu: { quota: 50_000, period: 100_000 } });
    // 50000 of 10000 would be five processors.
    apply(group.cgroup, { cpu: { quota: 5000, period: 10_000, burst: 4000 } });
    expect(control(group.cgroup, "cpu.cfs_quota_us")).toBe("5000");
    expect(control(group.cgroup, "cpu.cfs_period_us")).toBe("10000");
  });

  test("pids.limit stops forks", async () => {
    await using group = testCgroup("forks");
    apply(group.cgroup, { pids: { limit: 3 } });
    const child = await group.run("for i in 1 2 3 4 5 6; do sleep 1000 & done; echo forked");
    expect(await child.exited).not.toBe(0);
    // Those that were forked hold the other end of stderr.
    await killCgroup(group.cgroup);
    expect(await new Response(child.stderr).text()).toMatch(/fork/i);
    expect(readUsage(group.cgroup).pids.limit).toBe(3);
  });

  test("memory.limit kills who exceeds it, and it is told", async () => {
    await using group = testCgroup("oom");
    apply(group.cgroup, { memory: { limit: 16 * MiB, swap: 32 * MiB } });
    const { promise: told, resolve } = Promise.withResolvers<void>();
    using _watch = watchOom(group.cgroup, resolve);
    const child = await group.run("exec tail /dev/zero");
    await child.exited;
    expect(child.signalCode).toBe("SIGKILL");
    await told;
    expect(oomKills(group.cgroup)).toBe(1);
    const { memory } = readUsage(group.cgroup);
    expect(memory.limit).toBe(16 * MiB);
    expect(memory.max).toBeGreaterThan(15 * MiB);
    expect(memory.failures).toBeGreaterThan(0);
  });

  test("devices: read and write of what is not allowed fails, the default ones work", async () => {
    await using group = testCgroup("devices");
    apply(group.cgroup, { devices: [{ allow: false, access: "rwm" }] });
    const script =
      "echo x > /dev/null && head -c1 /dev/zero >/dev/null && echo default; head -c1 /dev/loop-control || mknod /tmp/x-$$ c 10 237 && head -c1 /tmp/x-$$; rm -f /tmp/x-$$";
    const child = await group.run(script);
    const [out, errors] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()]);
    expect(out).toBe("default\n");
    expect(errors).toContain("Operation not permitted");
  });

  test("devices are left alone when resources do not name them", async () => {
    await using group = testCgroup("no-devices");
    apply(group.cgroup, { pids: { limit: 10 } });
    expect(control(group.cgroup, "devices.list")).toBe("a *:* rwm");
    apply(group.cgroup, { devices: [{ allow: true, access: "rwm" }] });
    expect(control(group.cgroup, "devices.list")).toBe("a *:* rwm");
    apply(group.cgroup, { devices: [] });
    expect(control(group.cgroup, "devices.list").split("\n")).toContain("c 1:3 rwm");
  });

  test("what the kernel refuses is told with place, file, value and reason", async () => {
    await using group = testCgroup("refused");
    const failure = failureOf(() => apply(group.cgroup, { cpu: { cpus: "4000" } }));
    expect(failure.code).toBe("CGROUP_FAILED");
    expect(failure.step).toMatch(/^linux\.resources\.cpu\.cpus: write "4000" to \/.*\/cpuset\.cpus$/);
    expect(failure.because).toMatch(/\(E[A-Z]+\)/);
  });

  test("a missing controller is named, and a failure only when it is needed", async () => {
    await using group = testCgroup("missing");
    const resources: LinuxResources = { rdma: { mlx: { hcaHandles: 1 } }, pids: { limit: 3 } };
    expect(missingControllers(group.cgroup, { pids: { limit: 3 } })).toEqual([]);
    const missing = missingControllers(group.cgroup, resources);
    if (missing.length === 0) return;
    expect(missing).toEqual(["rdma"]);
    const failure = failureOf(() => apply(group.cgroup, resources));
    expect(failure.code).toBe("CGROUP_UNAVAILABLE");
    expect(failure.because).toContain("rdma");
    // Nothing was written before.
    expect(control(group.cgroup, "pids.max")).toBe("max");
  });

  test("usage counts processor time and memory", async () => {
    await using group = testCgroup("usage");
    const [memoryUser, processorUser] = [
      "text=$(head -c 4000000 /dev/zero | tr '\\0' x)",
      "i=0; while [ $i -lt 50000 ]; do i=$((i+1)); done",
    ];
    const child = await group.run(`${memoryUser}; ${processorUser}`);
    await child.exited;
    const { cpu, memory, pids } = readUsage(group.cgroup);
    expect(cpu.total).toBeGreaterThan(1_000_000);
    expect(cpu.perCpu?.reduce((sum, each) => sum + each, 0)).toBe(cpu.total);
    expect(memory.max).toBeGreaterThan(0);
    expect(pids).toEqual({ current: 0, limit: undefined });
  });
});
