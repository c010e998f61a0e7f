import { describe, expect, test } from "bun:test";
import { CLONE_NEWCGROUP, CLONE_NEWNS } from "../../../ffi/constants.ts";
import { explain } from "../../../src/launch/explain.ts";
import { beginPlan, type LaunchPlan } from "../../../src/launch/plan.ts";
import { type CloneRequest, cloneProcess, cloneWithUserNamespace, type MapWriter } from "../../../src/launch/userns.ts";
import type { IdMap } from "../../../src/oci/runtime.ts";

const helpers = { newuidmap: "/usr/bin/newuidmap", newgidmap: "/usr/bin/newgidmap", slirp4netns: undefined };
const user: MapWriter = { uid: 1000, gid: 100, helpers };
const root: MapWriter = { uid: 0, gid: 0, helpers: { ...helpers, newuidmap: undefined } };
const wide: IdMap = {
  uid: [
    { containerID: 0, hostID: 1000, size: 1 },
    { containerID: 1, hostID: 100_000, size: 65_535 },
  ],
  gid: [{ containerID: 0, hostID: 100_000, size: 65_536 }],
};
const one = (containerID: number): IdMap => ({
  uid: [{ containerID, hostID: 1000, size: 1 }],
  gid: [{ containerID, hostID: 100, size: 1 }],
});

/** The system calls of the plan, without numbers, marks and jumps. */
function callsOf(map: IdMap, host: MapWriter, more: Partial<CloneRequest> = {}): string[] {
  const plan = beginPlan("test");
  const slot = cloneWithUserNamespace(plan, { label: "clone", flags: CLONE_NEWNS, map, host, ...more }, () =>
    plan.syscall("be the child", "getpid", []),
  );
  plan.syscall("go on", "kill", [{ slot }, 0]);
  return callsOfPlan(plan.finish());
}

function callsOfPlan(plan: LaunchPlan): string[] {
  return explain(plan)
    .filter((line) => /\w\(/.test(line))
    .map((line) => line.replace(/^ *\d+ {2}/, "").replace(/; at 0 goes.*/, ""));
}

describe("who writes the maps", () => {
  test("an ordinary user: newuidmap and newgidmap, both started before either is waited for", () => {
    const calls = callsOf(wide, user);
    expect(calls.filter((call) => /new.idmap/.test(call))).toEqual([
      "start newuidmap: clone(SIGCHLD, 0, 0, 0, 0) = $3",
      'execute /usr/bin/newuidmap: execve("/usr/bin/newuidmap", ["newuidmap", <24 bytes>, "0", "1000", "1", "1", "100000", "65535"], [])',
      "start newgidmap: clone(SIGCHLD, 0, 0, 0, 0) = $4",
      'execute /usr/bin/newgidmap: execve("/usr/bin/newgidmap", ["newgidmap", <24 bytes>, "0", "100000", "65536"], [])',
      "wait for newuidmap: wait4($3, <4 bytes>, __WALL, 0)",
      "wait for newgidmap: wait4($4, <4 bytes>, __WALL, 0)",
    ]);
  });

  test("root: the launcher itself, and setgroups stays allowed", () => {
    const calls = callsOf(wide, root);
    expect(calls.filter((call) => call.startsWith("open "))).toEqual([
      expect.stringContaining("open /proc of the child"),
      expect.stringContaining("uid_map"),
      expect.stringContaining("gid_map"),
    ]);
    expect(calls.some((call) => call.includes("setgroups(0, 0)"))).toBe(true);
  });

  test("an ordinary user with one id: the launcher itself, setgroups denied before gid_map", () => {
    const calls = callsOf(one(0), { ...user, helpers: { ...helpers, newuidmap: undefined, newgidmap: undefined } });
    const opened = calls.flatMap((call) => call.match(/^open (\w+):/)?.[1] ?? []);
    expect(opened).toEqual(["setgroups", "uid_map", "gid_map"]);
    expect(calls.some((call) => call.includes("setgroups(0, 0)"))).toBe(false);
  });

  test.each(["newuidmap", "newgidmap"])("nobody, when %s is missing", (missing) => {
    const host = { ...user, helpers: { ...helpers, [missing]: undefined } };
    expect(() => callsOf(wide, host)).toThrow(`map the ids of the box: ${missing} is not installed`);
  });

  test("one id of somebody else is no single map", () => {
    const [mapping] = callsOf({ ...one(0), uid: [{ containerID: 0, hostID: 1001, size: 1 }] }, user).filter((call) =>
      call.startsWith("execute"),
    );
    expect(mapping).toContain('"0", "1001", "1"');
  });
});

test("the child becomes root, or the lowest id where the map has none: without an id it could make no files", () => {
  const becomes = (calls: string[]): string[] => calls.filter((call) => call.startsWith("become"));
  expect(becomes(callsOf(one(1000), user))).toEqual([
    "become group 1000 of the user namespace: setresgid(1000, 1000, 1000)",
    "become user 1000 of the user namespace: setresuid(1000, 1000, 1000)",
  ]);
  expect(becomes(callsOf(wide, user))).toEqual([
    "become group 0 of the user namespace: setresgid(0, 0, 0)",
    "become user 0 of the user namespace: setresuid(0, 0, 0)",
  ]);
});

test("the child closes its copy of the pipe before it waits: else it would wait for itself when the launcher fails", () => {
  const calls = callsOf(wide, user);
  const at = (label: string): number => calls.findIndex((call) => call.startsWith(label));
  expect(at("close the launcher's end")).toBeLessThan(at("wait for the launcher"));
  expect(at("die with the launcher")).toBeLessThan(at("wait for the launcher"));
});

test("an unsupervised child outlives the launcher: nothing in the plan ties its life to it", () => {
  expect(callsOf(wide, user).filter((call) => call.startsWith("die with"))).toHaveLength(2);
  expect(callsOf(wide, user, { unsupervised: true }).filter((call) => call.startsWith("die with"))).toEqual([]);
});

describe("control groups", () => {
  const cgroups = { flags: CLONE_NEWNS | CLONE_NEWCGROUP, cgroups: ["cpu", "memory"] };

  test("the launcher writes the pid into each, while the helpers run, and before it releases the child", () => {
    const calls = callsOf(wide, user, cgroups);
    const order = ["start newgidmap", "put the box", "wait for newuidmap", "release"];
    const places = order.map((label) => calls.findIndex((call) => call.startsWith(label)));
    expect(places).toEqual(places.toSorted((a, b) => a - b));
    expect(calls.filter((call) => call.startsWith("put the box"))).toEqual([
      "put the box into its control group: write({cpu}, <21 bytes>, 21)",
      "put the box into its control group: write({memory}, <21 bytes>, 21)",
    ]);
  });

  test("the cgroup namespace is made by the child, when it is there", () => {
    const calls = callsOf(wide, user, cgroups);
    expect(calls.find((call) => call.startsWith("clone"))).toContain("clone(CLONE_NEWNS|CLONE_NEWUSER|SIGCHLD,");
    expect(calls.findIndex((call) => call.includes("unshare(CLONE_NEWCGROUP)"))).toBeGreaterThan(
      calls.findIndex((call) => call.startsWith("wait for the launcher")),
    );
  });

  test("without any the clone makes it", () => {
    const calls = callsOf(wide, user, { ...cgroups, cgroups: [] });
    expect(calls.find((call) => call.startsWith("clone"))).toContain("CLONE_NEWCGROUP");
    expect(calls.some((call) => call.includes("unshare"))).toBe(false);
  });
});

test("a process without a user namespace has no maps and keeps its ids", () => {
  const plan = beginPlan("test");
  const request = { label: "clone", flags: CLONE_NEWNS | CLONE_NEWCGROUP, cgroups: ["all"], unsupervised: true };
  cloneProcess(plan, request, () => plan.syscall("be the child", "getpid", []));
  expect(callsOfPlan(plan.finish()).map((call) => call.replace(/:.*/, ""))).toEqual([
    "make the pipe that releases the child",
    "clone",
    "close the launcher's end",
    "wait for the launcher",
    "close the pipe",
    "make the cgroup namespace",
    "be the child",
    "close the child's end",
    "put the box into its control group",
    "release the child",
    "close the pipe",
  ]);
});
