import { expect, test } from "bun:test";
import type { SyscallName } from "../../../ffi/syscalls.ts";
import type { Seccomp, SeccompAction, SeccompArgument, SeccompRule } from "../../../src/oci/runtime.ts";
import { compileFilter } from "../../../src/sandbox/seccomp-compile.ts";

const equalsOne: SeccompArgument = { index: 0, op: "SCMP_CMP_EQ", value: 1 };
const rule = (names: readonly string[], args: readonly SeccompArgument[] = []): SeccompRule => ({
  names,
  action: "SCMP_ACT_ALLOW",
  args,
});
const denying: Seccomp = { defaultAction: "SCMP_ACT_ERRNO", syscalls: [rule(["read", "getpid"])] };

/** What the start of the command takes after the filter is there. */
const compileFor =
  (seccomp: Seccomp, ...needed: SyscallName[]) =>
  () =>
    compileFilter(seccomp, "x86_64", needed);
const when = (action: SeccompAction, ...names: string[]): SeccompRule => ({ names, action });
const permissive = (...syscalls: SeccompRule[]): Seccomp => ({ defaultAction: "SCMP_ACT_ALLOW", syscalls });

test.each(["KILL", "TRAP", "ERRNO", "TRACE"] as const)("what is needed and answered with %s", (action) => {
  const seccomp = permissive(when(`SCMP_ACT_${action}`, "capset"));
  expect(compileFor(seccomp)).not.toThrow();
  expect(compileFor(seccomp, "prctl")).not.toThrow();
  expect(compileFor(seccomp, "prctl", "capset")).toThrow("it does not allow capset");
  expect(compileFor({ ...seccomp, defaultAction: `SCMP_ACT_${action}` }, "prctl")).toThrow("it does not allow prctl");
});

test("what is needed may be allowed or noted, and depend on arguments", () => {
  expect(compileFor({ ...denying, syscalls: [when("SCMP_ACT_LOG", "capset")] }, "capset")).not.toThrow();
  expect(compileFor({ ...denying, syscalls: [rule(["prctl"], [equalsOne])] }, "prctl")).not.toThrow();
  const conditional = permissive({ ...when("SCMP_ACT_ERRNO", "prctl"), args: [equalsOne] });
  expect(compileFor(conditional, "prctl")).not.toThrow();
});

test("nobody can be asked about the message that says whom to ask, nor about reports", () => {
  expect(compileFor(permissive(when("SCMP_ACT_NOTIFY", "dup")), "sendmsg")).not.toThrow();
  expect(compileFor(permissive(when("SCMP_ACT_NOTIFY", "sendmsg")), "sendmsg")).toThrow("it does not allow sendmsg");
  const sometimes = permissive({ ...when("SCMP_ACT_NOTIFY", "sendmsg"), args: [equalsOne] });
  expect(compileFor(sometimes, "sendmsg")).toThrow("SCMP_ACT_NOTIFY cannot be used for the sendmsg syscall");
  expect(compileFor(permissive(when("SCMP_ACT_NOTIFY", "write")))).toThrow(
    "SCMP_ACT_NOTIFY cannot be used for the write syscall",
  );
  const always = { ...denying, defaultAction: "SCMP_ACT_NOTIFY" as const };
  expect(compileFor({ ...always, syscalls: [rule(["write"])] }, "sendmsg")).toThrow("it does not allow sendmsg");
  expect(compileFor({ ...always, syscalls: [rule(["write", "sendmsg"])] }, "sendmsg")).not.toThrow();
});
