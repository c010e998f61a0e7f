/** Resources on a machine with version 2 alone, the virtual one of test/vm: read back from the kernel, and felt by processes. */
import { describe, expect, test } from "bun:test";
import { readFileSync, statSync } from "node:fs";
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

const isV2 = readHostCgroups()?.layout.version === 2;

describe.skipIf(noCgroups !== undefined || !isV2)("version 2, as root", () => {
  test.each<[LinuxResources, Readonly<Record<string, string>>]>([
    [
      { memory: { limit: 64 * MiB, swap: 96 * MiB, reservation: 32 * MiB } },
      { "memory.max": String(64 * MiB), "memory.swap.max": String(32 * MiB), "memory.low": String(32 * MiB) },
    ],
    [{ memory: { limit: -1 } }, { "memory.max": "max", "memory.swap.max": "max" }],
    [{ cpu: { shares: 1024 } }, { "cpu.weight": "100" }],
    [{ cpu: { shares: 2000 } }, { "cpu.weight": "170" }],
    [{ cpu: { quota: 40_000, period: 50_000, burst: 10_000 } }, { "cpu.max": "40000 50000", "cpu.max.burst": "10000" }],
    [{ cpu: { quota: -1 } }, { "cpu.max": "max 100000" }],
    [{ cpu: { idle: 1, shares: 512 } }, { "cpu.idle": "1", "cpu.weight": "0" }],
    [{ cpu: { cpus: "0", mems: "0" } }, { "cpuset.cpus": "0", "cpuset.cpus.effective": "0", "cpuset.mems": "0" }],
    [{ pids: { limit: 12 } }, { "pids.max": "12" }],
    [{ pids: { limit: -1 } }, { "pids.max": "max" }],
    [
      { hugepageLimits: [{ pageSize: "2MB", limit: 4 * MiB }] },
      { "hugetlb.2MB.max": String(4 * MiB), "hugetlb.2MB.rsvd.max": String(4 * MiB) },
    ],
    [{ unified: { "memory.high": "33554432", "pids.max": "7" } }, { "memory.high": "33554432", "pids.max": "7" }],
  ])("%j", async (resources, expected) => {
    await using group = testCgroup("values");
    expect(apply(group.cgroup, resources)).toEqual({ ignored: [] });
    for (const [file, text] of Object.entries(expected)) {
      expect([file, control(group.cgroup, file)]).toEqual([file, text]);
    }
  });

  test("limits go up and down, together and away", async () => {
    await using group = testCgroup("updates");
    for (const [limit, swap] of [
      [64 * MiB, 128 * MiB],
      [256 * MiB, 256 * MiB],
      [32 * MiB, 96 * MiB],
    ] as const) {
      apply(group.cgroup, { memory: { limit, swap } });
      expect(Number(control(group.cgroup, "memory.max"))).toBe(limit);
      expect(Number(control(group.cgroup, "memory.swap.max"))).toBe(swap - limit);
    }
  });

  test("burst and quota grow and shrink together, though burst may not exceed quota", async () => {
    await using group = testCgroup("burst");
    apply(group.cgroup, { cpu: { quota: 10_000, burst: 10_000 } });
    apply(group.cgroup, { cpu: { quota: 50_000, burst: 50_000 } });
    expect(control(group.cgroup, "cpu.max")).toBe("50000 100000");
    expect(control(group.cgroup, "cpu.max.burst")).toBe("50000");
    apply(group.cgroup, { cpu: { quota: 10_000, burst: 10_000 } });
    expect(control(group.cgroup, "cpu.max")).toBe("10000 100000");
    expect(control(group.cgroup, "cpu.max.burst")).toBe("10000");
  });

  test("memory.limit kills who exceeds it, and it is told", async () => {
    await using group = testCgroup("oom");
    apply(group.cgroup, { memory: { limit: 16 * MiB, swap: 16 * MiB } });
    const { promise: told, resolve } = Promise.withResolvers<void>();
    using _watch = watchOom(group.cgroup, resolve);
    const child = await group.run("exec tail /dev/zero");
    await child.exited;
    expect(child.signalCode).toBe("SIGKILL");
    await told;
    expect(oomKills(group.cgroup)).toBe(1);
    const { memory } = readUsage(group.cgroup);
    expect(memory.limit).toBe(16 * MiB);
    expect(memory.swapLimit).toBe(0);
    expect(memory.failures).toBeGreaterThan(0);
  });

  test("checkBeforeUpdate refuses a limit below what is in use, and nobody dies", async () => {
    await using group = testCgroup("check");
    // Pages of a file count for who has made them.
    const child = await group.run(
      "f=$(mktemp); exec 3<>$f; rm $f; head -c 8000000 /dev/zero >&3; echo ready; sleep 1000",
    );
    await child.stdout.getReader().read();
    const failure = failureOf(() => apply(group.cgroup, { memory: { limit: MiB, checkBeforeUpdate: true } }));
    expect(failure.code).toBe("BAD_CONFIG");
    expect(failure.message).toMatch(/linux\.resources\.memory\.limit: 1048576 bytes are not more than the \d+ in use/);
    expect(control(group.cgroup, "memory.max")).toBe("max");
    expect(child.exitCode).toBeNull();
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

  test("cpu.cpus: processes run on no others", async () => {
    await using group = testCgroup("cpus");
    apply(group.cgroup, { cpu: { cpus: "0" } });
    const child = await group.run("grep Cpus_allowed_list /proc/self/status");
    expect((await new Response(child.stdout).text()).split(/\s+/)[1]).toBe("0");
  });

  test("cpu.quota makes processes wait, and it is counted", async () => {
    await using group = testCgroup("quota");
    apply(group.cgroup, { cpu: { quota: 5000, period: 50_000 } });
    await group.run("while :; do :; done");
    // The time is counted when the wait is over.
    while (readUsage(group.cgroup).cpu.throttled === 0) await Bun.sleep(10);
    const { cpu } = readUsage(group.cgroup);
    expect(cpu.total).toBeGreaterThan(1_000_000);
    expect(cpu.throttledPeriods).toBeGreaterThan(0);
    expect(cpu.periods).toBeGreaterThanOrEqual(cpu.throttledPeriods);
  });

  // A device whose contents are nobody's: the virtual machine has one.
  const scratch = process.env["DEVBOX_TEST_SCRATCH_DEVICE"] ?? "";
  test.skipIf(scratch === "")("io: limits and weights of a device, and what went through it", async () => {
    await using group = testCgroup("io");
    const { rdev } = statSync(scratch);
    const device = { major: rdev >> 8, minor: rdev & 0xff };
    apply(group.cgroup, {
      blockIO: {
        weight: 500,
        throttleReadBpsDevice: [{ ...device, rate: 1000 * MiB }],
        throttleWriteIOPSDevice: [{ ...device, rate: 100_000 }],
      },
    });
    expect(control(group.cgroup, "io.max")).toBe(
      `${device.major}:${device.minor} rbps=${1000 * MiB} wbps=max riops=max wiops=100000`,
    );
    expect(control(group.cgroup, "io.weight")).toBe("default 4950");
    const child = await group.run(`dd if=/dev/zero of=${scratch} bs=1M count=4 conv=fsync`);
    await child.exited;
    const { io } = readUsage(group.cgroup);
    expect(io.writeBytes).toBe(4 * MiB);
    expect(io.writes).toBeGreaterThan(0);
    expect(io.devices.map(({ major, minor }) => ({ major, minor }))).toEqual([device]);
    apply(group.cgroup, {
      blockIO: {
        throttleReadBpsDevice: [{ ...device, rate: 0 }],
        throttleWriteIOPSDevice: [{ ...device, rate: 0 }],
      },
    });
    expect(control(group.cgroup, "io.max")).toBe("");
  });

  test("a device that is not there is named by its place", async () => {
    await using group = testCgroup("io-missing");
    const throttleReadBpsDevice = [{ major: 250, minor: 250, rate: 1 }];
    const failure = failureOf(() => apply(group.cgroup, { blockIO: { throttleReadBpsDevice } }));
    expect(failure.step).toContain("linux.resources.blockIO.throttleReadBpsDevice[0]: write");
    expect(failure.because).toBe("there is no such device (ENODEV)");
  });

  test("files of `unified` that are not there, and controllers that are not", async () => {
    await using group = testCgroup("unified");
    const failure = failureOf(() => apply(group.cgroup, { unified: { "memory.no_such_file": "1" } }));
    expect(failure.code).toBe("CGROUP_FAILED");
    expect(failure.step).toContain('linux.resources.unified["memory.no_such_file"]');
    expect(failure.because).toBe("this kernel has no such file");
    const other = failureOf(() => apply(group.cgroup, { unified: { "nonsense.max": "1" } }));
    expect(other.code).toBe("CGROUP_UNAVAILABLE");
    expect(other.because).toContain("has no controller nonsense");
  });

  test("every controller of the machine came down the path", async () => {
    await using group = testCgroup("controllers");
    const all = readFileSync("/sys/fs/cgroup/cgroup.controllers", "utf8").trim().split(" ");
    expect(all.length).toBeGreaterThan(4);
    expect(control(group.cgroup, "cgroup.controllers").split(" ")).toEqual(all);
    expect(missingControllers(group.cgroup, { memory: { limit: 1 }, rdma: { a: { hcaHandles: 1 } } })).toEqual([]);
  });
});
