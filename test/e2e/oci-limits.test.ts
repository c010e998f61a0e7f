/** linux.resources of containers of `devbox oci`, where there are control groups to be had: of either version. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { findCgroupLayout, ownCgroups } from "../../src/cgroup/layout.ts";
import { noCgroups } from "../helpers/cgroup.ts";
import { type Config, type OciRuntime, openOciRuntime } from "../helpers/oci-runtime.ts";
import { processes } from "../helpers/processes.ts";

let oci: OciRuntime;
beforeAll(async () => {
  oci = await openOciRuntime();
});
afterAll(async () => {
  await oci[Symbol.asyncDispose]();
});

const MiB = 2 ** 20;

/** A running container whose control group is /ID. */
async function running(script: string, resources: Config): Promise<{ readonly id: string; readonly pid: number }> {
  const id = oci.id();
  const bundle = await oci.bundle(["sh", "-c", script], (config) => {
    config.linux.cgroupsPath = `/${id}`;
    config.linux.resources = resources;
  });
  await oci.ok(["create", "--bundle", bundle, id]);
  await oci.ok(["start", id]);
  const { pid } = await oci.state(id);
  return { id, pid };
}

const layout = findCgroupLayout(readFileSync("/proc/self/mountinfo", "utf8"));

/** The file of the process's group, in whichever tree has it. */
function control(pid: number, ...files: readonly string[]): string | undefined {
  const { unified, controllers } = ownCgroups(readFileSync(`/proc/${pid}/cgroup`, "utf8"));
  const directories =
    layout?.version === 1
      ? Object.entries(layout.mounts).map(([name, mount]) => `${mount}${controllers[name]}`)
      : [`${layout?.mount}${unified}`];
  const path = directories.flatMap((directory) => files.map((file) => `${directory}/${file}`)).find(existsSync);
  return path === undefined ? undefined : readFileSync(path, "utf8").trim();
}

describe.skipIf(noCgroups !== undefined)("as root", () => {
  test("limits are in effect, in the container's own group, until it is deleted", async () => {
    const { id, pid } = await running("sleep 1000", {
      memory: { limit: 64 * MiB },
      pids: { limit: 30 },
      cpu: { quota: 50_000, period: 100_000, shares: 2000, cpus: "0" },
    });
    const { unified, controllers } = ownCgroups(readFileSync(`/proc/${pid}/cgroup`, "utf8"));
    expect(new Set([...(unified === undefined ? [] : [unified]), ...Object.values(controllers)])).toEqual(
      new Set([`/${id}`]),
    );
    expect(control(pid, "memory.max", "memory.limit_in_bytes")).toBe(String(64 * MiB));
    expect(control(pid, "pids.max")).toBe("30");
    expect(control(pid, "cpu.max", "cpu.cfs_quota_us")).toMatch(/^50000/);
    expect(control(pid, "cpu.weight", "cpu.shares")).toBe(layout?.version === 2 ? "170" : "2000");
    expect(control(pid, "cpuset.cpus")).toBe("0");

    await oci.ok(["update", "--memory", String(96 * MiB), "--pids-limit", "40", id]);
    expect(control(pid, "memory.max", "memory.limit_in_bytes")).toBe(String(96 * MiB));
    expect(control(pid, "pids.max")).toBe("40");
    expect(control(pid, "cpu.max", "cpu.cfs_quota_us")).toMatch(/^50000/);

    const stats = JSON.parse(await oci.ok(["events", "--stats", id]));
    expect(stats.data.memory.usage.limit).toBe(96 * MiB);
    expect(stats.data.pids).toMatchObject({ current: 1, limit: 40 });

    await oci.ok(["delete", "--force", id]);
    const mounts = layout?.version === 1 ? Object.values(layout.mounts) : [layout?.mount ?? ""];
    expect(mounts.filter((mount) => existsSync(`${mount}/${id}`))).toEqual([]);
  });

  test("too much memory ends the container", async () => {
    const bundle = await oci.bundle(["sh", "-c", "exec tail /dev/zero"], (config) => {
      config.linux.resources = { memory: { limit: 16 * MiB, swap: 16 * MiB } };
    });
    expect((await oci.run(["run", "--bundle", bundle, oci.id()])).exitCode).toBe(137);
  });

  test("too many processes cannot be", async () => {
    const bundle = await oci.bundle(["sh", "-c", "for i in 1 2 3 4 5 6; do sleep 1000 & done; echo all"], (config) => {
      config.linux.resources = { pids: { limit: 4 } };
    });
    const result = await oci.run(["run", "--bundle", bundle, oci.id()]);
    expect(result.stdout).not.toContain("all");
    expect(result.stderr).toMatch(/fork/);
  });

  test("devices: nodes can be made and not used, but those that every container has", async () => {
    const script =
      "mknod /kmsg c 1 11 && echo made; head -c 1 /kmsg; echo x > /dev/null && head -c 1 /dev/zero | wc -c";
    const bundle = await oci.bundle(["sh", "-c", script], (config) => {
      for (const set of Object.keys(config.process.capabilities)) config.process.capabilities[set].push("CAP_MKNOD");
      config.linux.resources = { devices: [{ allow: false, access: "rwm" }] };
    });
    const result = await oci.run(["run", "--bundle", bundle, oci.id()]);
    expect(result.stdout.trim().split(/\s+/)).toEqual(["made", "1"]);
    expect(result.stderr).toMatch(/\/kmsg: Operation not permitted/);
  });

  test("a paused container stands still, and can be resumed or deleted", async () => {
    const { id, pid } = await running("while :; do :; done", { pids: { limit: 10 } });
    await oci.ok(["pause", id]);
    expect((await oci.state(id)).status).toBe("paused");
    const time = () => readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]?.split(" ").slice(11, 13).join();
    const before = time();
    await oci.ok(["state", id]);
    expect(time()).toBe(before);
    await oci.ok(["resume", id]);
    expect((await oci.state(id)).status).toBe("running");
    await oci.ok(["pause", id]);
    await oci.ok(["delete", "--force", id]);
    expect(processes().filter((process) => process.pid === pid)).toEqual([]);
  });

  test("what cannot be is refused by its place, and leaves no group behind", async () => {
    const id = oci.id();
    const bundle = await oci.bundle(["true"], (config) => {
      config.linux.cgroupsPath = `/${id}`;
      config.linux.resources = { cpu: { cpus: "4000" } };
    });
    const result = await oci.run(["create", "--bundle", bundle, id]);
    expect(result.exitCode).toBe(1);
    expect(result.stderr).toContain("linux.resources.cpu.cpus: write");
    const mounts = layout?.version === 1 ? Object.values(layout.mounts) : [layout?.mount ?? ""];
    expect(mounts.filter((mount) => existsSync(`${mount}/${id}`))).toEqual([]);
  });

  test.skipIf(layout?.version !== 2)(
    "a container that may write to its group owns it; a further process goes where its own are",
    async () => {
      const id = oci.id();
      const script = `
      cd /sys/fs/cgroup && mkdir init && echo 0 > init/cgroup.procs &&
      echo +pids > cgroup.subtree_control && echo divided > /tmp/said
      echo max > memory.max 2>/dev/null && echo freed >> /tmp/said
      exec sleep 1000
    `;
      const bundle = await oci.bundle(["sh", "-c", script], (config, directory) => {
        // Its root file system belongs to somebody else, who alone could make them.
        for (const name of ["proc", "dev", "sys", "tmp"]) mkdirSync(`${directory}/rootfs/${name}`, { recursive: true });
        config.linux.cgroupsPath = `/${id}`;
        config.linux.namespaces.push({ type: "user" });
        config.linux.uidMappings = [{ containerID: 0, hostID: 100_000, size: 1000 }];
        config.linux.gidMappings = [{ containerID: 0, hostID: 100_000, size: 1000 }];
        config.linux.resources = { memory: { limit: 64 * MiB } };
        const group = config.mounts.find(({ destination }: Config) => destination === "/sys/fs/cgroup");
        if (group === undefined)
          config.mounts.push({ destination: "/sys/fs/cgroup", type: "cgroup", source: "cgroup" });
        else group.options = ["nosuid", "noexec", "nodev"];
        config.mounts.push({ destination: "/tmp", type: "tmpfs", source: "tmpfs" });
      });
      await oci.ok(["create", "--bundle", bundle, id]);
      await oci.ok(["start", id]);
      const { pid } = await oci.state(id);
      while (!readFileSync(`/proc/${pid}/cmdline`, "utf8").startsWith("sleep")) await Bun.sleep(10);
      expect(await oci.ok(["exec", id, "cat", "/tmp/said"])).toBe("divided\n");
      expect(await oci.ok(["exec", id, "cat", "/proc/self/cgroup"])).toBe("0::/init\n");
      expect(readFileSync(`/proc/${pid}/cgroup`, "utf8")).toBe(`0::/${id}/init\n`);
      await oci.ok(["delete", "--force", id]);
      expect(existsSync(`${layout?.version === 2 ? layout.mount : ""}/${id}`)).toBe(false);
    },
  );
});
