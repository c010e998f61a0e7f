import { describe, expect, test } from "bun:test";
import { explain } from "../../../src/launch/explain.ts";
import { beginPlan } from "../../../src/launch/plan.ts";
import type { Capabilities, RuntimeProcess, Seccomp } from "../../../src/oci/runtime.ts";
import { withinReach } from "../../../src/sandbox/capabilities.ts";
import {
  becomeUser,
  grantableCapabilities,
  type Identity,
  needsHostProc,
  prepareIdentity,
} from "../../../src/sandbox/identity.ts";
import { laptop } from "../../helpers/bundle-input.ts";

const net = ["CAP_NET_BIND_SERVICE"];
const capabilities: Capabilities = { bounding: net, effective: net, permitted: net, inheritable: net, ambient: net };
const process: RuntimeProcess = {
  cwd: "/",
  args: ["sh"],
  env: [],
  user: { uid: 7, gid: 8, umask: 0o27 },
  capabilities,
};
const seccomp: Seccomp = { defaultAction: "SCMP_ACT_ALLOW" };
const identity: Identity = { process, seccomp, facts: laptop, idMap: undefined, pipes: [] };

/** The labels of the steps, in order, those of the bounding set left out. */
function steps(changes: Partial<Identity>): readonly string[] {
  const plan = beginPlan("test");
  const whole = { ...identity, ...changes };
  becomeUser(plan, whole, prepareIdentity(plan, whole));
  const { ops } = plan.finish();
  return ops.flatMap((op) => ("label" in op && !op.label.startsWith("drop CAP_") ? [op.label] : []));
}

describe("the order", () => {
  const ids = [
    "keep capabilities over the change of user",
    "set the supplementary groups",
    "become group 8",
    "become user 7",
    "end keeping capabilities",
    "clear the ambient capabilities",
    "set the umask",
    "die with the supervisor",
  ];
  const given = ["set the capabilities", "raise CAP_NET_BIND_SERVICE as ambient"];

  test("without no_new_privs the filter comes before the capabilities are given up", () => {
    expect(steps({})).toEqual([...ids, "keep CAP_SYS_ADMIN for the filter", "install the seccomp filter", ...given]);
  });

  test("with no_new_privs it comes last", () => {
    expect(steps({ process: { ...process, noNewPrivileges: true } })).toEqual([
      ...ids,
      ...given,
      "set no_new_privs",
      "install the seccomp filter",
    ]);
  });

  test("root needs nobody's leave, an orphan has no supervisor, and without a filter there is none", () => {
    expect(steps({ process: { ...process, user: { uid: 0, gid: 0 } } })).not.toContain(
      "keep CAP_SYS_ADMIN for the filter",
    );
    expect(steps({ orphaned: true })).not.toContain("die with the supervisor");
    expect(steps({ seccomp: undefined })).toEqual([...ids, ...given]);
  });

  test("labels are opened first, while the host's /proc is there, and set with the credentials of then", () => {
    const labelled = { ...process, apparmorProfile: "box", selinuxLabel: "u:r:t" };
    const [found, also, alsoOpened, profile, label, ...rest] = steps({ process: labelled });
    expect([found, also, alsoOpened]).toEqual(["find AppArmor", "find SELinux", "find SELinux"]);
    expect([profile, label]).toEqual(["set the AppArmor profile box", "set the SELinux label u:r:t"]);
    expect(rest).toEqual([...steps({})]);
  });

  test("in a container they are found by a descriptor, and what the container has there counts for nothing", () => {
    const plan = beginPlan("test");
    const labelled = { ...process, apparmorProfile: "box", selinuxLabel: "u:r:t" };
    prepareIdentity(plan, { ...identity, process: labelled }, plan.fd("proc"));
    const lines = explain(plan.finish()).join("\n");
    expect(lines).toContain('"thread-self/attr/apparmor/exec"');
    expect(lines).toContain('"thread-self/attr/exec"');
    expect(lines).not.toContain('"/');
  });
});

test("the host's /proc is needed for labels and for listeners, and for nothing else", () => {
  const asking: Seccomp = { ...seccomp, syscalls: [{ names: ["mkdir"], action: "SCMP_ACT_NOTIFY" }] };
  expect(needsHostProc({ process, seccomp })).toBe(false);
  expect(needsHostProc({ process, seccomp: undefined })).toBe(false);
  expect(needsHostProc({ process, seccomp: asking })).toBe(true);
  expect(needsHostProc({ process: { ...process, apparmorProfile: "a" }, seccomp })).toBe(true);
  expect(needsHostProc({ process: { ...process, selinuxLabel: "a" }, seccomp })).toBe(true);
});

test("a filter that refuses what the plan calls under it is refused", () => {
  const without = (...names: string[]): Seccomp => ({ ...seccomp, syscalls: [{ names, action: "SCMP_ACT_ERRNO" }] });
  expect(() => steps({ seccomp: without("capset") })).toThrow("it does not allow capset");
  expect(() => steps({ seccomp: without("prctl") })).toThrow("it does not allow prctl");
  expect(() => steps({ seccomp: without("dup3"), preservedFds: 1 })).toThrow("it does not allow dup3");
  expect(() => steps({ seccomp: without("fcntl"), preservedFds: 2 })).toThrow("it does not allow fcntl");
  const late = { ...process, noNewPrivileges: true };
  expect(() => steps({ seccomp: without("capset", "prctl", "dup3", "setuid"), process: late })).not.toThrow();
});

describe("capabilities that cannot be given", () => {
  const all = ["CAP_CHOWN", "CAP_KILL", "CAP_SYS_ADMIN"];
  const asked: Capabilities = { bounding: all, effective: all, permitted: all, inheritable: all, ambient: all };

  test("are left out of every set", () => {
    const kept = ["CAP_CHOWN", "CAP_KILL"];
    expect(withinReach(asked, 0b100001n)).toEqual({
      bounding: kept,
      effective: kept,
      permitted: kept,
      inheritable: kept,
      ambient: kept,
    });
  });

  test("are ours to lack only without a user namespace of the container's", () => {
    const facts = { ...laptop, capabilities: 1n };
    expect(grantableCapabilities(facts, ["pid", "mount"])).toEqual({ grantable: 1n });
    expect(grantableCapabilities(facts, ["pid", "user"])).toEqual({});
    expect(grantableCapabilities(laptop, ["pid"])).toEqual({});
  });
});
