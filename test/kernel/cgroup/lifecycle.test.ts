/** Groups from being made to being removed, in the trees of this machine, with real processes in them. */
import { describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { userInfo } from "node:os";
import { createCgroup } from "../../../src/cgroup/create.ts";
import { type HostCgroups, readHostCgroups } from "../../../src/cgroup/host.ts";
import { cgroupPids, freeze, isFrozen, killCgroup, signalCgroup, thaw } from "../../../src/cgroup/processes.ts";
import { removeCgroup } from "../../../src/cgroup/remove.ts";
import type { Cgroup } from "../../../src/cgroup/types.ts";
import { enter, noCgroups, testCgroup } from "../../helpers/cgroup.ts";
import { failureOf } from "../../helpers/failure.ts";

const host: HostCgroups | undefined = readHostCgroups();

function make(path: string): Cgroup {
  if (host === undefined) throw new Error("no control groups are mounted");
  const creation = createCgroup({ ...host, path, rootless: false });
  if (creation.kind === "unavailable") throw creation.error;
  return creation.cgroup;
}

/** The same group without its version 2 tree: as on machines that have none. */
function withoutUnified({ layout, directories, path }: Cgroup): Cgroup {
  if (layout.version === 2) throw new Error("version 2");
  const directory = `${layout.unified}${path}`;
  return {
    layout: { ...layout, unified: undefined },
    path,
    directories: directories.filter((each) => each !== directory),
  };
}

const isV1 = host?.layout.version === 1;

describe.skipIf(noCgroups !== undefined)("as root", () => {
  test("a directory in every tree, and none after removal", async () => {
    const name = `/devbox-test-make-${process.pid}`;
    const cgroup = make(`${name}/inner`);
    expect(cgroup.directories.length).toBeGreaterThan(0);
    for (const directory of cgroup.directories) expect(existsSync(directory)).toBe(true);
    await removeCgroup(cgroup);
    for (const directory of cgroup.directories) expect(existsSync(directory)).toBe(false);
    // What was made above it stays, and is removed here.
    await removeCgroup({
      ...cgroup,
      path: name,
      directories: cgroup.directories.map((each) => each.replace(/\/inner$/, "")),
    });
    // Removing what is gone is no failure.
    await removeCgroup(cgroup);
  });

  test.skipIf(!isV1)("a new version 1 cpuset takes processes: it has processors and memory", async () => {
    await using group = testCgroup("inherit");
    const directory = group.cgroup.directories.find((each) => each.includes("/cpuset/")) ?? "";
    expect(readFileSync(`${directory}/cpuset.cpus`, "utf8").trim()).not.toBe("");
    expect(readFileSync(`${directory}/cpuset.mems`, "utf8").trim()).not.toBe("");
  });

  test("processes are found, also in groups below, and signalled all", async () => {
    await using group = testCgroup("pids");
    const child = await group.run("trap 'exit 7' TERM; while :; do sleep 100 & wait; done");
    const below = `${group.cgroup.directories.at(-1)}/below`;
    mkdirSync(below);
    const other = Bun.spawn(["sleep", "1000"]);
    enter({ ...group.cgroup, directories: [...group.cgroup.directories.slice(0, -1), below] }, other.pid);
    expect(cgroupPids(group.cgroup)).toContain(child.pid);
    expect(cgroupPids(group.cgroup)).toContain(other.pid);
    await signalCgroup(group.cgroup, 15);
    expect(await child.exited).toBe(7);
    await other.exited;
    expect(other.signalCode).toBe("SIGTERM");
  });

  for (const [name, variant] of [
    ["this machine's freezer", (cgroup: Cgroup) => cgroup],
    ["the version 1 freezer", withoutUnified],
  ] as const) {
    test.skipIf(variant === withoutUnified && !isV1)(
      `${name}: frozen processes stand still, thawed ones go on`,
      async () => {
        await using group = testCgroup("freeze");
        const cgroup = variant(group.cgroup);
        const child = await group.run("while :; do echo; done");
        // Its output flows as long as it runs; drained, nothing more comes.
        const reader = child.stdout.getReader();
        await reader.read();
        expect(isFrozen(cgroup)).toBe(false);
        await freeze(cgroup);
        expect(isFrozen(cgroup)).toBe(true);
        const before = processorTime(child.pid);
        await Bun.sleep(30);
        expect(processorTime(child.pid)).toBe(before);
        await thaw(cgroup);
        expect(isFrozen(cgroup)).toBe(false);
        while (processorTime(child.pid) === before) await reader.read();
        reader.releaseLock();
      },
    );

    test.skipIf(variant === withoutUnified && !isV1)(
      `${name}: killing reaches frozen processes and their children`,
      async () => {
        await using group = testCgroup("kill");
        const cgroup = variant(group.cgroup);
        const child = await group.run("trap '' TERM INT HUP; sleep 1000 & sleep 1000 & echo ready; wait");
        await child.stdout.getReader().read();
        await freeze(cgroup);
        await killCgroup(cgroup);
        await thaw(cgroup);
        await child.exited;
        expect(child.signalCode).toBe("SIGKILL");
        await removeCgroup(group.cgroup);
        expect(cgroupPids(group.cgroup)).toEqual([]);
      },
    );
  }

  test("removal waits for processes that end meanwhile, and takes groups below with it", async () => {
    const cgroup = make(`/devbox-test-remove-${process.pid}`);
    for (const directory of cgroup.directories) mkdirSync(`${directory}/a/b/c`, { recursive: true });
    const child = Bun.spawn(["cat"], { stdin: "pipe", stdout: "ignore" });
    enter(cgroup, child.pid);
    const removed = removeCgroup(cgroup);
    child.stdin.end();
    await removed;
    for (const directory of cgroup.directories) expect(existsSync(directory)).toBe(false);
  });

  test("a group that is in use is refused, and left as it is", async () => {
    await using group = testCgroup("used");
    const child = await group.run("sleep 1000");
    const failure = failureOf(() => make(group.cgroup.path));
    expect(failure.code).toBe("CGROUP_FAILED");
    expect(failure.because).toContain(`is in use by process ${child.pid}`);
    expect(cgroupPids(group.cgroup)).toContain(child.pid);
  });

  test("a group that is there and empty is taken", async () => {
    await using group = testCgroup("empty");
    expect(make(group.cgroup.path).directories).toEqual(group.cgroup.directories);
  });

  test("a group that is there and frozen is refused", async () => {
    await using group = testCgroup("frozen");
    await freeze(group.cgroup);
    expect(failureOf(() => make(group.cgroup.path)).because).toContain("is there and frozen");
    await thaw(group.cgroup);
  });

  test("what was made is taken back when a tree refuses", () => {
    const name = `devbox-test-half-${process.pid}`;
    const mounts = { pids: "/sys/fs/cgroup/pids", broken: "/proc/self" };
    const layout = { version: 1 as const, mounts, unified: undefined };
    if (!isV1) return;
    const own = { unified: undefined, controllers: {} };
    expect(() => createCgroup({ layout, path: `/${name}`, own, rootless: false })).toThrow(
      `make the control group /${name}`,
    );
    expect(existsSync(`/sys/fs/cgroup/pids/${name}`)).toBe(false);
  });

  test.skipIf(host?.layout.version === 1 && host.layout.unified === undefined)(
    "a group in threaded mode is refused in words",
    () => {
      const mount = host?.layout.version === 1 ? (host.layout.unified ?? "") : (host?.layout.mount ?? "");
      const parent = `${mount}/devbox-test-threaded-${process.pid}`;
      mkdirSync(`${parent}/thread`, { recursive: true });
      try {
        writeFileSync(`${parent}/thread/cgroup.type`, "threaded", { flag: "r+" });
        const layout = { version: 2 as const, mount };
        const own = { unified: "/", controllers: {} };
        const path = `${parent.slice(mount.length)}/invalid`;
        const failure = failureOf(() => createCgroup({ layout, path, own, rootless: false }));
        expect(failure.code).toBe("CGROUP_FAILED");
        expect(failure.because).toContain("threaded mode");
        expect(existsSync(`${parent}/invalid`)).toBe(false);
      } finally {
        rmdirSync(`${parent}/thread`);
        rmdirSync(parent);
      }
    },
  );
});

test.skipIf(userInfo().uid === 0 || host === undefined)(
  "as an ordinary user without delegation: unavailable, with the reason",
  () => {
    if (host === undefined) return;
    const creation = createCgroup({ ...host, path: "/devbox-test-ordinary", rootless: true });
    if (creation.kind === "created") throw new Error("it was created");
    expect(creation.error.code).toBe("CGROUP_UNAVAILABLE");
    expect(creation.error.message).toMatch(/make the control group \/devbox-test-ordinary: .*(EACCES|EROFS|EPERM)/);
  },
);

/** Ticks of user and system time: fields 14 and 15 of /proc/PID/stat. */
function processorTime(pid: number): number {
  const [, fields = ""] = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ");
  const [user = 0, system = 0] = fields.split(" ").slice(11, 13).map(Number);
  return user + system;
}
