/** An ordinary user in a subtree that is delegated to him, and the reasons why he cannot use others: version 2. */
import { describe, expect, test } from "bun:test";
import { mkdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { delegateCgroup } from "../../../src/cgroup/delegate.ts";
import { readHostCgroups } from "../../../src/cgroup/host.ts";
import type { Cgroup } from "../../../src/cgroup/types.ts";
import type { LinuxResources } from "../../../src/oci/runtime.ts";
import { enter, noCgroups, testCgroup } from "../../helpers/cgroup.ts";

const uid = 54_321;
const isV2 = readHostCgroups()?.layout.version === 2;
const program = join(import.meta.dir, "../../helpers/programs/rootless-cgroup.ts");

interface Attempt {
  readonly cgroupsPath: string;
  readonly resources?: LinuxResources;
}

/** What the program has to say, as `uid`, in the group `home`. */
async function asUser(home: Cgroup, attempt: Attempt): Promise<unknown> {
  const child = Bun.spawn([process.execPath, program, String(uid), JSON.stringify(attempt)], {
    env: { ...process.env },
    stdin: "pipe",
    stdout: "pipe",
    stderr: "inherit",
  });
  enter(home, child.pid);
  child.stdin.write("go\n");
  child.stdin.end();
  return JSON.parse(await new Response(child.stdout).text());
}

/** A group that belongs to the user, with one in it where his processes are: as systemd delegates. */
function delegated(cgroup: Cgroup): { readonly home: Cgroup; readonly path: string } {
  delegateCgroup(cgroup, uid);
  const [directory = ""] = cgroup.directories;
  mkdirSync(`${directory}/shell`);
  const home = { ...cgroup, path: `${cgroup.path}/shell`, directories: [`${directory}/shell`] };
  delegateCgroup(home, uid);
  return { home, path: cgroup.path };
}

describe.skipIf(noCgroups !== undefined || !isV2)("version 2", () => {
  test("delegating gives the group and the files that move processes, and no limits", async () => {
    await using group = testCgroup("chown");
    delegateCgroup(group.cgroup, uid);
    const [directory = ""] = group.cgroup.directories;
    expect(statSync(directory).uid).toBe(uid);
    for (const file of ["cgroup.procs", "cgroup.subtree_control"])
      expect(statSync(`${directory}/${file}`).uid).toBe(uid);
    expect(statSync(`${directory}/pids.max`).uid).toBe(0);
  });

  test("in it the user makes groups, limits, freezes, kills and removes", async () => {
    await using group = testCgroup("delegated");
    const { home, path } = delegated(group.cgroup);
    const resources = { memory: { limit: 2 ** 25 }, pids: { limit: 9 }, devices: [] };
    expect(await asUser(home, { cgroupsPath: "box", resources })).toEqual({
      path: `${path}/box`,
      limits: { "memory.max": String(2 ** 25), "pids.max": "9" },
      ignored: ["linux.resources.devices: this user cannot restrict devices"],
      frozen: true,
      ended: "SIGKILL",
      removed: true,
    });
  });

  test("elsewhere it is unavailable, with the reason", async () => {
    await using group = testCgroup("closed");
    const { home } = delegated(group.cgroup);
    expect(await asUser(home, { cgroupsPath: "/devbox-test-closed-elsewhere" })).toEqual({
      code: "CGROUP_UNAVAILABLE",
      message: "make the control group /devbox-test-closed-elsewhere: permission denied (EACCES)",
    });
  });

  test("a group that is his, but that he cannot reach from where he is, is unavailable, and left as it was", async () => {
    await using group = testCgroup("apart");
    await using outside = testCgroup("outside");
    const { path } = delegated(group.cgroup);
    expect(await asUser(outside.cgroup, { cgroupsPath: `${path}/box` })).toEqual({
      code: "CGROUP_UNAVAILABLE",
      message: `make the control group ${path}/box: permission denied (EACCES)`,
    });
    expect(() => statSync(`${group.cgroup.directories[0]}/box`)).toThrow();
  });

  test("controllers that were not handed down are missing only when they are needed", async () => {
    await using group = testCgroup("few");
    const { path, directories } = group.cgroup;
    const [directory = ""] = directories;
    mkdirSync(`${directory}/few`);
    writeFileSync(`${directory}/cgroup.subtree_control`, "+pids", { flag: "r+" });
    const few: Cgroup = { ...group.cgroup, path: `${path}/few`, directories: [`${directory}/few`] };
    const inside = delegated(few);
    expect(await asUser(inside.home, { cgroupsPath: "box", resources: { pids: { limit: 5 } } })).toMatchObject({
      path: `${path}/few/box`,
      limits: { "pids.max": "5" },
    });
    expect(await asUser(inside.home, { cgroupsPath: "box", resources: { memory: { limit: 2 ** 25 } } })).toEqual({
      code: "CGROUP_UNAVAILABLE",
      message: expect.stringContaining("the control group has no controller memory"),
    });
  });
});
