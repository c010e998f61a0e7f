import { describe, expect, test } from "bun:test";
import { explain } from "../../../src/launch/explain.ts";
import type { Namespace } from "../../../src/oci/runtime.ts";
import type { NamespaceInput } from "../../../src/sandbox/input.ts";
import { planNamespaces } from "../../../src/sandbox/plan-namespaces.ts";
import { failureOf } from "../../helpers/failure.ts";
import { sandboxInput } from "../../helpers/sandbox-plan.ts";

const plan = (
  namespaces: readonly Namespace[],
  descriptors: readonly string[] = [],
  changes: Partial<NamespaceInput> = {},
) => {
  const { idMap, facts } = sandboxInput();
  return planNamespaces({ namespaces, idMap, facts, descriptors, ...changes });
};

const lines = (namespaces: readonly Namespace[]): readonly string[] => explain(plan(namespaces));

test("descriptors are named in order", () => {
  expect(plan([{ type: "user" }, { type: "mount" }], ["lock", "exit-hold", "go"]).fds).toEqual([
    "lock",
    "exit-hold",
    "go",
  ]);
});

test("the namespaces that are asked for, and a user namespace", () => {
  const clone = lines([{ type: "user" }, { type: "mount" }, { type: "pid" }]).find((line) => line.includes(": clone("));
  expect(clone).toContain("clone(CLONE_NEWNS|CLONE_NEWUSER|CLONE_NEWPID|SIGCHLD");
});

test("the box goes on with the next plan as root with its ids mapped; the supervisor leaves it the plans, and stays", () => {
  const all = lines([{ type: "user" }, { type: "mount" }]).filter((line) => !/\[/.test(line));
  const place = (pattern: RegExp): number => all.findIndex((line) => pattern.test(line));
  const steps = [
    /: setresuid\(0, 0, 0\)/,
    /go on with the next plan/,
    /newgidmap must have exited with 0/,
    /release the child/,
    /leave the plans to the box: close\(3\)/,
    /report started/,
    /supervise .*end it when devbox ends/,
  ];
  const places = steps.map(place);
  expect(places).not.toContain(-1);
  expect(places).toEqual(places.toSorted((a, b) => a - b));
});

describe("what cannot be done is refused", () => {
  const refused = (namespaces: readonly Namespace[], changes: Partial<NamespaceInput> = {}) =>
    failureOf(() => plan(namespaces, [], changes));

  test("a mount namespace that was there before, with a new user namespace that has no rights over it", () => {
    for (const namespaces of [
      [{ type: "user" }, { type: "pid" }],
      [{ type: "user" }, { type: "mount", path: "/m" }],
    ] as const)
      expect(refused(namespaces)).toMatchObject({
        code: "BAD_CONFIG",
        step: "read linux.namespaces",
        because: expect.stringContaining("mount namespace"),
      });
  });

  test("an ordinary user's box without a user namespace", () => {
    expect(refused([{ type: "mount" }]).message).toContain("only root can do without a user namespace");
  });

  test("a new user namespace without id maps", () => {
    const { message } = refused([{ type: "user" }, { type: "mount" }], { idMap: undefined });
    expect(message).toContain("linux.uidMappings");
  });
});

describe("what is added only when it is asked for", () => {
  const labels = (
    namespaces: readonly Namespace[],
    changes: Partial<NamespaceInput> = {},
    descriptors: readonly string[] = [],
  ) => plan(namespaces, descriptors, changes).ops.flatMap((op) => ("label" in op ? [op.label] : []));
  const own: readonly Namespace[] = [{ type: "user" }, { type: "mount" }, { type: "network" }];

  test("a box with namespaces of its own takes no steps beyond the clone and the id maps", () => {
    const calls = plan(own).ops.flatMap((op) => (op.kind === "syscall" ? [op.call] : []));
    expect(calls.filter((call) => ["setns", "unshare", "ioctl", "openat", "socket"].includes(call))).toEqual([]);
    expect(calls.filter((call) => call === "clone")).toHaveLength(3); // itself, newuidmap, newgidmap
  });

  test("an orphan's launcher ends, and does not take it along", () => {
    const all = explain(plan(own, [], { supervision: { kind: "orphaned" } })).filter((line) => !line.includes("["));
    expect(all.at(-1)).toMatch(/exit 0$/);
    expect(all.some((line) => /die with the launcher/.test(line))).toBe(false);
    expect(labels(own)).toContain("die with the launcher");
  });

  test("what only the box may hold is closed outside, after the clone", () => {
    const all = labels(own, { initOnly: ["executed"] }, ["executed"]);
    expect(all.indexOf("leave executed to the box")).toBeGreaterThan(all.indexOf("release the child"));
  });

  test("a path is opened before anything is joined, the user namespace is joined between two rounds of the others", () => {
    const joined: readonly Namespace[] = [
      { type: "network", path: "/n" },
      { type: "user", path: "/u" },
      { type: "mount" },
    ];
    const steps = labels(joined, { idMap: undefined }).filter((label) => /^(open|join|be closed) /.test(label));
    expect(steps).toEqual([
      "open linux.namespaces[0].path /n",
      "open linux.namespaces[1].path /u",
      "be closed to the processes there",
      "join linux.namespaces[0].path /n as network namespace",
      "join linux.namespaces[1].path /u as user namespace",
      "join linux.namespaces[1].path /u as user namespace",
      "join linux.namespaces[0].path /n as network namespace",
    ]);
  });

  test("who joins a user namespace has its oom_score_adj set before", () => {
    const joined: readonly Namespace[] = [{ type: "user", path: "/u" }, { type: "mount" }];
    const all = labels(joined, { idMap: undefined, oomScoreAdj: 7 });
    expect(all.indexOf("set oom_score_adj to 7")).toBeLessThan(all.indexOf("be closed to the processes there"));
    expect(all).toContain("set oom_score_adj to 7");
    expect(labels(own, { oomScoreAdj: 7 })).not.toContain("set oom_score_adj to 7");
  });
});
