import { describe, expect, test } from "bun:test";
import { EACCES, EAGAIN, EINVAL, ENOENT, ENOTDIR, EPERM, EROFS, SyscallError } from "../../../ffi/errno.ts";
import type { Op } from "../../../ffi/launcher/wire.ts";
import { explainFailure } from "../../../src/runtime/explain-failure.ts";

const ENOEXEC = 8;
const execve = (tolerate: readonly number[]): Op => ({
  kind: "syscall",
  label: "",
  call: "execve",
  args: [],
  tolerate,
});
const cause = new SyscallError("call", EPERM, "(operation 7)");
const write: Op = { kind: "syscall", label: "", call: "write", args: [] };
const explained = (label: string, errno: number, op: Op = write) =>
  explainFailure({ label, errno, op, index: 0, detail: 0, cause });

describe("the command", () => {
  test("is not there: 127, by its path or on PATH", () => {
    const fail: Op = { kind: "fail", label: "", errno: ENOENT };
    const byPath = explained("execute /x", ENOENT, fail);
    expect(byPath).toMatchObject({ code: "COMMAND_NOT_FOUND", exitStatus: 127 });
    expect(byPath?.because).toContain("interpreter");
    expect(explained("execute x", ENOENT, fail)?.because).toContain("PATH");
    expect(byPath?.cause).toBe(cause);
  });

  test("cannot be executed: 126, with the errno in words", () => {
    const error = explained("execute /x", EACCES, execve([ENOENT]));
    expect(error).toMatchObject({ code: "COMMAND_NOT_EXECUTABLE", exitStatus: 126 });
    expect(error?.because).toBe("permission denied (EACCES)");
    expect(error?.cause).toBe(cause);
    const foreign = explained("execute /x", ENOEXEC, execve([ENOENT]));
    expect(foreign?.because).toContain("processor");
    expect(foreign?.hint).toContain("--platform");
  });

  test("is no helper program of ours", () => {
    expect(explained("execute /usr/bin/newuidmap", EACCES, execve([]))).toBeUndefined();
  });
});

describe("a step with a hint", () => {
  test.each([
    ["open the sysctl vm.swappiness", EACCES, "net.*"],
    ["set the sysctl net.x to 1", EPERM, "net.*"],
    ["set the limit RLIMIT_NOFILE", EPERM, "ulimit -H"],
    ["mount proc on /proc", EPERM, "hidden"],
    ["make the mount point /proc", EACCES, "beforehand"],
    ["make the working directory /work", EROFS, "beforehand"],
    ["make the mount point /proc/x", ENOENT, "another place"],
    ["replace the dangling symlink /proc/x", ENOENT, "another place"],
    ["make the working directory /sys/x", EROFS, "another place"],
    ["enter the working directory /etc/passwd", ENOTDIR, "-w DIR"],
    ["enter the mount point /etc/passwd", ENOTDIR, "only on a directory"],
    ["bind /box/hosts on /etc/hosts", EINVAL, "a file"],
    ["join linux.namespaces[1].path /x as uts namespace", EINVAL, "/proc/PID/ns/TYPE"],
    ["join linux.namespaces[1].path /x as uts namespace", EPERM, "join that one as well"],
    ["enter the root of the container: it has none yet", EAGAIN, "try again"],
  ])("%s", (label, errno, hint) => {
    const error = explained(label, errno);
    expect(error).toMatchObject({ code: "LAUNCH_FAILED", step: label, cause });
    expect(error?.hint).toContain(hint);
  });

  test("only for the error that it is about", () => {
    expect(explained("set the sysctl net.x to 1", EINVAL)).toBeUndefined();
    expect(explained("mount tmpfs on /proc", EPERM)).toBeUndefined();
  });
});
