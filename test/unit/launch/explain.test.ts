import { expect, test } from "bun:test";
import {
  AT_FDCWD,
  CLONE_NEWNS,
  CLONE_NEWPID,
  MOUNT_ATTR_NOSUID,
  MOUNT_ATTR_RDONLY,
  MS_BIND,
  MS_PRIVATE,
  MS_REC,
  O_CLOEXEC,
  O_DIRECTORY,
  O_PATH,
  PR_CAP_AMBIENT,
  PR_CAP_AMBIENT_RAISE,
  PR_SET_PDEATHSIG,
  RESOLVE_IN_ROOT,
  RESOLVE_NO_MAGICLINKS,
} from "../../../ffi/constants.ts";
import { EINVAL, ENOENT } from "../../../ffi/errno.ts";
import { openHow } from "../../../ffi/structs.ts";
import { explain } from "../../../src/launch/explain.ts";
import { beginPlan } from "../../../src/launch/plan.ts";

test("operations are numbered as errors name them, with flags in words", () => {
  const plan = beginPlan("show everything");
  const child = plan.fork("create namespaces", CLONE_NEWNS | CLONE_NEWPID, () => {
    plan.syscall("make all private", "mount", [plan.string("none"), plan.string("/"), 0, MS_REC | MS_PRIVATE, 0]);
    plan.syscall("bind", "mount", [plan.string("a b"), plan.string('"c"'), 0, MS_BIND | 0x1000_0000, 0]);
    const how = plan.bytes(
      openHow({ flags: O_PATH | O_CLOEXEC, mode: 0o644, resolve: RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS }),
    );
    plan.syscall("find it", "openat2", [AT_FDCWD, plan.string("etc/passwd"), how, 24], {
      save: 9,
      tolerate: [ENOENT, EINVAL],
      onError: plan.mark("missing"),
    });
    const attr = plan.bytes(new Uint8Array(new BigUint64Array([3n, 0n, 0n, 0n]).buffer));
    plan.syscall("restrict", "mount_setattr", [{ slot: 9 }, plan.string(""), 0x8000, attr, 32]);
    plan.syscall("mkdir", "mkdirat", [AT_FDCWD, plan.string("/x"), 0o1777]);
    plan.syscall("tie", "prctl", [PR_SET_PDEATHSIG, 9, 0, 0, 0]);
    plan.syscall("raise", "prctl", [PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, 10, 0, 0]);
    plan.syscall("close all", "close_range", [3, 0xffff_ffff, 4]);
    plan.syscall("execute", "execve", [plan.string("/bin/sh"), plan.vector(["sh", plan.buffer(24)]), plan.vector([])]);
    plan.add({ kind: "fail", label: "execute sh", errno: ENOENT });
  });
  plan.waitForSuccess("newuidmap", child);
  plan.syscall("hold the lock", "fcntl", [plan.fd("lock"), 2, 0n]);
  plan.syscall("open", "openat", [AT_FDCWD, plan.string("/"), O_PATH | O_DIRECTORY, 0], { save: plan.descriptor() });
  plan.add({ kind: "supervise", slot: child, tied: true });
  expect(MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID).toBe(3);
  expect(explain(plan.finish()).join("\n")).toMatchInlineSnapshot(`
    "plan: show everything
    descriptors: lock
     0  create namespaces: clone(CLONE_NEWNS|CLONE_NEWPID|SIGCHLD, 0, 0, 0, 0) = $0; at 0 goes to [create namespaces: child #1]
     1  go to [create namespaces: parent #2]
     2  [create namespaces: child #1]
     3  make all private: mount("none", "/", 0, MS_REC|MS_PRIVATE, 0)
     4  bind: mount("a b", "\\"c\\"", 0, MS_BIND|0x10000000, 0)
     5  find it: openat2(AT_FDCWD, "etc/passwd", {O_CLOEXEC|O_PATH, 0644, RESOLVE_NO_MAGICLINKS|RESOLVE_IN_ROOT}, 24) = $9; tolerates ENOENT, EINVAL; then goes to [missing #3]
     6  restrict: mount_setattr($9, "", AT_RECURSIVE, {set MOUNT_ATTR_RDONLY|MOUNT_ATTR_NOSUID}, 32)
     7  mkdir: mkdirat(AT_FDCWD, "/x", 01777)
     8  tie: prctl(PR_SET_PDEATHSIG, 9, 0, 0, 0)
     9  raise: prctl(PR_CAP_AMBIENT, 2, 10, 0, 0)
    10  close all: close_range(3, ~0, CLOSE_RANGE_CLOEXEC)
    11  execute: execve("/bin/sh", ["sh", <24 bytes>], [])
    12  execute sh: fail with ENOENT
    13  exit 0
    14  [create namespaces: parent #2]
    15  wait for newuidmap: wait4($0, <4 bytes>, __WALL, 0)
    16  newuidmap must have exited with 0
    17  hold the lock: fcntl({lock}, 2, 0x0)
    18  open: openat(AT_FDCWD, "/", O_DIRECTORY|O_PATH, 0) => $1
    19  supervise $0, and end it when devbox ends"
  `);
});

test("blocks that are no text are shown by size", () => {
  const plan = beginPlan("t");
  plan.syscall("a", "write", [1, plan.bytes(new Uint8Array([0xff, 0])), 2]);
  plan.syscall("b", "write", [1, plan.bytes(new Uint8Array([65, 0, 66, 0])), 2]);
  plan.syscall("c", "write", [1, plan.bytes(new Uint8Array(0)), 0]);
  expect(explain(plan.finish()).slice(1)).toEqual([
    "0  a: write(1, <2 bytes>, 2)",
    "1  b: write(1, <4 bytes>, 2)",
    "2  c: write(1, <0 bytes>, 0)",
  ]);
});
