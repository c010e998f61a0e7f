import { describe, expect, test } from "bun:test";
import { type SyscallName, syscallTable } from "../../../ffi/syscalls.ts";
import { capabilityNames } from "../../../src/oci/runtime-words.ts";
import { defaultCapabilities } from "../../../src/sandbox/capabilities.ts";
import { compileSeccomp } from "../../../src/sandbox/seccomp.ts";
import { defaultSeccomp } from "../../../src/sandbox/seccomp-profile.ts";
import { runFilter } from "../../helpers/bpf.ts";

const ALLOW = 0x7fff_0000;
const EPERM = 0x0005_0001;
const ENOSYS = 0x0005_0026;
const x86_64 = 0xc000_003e;

const plain = compileSeccomp(
  defaultSeccomp({ capabilities: defaultCapabilities, architecture: "x86_64" }),
  "x86_64",
).instructions;

function answer(name: SyscallName, args: readonly bigint[] = [], filter = plain): number {
  return runFilter(filter, { number: syscallTable[name][0], arch: x86_64, args });
}

function withCapabilities(...capabilities: string[]): Uint8Array {
  const seccomp = defaultSeccomp({ capabilities, architecture: "x86_64" });
  return compileSeccomp(seccomp, "x86_64").instructions;
}

describe("default profile", () => {
  test("every name is a call of some table", () => {
    const { syscalls = [] } = defaultSeccomp({ capabilities: capabilityNames, architecture: "x86_64" });
    const names = syscalls.flatMap((rule) => rule.names);
    expect(names.filter((name) => !Object.hasOwn(syscallTable, name))).toEqual([]);
    expect(names.length).toBeGreaterThan(350);
  });

  test("ordinary work is allowed", () => {
    const calls: SyscallName[] = [
      "read",
      "execve",
      "fork",
      "futex",
      "ptrace",
      "chroot",
      "openat2",
      "arch_prctl",
      "statx",
    ];
    expect(calls.map((name) => answer(name))).toEqual(calls.map(() => ALLOW));
  });

  test("what reaches beyond a box is refused", () => {
    const calls: SyscallName[] = [
      "mount",
      "bpf",
      "keyctl",
      "kexec_load",
      "io_uring_setup",
      "userfaultfd",
      "setns",
      "swapon",
    ];
    expect(calls.map((name) => answer(name))).toEqual(calls.map(() => EPERM));
  });

  test("clone makes processes, not namespaces; clone3 is not there", () => {
    const SIGCHLD = 17n;
    expect(answer("clone", [SIGCHLD])).toBe(ALLOW);
    for (const flag of [0x20000n, 0x2000000n, 0x4000000n, 0x8000000n, 0x10000000n, 0x20000000n, 0x40000000n]) {
      expect(answer("clone", [flag | SIGCHLD])).toBe(EPERM);
    }
    expect(answer("clone3")).toBe(ENOSYS);
  });

  test("sockets: the usual domains", () => {
    const allowed = [1n, 2n, 10n, 11n, 16n, 17n, 29n, 44n];
    expect(allowed.map((domain) => answer("socket", [domain]))).toEqual(allowed.map(() => ALLOW));
    const refused = [12n, 20n, 38n, 40n, 46n, 0x1_0000_0001n];
    expect(refused.map((domain) => answer("socket", [domain]))).toEqual(refused.map(() => EPERM));
  });

  test("personality: Linux, and no way to switch off address randomization", () => {
    expect(answer("personality", [0xffff_ffffn])).toBe(ALLOW);
    expect(answer("personality", [0x20008n])).toBe(ALLOW);
    expect(answer("personality", [0x0040000n])).toBe(EPERM);
  });

  test("a call of the future does not exist", () => {
    expect(runFilter(plain, { number: 600, arch: x86_64, args: [] })).toBe(ENOSYS);
  });

  test("capabilities open what they are for", () => {
    const admin = withCapabilities("CAP_SYS_ADMIN");
    for (const name of ["mount", "unshare", "setns", "clone3", "bpf"] as const)
      expect(answer(name, [], admin)).toBe(ALLOW);
    expect(answer("clone", [0x10000000n], admin)).toBe(ALLOW);
    expect(answer("chroot", [], admin)).toBe(EPERM);
    expect(answer("reboot", [], withCapabilities("CAP_SYS_BOOT"))).toBe(ALLOW);
    expect(answer("process_madvise", [], withCapabilities("CAP_SYS_PTRACE"))).toBe(ALLOW);
  });

  test("32-bit programs have the same policy under their own numbers", () => {
    const i386 = (name: SyscallName) =>
      runFilter(plain, { number: syscallTable[name][1], arch: 0x4000_0003, args: [] });
    expect([i386("socketcall"), i386("mmap2"), i386("mount"), i386("clone3")]).toEqual([ALLOW, ALLOW, EPERM, ENOSYS]);
  });

  test("arm64 covers arm64", () => {
    const profile = defaultSeccomp({ capabilities: defaultCapabilities, architecture: "aarch64" });
    const { instructions } = compileSeccomp(profile, "aarch64");
    const arm = (number: number) => runFilter(instructions, { number, arch: 0xc000_00b7, args: [] });
    expect([arm(syscallTable.openat[2]), arm(syscallTable.mount[2])]).toEqual([ALLOW, EPERM]);
    expect(instructions.length).toBeLessThan(plain.length);
  });

  test("it is far from the kernel's limit of 4096 instructions", () => {
    expect(plain.length / 8).toBeLessThan(1000);
  });
});
