import { expect, test } from "bun:test";
import { CLONE_NEWUSER } from "../../../ffi/constants.ts";
import { EACCES, EINVAL, ENOSPC, EPERM, EUSERS, SyscallError } from "../../../ffi/errno.ts";
import { findFailure, launchError } from "../../../src/launch/failure.ts";
import { beginPlan } from "../../../src/launch/plan.ts";

const plan = beginPlan("start a box");
plan.syscall("mount proc on /proc", "mount", [0, 0, 0, 0, 0]);
plan.waitForSuccess("newuidmap", 0);
plan.fork("create the namespaces", CLONE_NEWUSER, () => {});
const finished = plan.finish();

function errorOf(op: number | undefined, errno: number, detail = 0) {
  const report = { kind: "failed", op, errno, detail } as const;
  return launchError(finished, report, findFailure(finished, report));
}

test("a system call fails with its label, and errno in words", () => {
  const error = errorOf(0, EACCES);
  expect(error).toMatchObject({
    code: "LAUNCH_FAILED",
    step: "mount proc on /proc",
    because: "permission denied (EACCES)",
  });
  expect(error.cause).toBeInstanceOf(SyscallError);
  expect((error.cause as SyscallError).message).toContain('mount (operation 0 of the plan "start a box")');
});

test("a helper fails with its name and exit status", () => {
  const error = errorOf(2, 0, 1);
  expect(error.message).toBe("newuidmap: exit status 1");
  expect(error.code).toBe("LAUNCH_FAILED");
});

test("a helper that writes id maps says what it needs", () => {
  expect(errorOf(2, 0, 1).hint).toContain("setuid root");
  expect(errorOf(2, 0, 1).hint).toContain("/etc/subuid");
});

test.each([
  [ENOSPC, "user.max_user_namespaces or a limit of its kind is reached (ENOSPC)", "sysctl"],
  [EUSERS, "user.max_user_namespaces or a limit of its kind is reached (EUSERS)", "sysctl"],
  [EPERM, "this machine does not let you make user namespaces (EPERM)", "doctor"],
])("no user namespace: %d", (errno, because, hint) => {
  const clone = finished.ops.findIndex(({ kind, ...op }) => kind === "syscall" && "call" in op && op.call === "clone");
  expect(errorOf(clone, errno)).toMatchObject({ code: "USERNS_DENIED", step: "create the namespaces", because });
  expect(errorOf(clone, errno).hint).toContain(hint);
  expect(errorOf(0, errno).code).toBe("LAUNCH_FAILED");
});

test("a plan that the launcher refuses is a bug of ours", () => {
  expect(errorOf(undefined, EINVAL, 3)).toMatchObject({
    code: "INTERNAL",
    message: 'read the launch plan "start a box": the launcher refused it: invalid argument (EINVAL), check 3',
  });
  expect(errorOf(99, EINVAL).code).toBe("INTERNAL");
});
