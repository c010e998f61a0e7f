/** devbox oci with control groups of its own: for root, whom this machine lets make them. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { type OciRuntime, openOciRuntime } from "../helpers/oci-runtime.ts";
import { gone } from "../helpers/processes.ts";

const isRoot = process.getuid?.() === 0;

let oci: OciRuntime;
beforeAll(async () => {
  oci = await openOciRuntime();
});
afterAll(async () => {
  await oci[Symbol.asyncDispose]();
});

async function running(args: readonly string[], change?: Parameters<OciRuntime["bundle"]>[1]): Promise<string> {
  const [id, bundle] = [oci.id(), await oci.bundle(args, change)];
  await oci.ok(["create", "--bundle", bundle, id]);
  await oci.ok(["start", id]);
  return id;
}

describe.skipIf(!isRoot)("as root", () => {
  test("pause, resume, and what a paused container refuses", async () => {
    const id = await running(["sleep", "1000"]);
    await oci.ok(["pause", id]);
    expect((await oci.state(id)).status).toBe("paused");
    for (const words of [["pause"], ["start"], ["delete"]] as const) {
      expect((await oci.run([...words, id])).stderr).toMatch(/paused/);
    }
    expect((await oci.run(["exec", id, "true"])).stderr).toMatch(/cannot exec in a paused container/);
    await oci.ok(["resume", id]);
    expect((await oci.state(id)).status).toBe("running");
    expect(await oci.ok(["exec", id, "echo", "hi"])).toBe("hi\n");
  });

  test("a paused container is killed, and deleted by force", async () => {
    for (const words of [
      ["kill", "KILL"],
      ["kill", "--all", "KILL"],
      ["delete", "--force"],
    ] as const) {
      const id = await running(["sleep", "1000"]);
      const { pid } = await oci.state(id);
      await oci.ok(["pause", id]);
      const [command, ...rest] = words;
      const options = rest.filter((word) => word.startsWith("--"));
      await oci.ok([command, ...options, id, ...rest.filter((word) => !word.startsWith("--"))]);
      await gone([pid]);
    }
  });

  test("update changes the limits, and events shows them", async () => {
    const id = await running(["sleep", "1000"], (config) => (config.linux.resources.pids = { limit: 40 }));
    const limits = async () => JSON.parse(await oci.ok(["events", "--stats", id])).data;
    expect((await limits()).pids).toEqual({ current: 1, limit: 40 });
    await oci.ok(["update", "--pids-limit", "50", "--memory", "64m", id]);
    expect(await limits()).toMatchObject({ pids: { limit: 50 }, memory: { usage: { limit: 2 ** 26 } } });
    await oci.ok(["update", "--resources", "-", id], { stdin: '{"pids":{"limit":60}}' });
    expect((await limits()).pids.limit).toBe(60);
  });

  test("without a pid namespace, delete ends every process of the group", async () => {
    const id = await running(["sh", "-c", "sleep 1011 & sleep 1012 & sleep 1000"], (config) => {
      config.linux.namespaces = config.linux.namespaces.filter(({ type }: { type: string }) => type !== "pid");
      config.mounts = config.mounts.filter(({ type }: { type: string }) => type !== "proc");
      config.linux.maskedPaths = config.linux.readonlyPaths = [];
    });
    const pids: number[] = JSON.parse(await oci.ok(["ps", "--format", "json", id]));
    expect(pids.length).toBeGreaterThan(1);
    await oci.ok(["delete", "--force", id]);
    await gone(pids);
  });

  test("kill --all reaches every process", async () => {
    const id = await running(["sh", "-c", "trap '' USR1; sleep 1000 & wait"]);
    const before: number[] = JSON.parse(await oci.ok(["ps", "--format", "json", id]));
    await oci.ok(["kill", "--all", id, "KILL"]);
    await gone(before);
  });
});

describe("limits that cannot be had", () => {
  test.skipIf(isRoot)("are an error only where they were asked for", async () => {
    const id = oci.id();
    const bundle = await oci.bundle(["true"], (config) => (config.linux.resources = { pids: { limit: 10 } }));
    const limited = await oci.run(["create", "--bundle", bundle, id]);
    // Where a group was delegated to this user, it has its limit.
    if (limited.exitCode === 0) return;
    expect(limited.stderr).toMatch(/control group/);
    await oci.ok(["create", "--bundle", await oci.bundle(["true"]), id]);
  });

  test("with --cgroup-manager disabled", async () => {
    const disabled = ["--cgroup-manager", "disabled"];
    const [id, bundle] = [oci.id(), await oci.bundle(["true"])];
    const result = await oci.home.run(["oci", ...disabled, "--root", oci.root, "run", "--bundle", bundle, id]);
    expect(result).toMatchObject({ exitCode: 0, stderr: "" });
  });
});
