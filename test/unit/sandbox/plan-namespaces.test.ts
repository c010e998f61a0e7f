import { describe, expect, test } from "bun:test";
import { explain } from "../../../src/launch/explain.ts";
import type { Namespace } from "../../../src/oci/runtime.ts";
import { planNamespaces } from "../../../src/sandbox/plan-namespaces.ts";
import { failureOf } from "../../helpers/failure.ts";
import { sandboxInput } from "../../helpers/sandbox-plan.ts";

const plan = (namespaces: readonly Namespace[], descriptors: readonly string[] = []) => {
  const { idMap, facts } = sandboxInput();
  return planNamespaces({ namespaces, idMap, facts, descriptors });
};

const lines = (namespaces: readonly Namespace[]): readonly string[] => explain(plan(namespaces));

test("descriptors are named in order", () => {
  expect(plan([{ type: "mount" }], ["lock", "exit-hold", "go"]).fds).toEqual(["lock", "exit-hold", "go"]);
});

test("the namespaces that are asked for, and a user namespace", () => {
  const clone = lines([{ type: "mount" }, { type: "pid" }]).find((line) => line.includes(": clone("));
  expect(clone).toContain("clone(CLONE_NEWNS|CLONE_NEWUSER|CLONE_NEWPID|SIGCHLD");
});

test("the box goes on with the next plan as root with its ids mapped; the supervisor leaves it the plans, and stays", () => {
  const all = lines([{ type: "mount" }]).filter((line) => !/\[/.test(line));
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
  const refused = (namespaces: readonly Namespace[]) => failureOf(() => plan(namespaces));

  test("a namespace to join, a time namespace, the mount namespace of the host", () => {
    const join = refused([{ type: "mount" }, { type: "network", path: "/proc/1/ns/net" }]);
    expect(join).toMatchObject({ code: "BAD_CONFIG", step: "read linux.namespaces: network" });
    expect(refused([{ type: "mount" }, { type: "time" }]).code).toBe("BAD_CONFIG");
    expect(refused([{ type: "pid" }]).message).toContain("mount namespace");
  });
});
