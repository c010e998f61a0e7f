/** devbox oci when something goes wrong between two steps, or between two containers. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { readdirSync, readlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { devboxBinary } from "../helpers/given.ts";
import { type OciRuntime, openOciRuntime } from "../helpers/oci-runtime.ts";
import { gone, processes } from "../helpers/processes.ts";

let oci: OciRuntime;
beforeAll(async () => {
  oci = await openOciRuntime();
});
afterAll(async () => {
  await oci[Symbol.asyncDispose]();
});

const withCommand = (command: string): number[] =>
  processes().flatMap((process) => (process.command === command ? [process.pid] : []));

async function running(bundle: string): Promise<string> {
  const id = oci.id();
  await oci.ok(["create", "--bundle", bundle, id]);
  await oci.ok(["start", id]);
  return id;
}

/** Processes that have something of the containers' states open: an init process that waits has its FIFOs. */
function holders(): number[] {
  return processes().flatMap(({ pid }) => {
    try {
      const links = readdirSync(`/proc/${pid}/fd`).map((fd) => readlinkSync(`/proc/${pid}/fd/${fd}`));
      return links.some((link) => link.startsWith(oci.root)) ? [pid] : [];
    } catch {
      return []; // it has ended, or is not ours
    }
  });
}

test("a create that is killed, whenever that is, leaves nothing that delete --force does not find", async () => {
  const bundle = await oci.bundle(["sleep", "1000"]);
  // Whatever the moments fall on, the result is the same: from before the directory is made to when all is done.
  for (let moment = 0; moment < 20; moment++) {
    const id = oci.id();
    const words = ["oci", "--root", oci.root, "create", "--bundle", bundle, id];
    const create = Bun.spawn([devboxBinary(), ...words], { env: oci.home.env, stdio: ["ignore", "ignore", "ignore"] });
    await Bun.sleep(moment * 1.5);
    create.kill("SIGKILL");
    await create.exited;
    await oci.ok(["delete", "--force", id]);
    expect(String(Bun.spawnSync(["find", "/sys/fs/cgroup", "-maxdepth", "5", "-name", id]).stdout)).toBe("");
  }
  expect(readdirSync(oci.root)).toEqual([]);
  await gone(holders());
}, 30_000);

test("a start that was killed when it had given the sign: the container runs, and says so", async () => {
  const id = oci.id();
  await oci.ok(["create", "--bundle", await oci.bundle(["sleep", "1000"]), id]);
  expect((await oci.state(id)).status).toBe("created");
  writeFileSync(join(oci.root, id, "start"), "x");
  await oci.reaches(id, "running");
  expect((await oci.run(["start", id])).stderr).toContain("cannot start an already running container");
  await oci.ok(["delete", "--force", id]);
});

test("exec --detach with a pid file that cannot be written leaves no process", async () => {
  const id = await running(await oci.bundle(["sleep", "1000"]));
  const pidFile = join(oci.home.directory, "missing/exec.pid");
  const result = await oci.run(["exec", "--detach", "--pid-file", pidFile, id, "sleep", "1235"]);
  expect(result.exitCode).not.toBe(0);
  expect(result.stderr).toContain(`write ${pidFile}`);
  await gone(withCommand("sleep 1235"));
  await oci.ok(["delete", "--force", id]);
});

test("containers that share a pid namespace: one is signalled, the other lives on", async () => {
  const first = await running(await oci.bundle(["sleep", "1000"]));
  const { pid } = await oci.state(first);
  const bundle = await oci.bundle(["sleep", "1001"], ({ linux }) => {
    const joined = ["pid", "user"].map((type) => ({ type, path: `/proc/${pid}/ns/${type}` }));
    const has = (type: string): boolean =>
      linux.namespaces.some((namespace: { type: string }) => namespace.type === type);
    linux.namespaces = [
      ...linux.namespaces.filter(({ type }: { type: string }) => type !== "pid" && type !== "user"),
      ...joined.filter(({ type }) => has(type)),
    ];
    delete linux.uidMappings;
    delete linux.gidMappings;
  });
  // Without a control group, which would know who belongs to it.
  const second = oci.id();
  await oci.ok(["--cgroup-manager", "disabled", "create", "--bundle", bundle, second]);
  await oci.ok(["start", second]);
  const other = await oci.state(second);
  expect(JSON.parse(await oci.ok(["ps", "--format", "json", second]))).toEqual([other.pid]);
  await oci.ok(["kill", "--all", second, "KILL"]);
  await oci.reaches(second, "stopped");
  expect(await oci.state(first)).toMatchObject({ status: "running", pid });
  for (const id of [second, first]) await oci.ok(["delete", "--force", id]);
});
