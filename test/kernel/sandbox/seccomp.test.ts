/** The compiled filters in the kernel itself: it accepts them, and answers as they say. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type SyscallName, syscallTable } from "../../../ffi/syscalls.ts";
import type { Seccomp, SeccompAction } from "../../../src/oci/runtime.ts";
import { defaultCapabilities } from "../../../src/sandbox/capabilities.ts";
import { compileSeccomp } from "../../../src/sandbox/seccomp.ts";
import { defaultSeccomp } from "../../../src/sandbox/seccomp-profile.ts";

const architecture = process.arch === "arm64" ? "aarch64" : "x86_64";
const directory = mkdtempSync(join(tmpdir(), "devbox-seccomp-"));
const probe = join(directory, "probe");

beforeAll(() => {
  const source = join(import.meta.dir, "seccomp-probe.c");
  const gcc = Bun.spawnSync(["gcc", "-O1", "-Wall", "-Wextra", "-Werror", "-o", probe, source]);
  expect(gcc.stderr.toString()).toBe("");
});
afterAll(() => rmSync(directory, { recursive: true }));

interface Outcome {
  /** 0 or -errno of each call, up to the one that ended the process. */
  readonly results: readonly number[];
  readonly signal: string | number | undefined;
}

async function callUnder(seccomp: Seccomp, calls: readonly string[]): Promise<Outcome> {
  const { instructions, flags } = compileSeccomp(seccomp, architecture);
  const child = Bun.spawn([probe, String(flags), ...calls], { stdin: instructions, stdout: "pipe", stderr: "pipe" });
  const [output, errors] = await Promise.all([child.stdout.text(), child.stderr.text()]);
  await child.exited;
  expect(errors).toBe("");
  return { results: output.split(" ").filter(Boolean).map(Number), signal: child.signalCode ?? undefined };
}

function nr(name: SyscallName, ...args: number[]): string {
  return [syscallTable[name][architecture === "x86_64" ? 0 : 2], ...args].join(",");
}

const plain = defaultSeccomp({ capabilities: defaultCapabilities, architecture });
const EPERM = -1;
const ENOSYS = -38;

describe("default profile", () => {
  test("ordinary calls go on, others fail, unknown ones do not exist", async () => {
    const calls = [nr("getpid"), nr("keyctl"), nr("io_uring_setup"), nr("clone3"), "700", nr("getppid")];
    expect(await callUnder(plain, calls)).toEqual({ results: [0, EPERM, EPERM, ENOSYS, ENOSYS, 0], signal: undefined });
  });

  test("arguments are looked at", async () => {
    const calls = [
      nr("socket", 1, 1),
      nr("socket", 38, 5),
      nr("socket", 40, 1),
      nr("personality", 0xffffffff),
      nr("personality", 0x40000),
    ];
    expect((await callUnder(plain, calls)).results).toEqual([0, EPERM, EPERM, 0, EPERM]);
  });

  test("no user namespace without CAP_SYS_ADMIN in the bounding set", async () => {
    const unshareUser = nr("unshare", 0x10000000);
    expect((await callUnder(plain, [unshareUser])).results).toEqual([EPERM]);
    const admin = defaultSeccomp({ capabilities: ["CAP_SYS_ADMIN"], architecture });
    expect((await callUnder(admin, [unshareUser])).results).toEqual([0]);
  });

  test.if(architecture === "x86_64")("32-bit calls have numbers and rules of their own", async () => {
    const { getpid, clone3, keyctl } = syscallTable;
    const calls = [`i386:${getpid[1]}`, `i386:${keyctl[1]}`, `i386:${clone3[1]}`, "i386:700"];
    expect((await callUnder(plain, calls)).results).toEqual([0, EPERM, ENOSYS, ENOSYS]);
  });
});

describe("actions", () => {
  const on = (action: SeccompAction, errnoRet?: number): Seccomp => ({
    defaultAction: "SCMP_ACT_ALLOW",
    syscalls: [{ names: ["getpgid"], action, ...(errnoRet === undefined ? {} : { errnoRet }) }],
  });
  const calls = [nr("getppid"), nr("getpgid"), nr("getppid")];

  test.each(["SCMP_ACT_KILL", "SCMP_ACT_KILL_THREAD", "SCMP_ACT_KILL_PROCESS", "SCMP_ACT_TRAP"] as const)(
    "%s ends the process with SIGSYS",
    async (action) => {
      expect(await callUnder(on(action), calls)).toEqual({ results: [0], signal: "SIGSYS" });
    },
  );

  test("SCMP_ACT_ERRNO with a number of its own, SCMP_ACT_TRACE without a tracer, SCMP_ACT_LOG", async () => {
    expect((await callUnder(on("SCMP_ACT_ERRNO", 95), calls)).results).toEqual([0, -95, 0]);
    expect((await callUnder(on("SCMP_ACT_ERRNO", 0), calls)).results).toEqual([0, 0, 0]);
    expect((await callUnder(on("SCMP_ACT_TRACE"), calls)).results).toEqual([0, ENOSYS, 0]);
    expect((await callUnder(on("SCMP_ACT_LOG"), calls)).results).toEqual([0, 0, 0]);
  });

  test.if(architecture === "x86_64")("a table that is not covered ends the process", async () => {
    expect(await callUnder(on("SCMP_ACT_LOG"), [nr("getppid"), "i386:20"])).toEqual({ results: [0], signal: "SIGSYS" });
  });

  test("flags are accepted", async () => {
    const flags = ["SECCOMP_FILTER_FLAG_TSYNC", "SECCOMP_FILTER_FLAG_LOG", "SECCOMP_FILTER_FLAG_SPEC_ALLOW"];
    expect((await callUnder({ ...on("SCMP_ACT_ERRNO"), flags }, calls)).results).toEqual([0, EPERM, 0]);
  });
});

test("a program near the limit loads and jumps right", async () => {
  const values = Array.from({ length: 900 }, (_, value) => value);
  const seccomp: Seccomp = {
    defaultAction: "SCMP_ACT_ALLOW",
    syscalls: values.map((value) => ({
      names: ["getpgid"],
      action: "SCMP_ACT_ERRNO",
      errnoRet: 100 + (value % 30),
      args: [{ index: 3, op: "SCMP_CMP_EQ", value }],
    })),
  };
  const calls = [0, 450, 899, 900].map((value) => nr("getpgid", 0, 0, 0, value));
  expect((await callUnder(seccomp, calls)).results).toEqual([-100, -100, -129, 0]);
});
