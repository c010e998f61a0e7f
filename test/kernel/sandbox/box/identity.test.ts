/** What config.json says of a process besides its user: schedule, personality, labels, exact limits, a filter that asks. */
import { afterAll, describe, expect, test } from "bun:test";
import { closeSync, existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { SOCK_STREAM } from "../../../../ffi/constants.ts";
import { receiveDescriptors, socketpair } from "../../../../ffi/socket.ts";
import { syscallTable } from "../../../../ffi/syscalls.ts";
import type { LinuxConfig, RuntimeConfig, RuntimeProcess, Seccomp } from "../../../../src/oci/runtime.ts";
import { capabilityNames } from "../../../../src/oci/runtime-words.ts";
import { create } from "../../../../src/runtime/create.ts";
import {
  type BoxSettings,
  boxInput,
  failure,
  host,
  openWorkshop,
  sharedDirectory,
} from "../../../helpers/busybox-box.ts";
import { boxFailure, inBox, type Kind, kinds, ociInput } from "../../../helpers/oci-box.ts";

const workshop = openWorkshop();
afterAll(() => workshop[Symbol.asyncDispose]());
const isRoot = host.uid === 0;
/** Some of this takes rights of the host, which root has without a user namespace of the box. */
const rightful: readonly Kind[] = isRoot ? ["no user namespace"] : [];
const changed = (process: Partial<RuntimeProcess>, linux: Partial<LinuxConfig> = {}): BoxSettings => ({
  confined: false,
  config: (config: RuntimeConfig): RuntimeConfig => ({
    ...config,
    process: { ...config.process, ...process },
    linux: { ...config.linux, ...linux },
  }),
});
const failureOf = (settings: BoxSettings) => boxFailure(workshop, settings);

/** CAP_SYS_RESOURCE, which root of a container often has not. */
const mayLowerOom = (((host.capabilities ?? 0n) >> 24n) & 1n) === 1n;
/** What a script prints in a box of that kind. */
const inKind = (kind: Kind) => (script: string, settings: BoxSettings) =>
  inBox(workshop, script, { ...settings, kind });
/** Nice value, real-time priority and policy (proc_pid_stat(5)): of the shell itself, and of a child. */
const ownSchedule = 'read line < /proc/self/stat; set -- $line; echo "${19} ${40} ${41}"';
const childSchedule = "cut -d' ' -f19,40,41 /proc/self/stat";
const ioPriorityIs = "/bin/busybox ionice -p $$";

describe.each(kinds)("%s: what everybody may have", (kind) => {
  const prints = inKind(kind);

  test("without a scheduler it is what it was", async () =>
    expect(await prints(ownSchedule, changed({}))).toBe("0 0 0"));

  test.each([
    [{ policy: "SCHED_OTHER", nice: 5 }, "5 0 0"],
    [{ policy: "SCHED_BATCH", nice: 19 }, "19 0 3"],
    [{ policy: "SCHED_IDLE" }, "0 0 5"],
  ] as const)("%p", async (scheduler, line) => expect(await prints(ownSchedule, changed({ scheduler }))).toBe(line));

  test.each([
    [{ class: "IOPRIO_CLASS_BE", priority: 0 }, "best-effort: prio 0"],
    [{ class: "IOPRIO_CLASS_BE", priority: 7 }, "best-effort: prio 7"],
    [{ class: "IOPRIO_CLASS_IDLE", priority: 0 }, "idle"],
  ] as const)("%p", async (ioPriority, line) => expect(await prints(ioPriorityIs, changed({ ioPriority }))).toBe(line));

  test("limits of 64 bits arrive as they are", async () => {
    const exact = 2n ** 53n + 1n;
    const rlimits = [{ type: "RLIMIT_FSIZE", soft: exact, hard: exact + 1n }];
    const line = await prints("grep 'Max file size' /proc/self/limits", changed({ rlimits }));
    expect(line.split(/\s{2,}/).slice(1, 3)).toEqual([String(exact), String(exact + 1n)]);
  });

  test.if(process.arch === "x64").each([
    ["LINUX32", "i686"],
    ["LINUX", "x86_64"],
  ] as const)("personality %s: the machine is %s", async (domain, machine) => {
    expect(await prints("/bin/busybox uname -m", changed({}, { personality: { domain } }))).toBe(machine);
  });

  test("user, groups and umask", async () => {
    const user = { uid: 7, gid: 8, additionalGids: [9, 10], umask: 0o033 };
    expect(await prints("id -u; id -g; id -G; umask", changed({ user }))).toBe("7\n8\n8 9 10\n0033");
  });

  test("capabilities, ambient ones too, with and without no_new_privs, under a filter", async () => {
    const net = ["CAP_NET_BIND_SERVICE"];
    const capabilities = { bounding: net, effective: net, permitted: net, inheritable: net, ambient: net };
    const seccomp: Seccomp = {
      defaultAction: "SCMP_ACT_ALLOW",
      syscalls: [{ names: ["mkdir"], action: "SCMP_ACT_ERRNO" }],
    };
    for (const noNewPrivileges of [false, true]) {
      const settings = changed({ user: { uid: 7, gid: 8 }, capabilities, noNewPrivileges }, { seccomp });
      const text = await prints("grep -E '^(Cap|NoNew|Seccomp:)' /proc/self/status | cut -f2", settings);
      const set = "0000000000000400";
      expect(text.split("\n")).toEqual([set, set, set, set, set, noNewPrivileges ? "1" : "0", "2"]);
    }
  });
});

describe.if(isRoot).each(rightful)("%s: what takes root of the host", (kind) => {
  const prints = inKind(kind);

  test.each([
    [{ policy: "SCHED_OTHER", nice: -7 }, "-7 0 0"],
    [{ policy: "SCHED_FIFO", priority: 10 }, "0 10 1"],
    [{ policy: "SCHED_RR", priority: 99 }, "0 99 2"],
    [{ policy: "SCHED_DEADLINE", runtime: 10_000_000, deadline: 30_000_000n, period: 100_000_000 }, "0 0 6"],
  ] as const)("%p", async (scheduler, line) => expect(await prints(ownSchedule, changed({ scheduler }))).toBe(line));

  test("flags: what is forked is ordinary again", async () => {
    const scheduler = { policy: "SCHED_FIFO", priority: 10, flags: ["SCHED_FLAG_RESET_ON_FORK"] };
    expect(await prints(`${ownSchedule}; ${childSchedule}; true`, changed({ scheduler }))).toBe("0 10 1\n0 0 0");
  });

  test("I/O in real time", async () => {
    const ioPriority = { class: "IOPRIO_CLASS_RT", priority: 3 } as const;
    expect(await prints(ioPriorityIs, changed({ ioPriority }))).toBe("realtime: prio 3");
  });

  test("capabilities that root itself has not are left out", async () => {
    const all = capabilityNames;
    const capabilities = { bounding: all, effective: all, permitted: all, inheritable: all, ambient: all };
    const text = await prints("grep -E '^Cap' /proc/self/status | cut -f2", changed({ capabilities }));
    const held = /^CapPrm:\s+(\w+)$/m.exec(readFileSync("/proc/self/status", "utf8"))?.[1] ?? "";
    expect(text.split("\n")).toEqual([held, held, held, held, held]);
  });

  test.if(mayLowerOom)("an OOM score that is lowered", async () => {
    expect(await prints("cat /proc/self/oom_score_adj", changed({ oomScoreAdj: -100 }))).toBe("-100");
  });
});

test("what only the host's root may have is refused with what it takes", async () => {
  expect(await failureOf(changed({ scheduler: { policy: "SCHED_FIFO", priority: 10 } }))).toMatchObject({
    code: "LAUNCH_FAILED",
    step: "set the scheduler SCHED_FIFO",
    hint: expect.stringContaining("CAP_SYS_NICE"),
  });
});

describe("labels", () => {
  const apparmor = existsSync("/sys/module/apparmor");
  const selinux = existsSync("/sys/fs/selinux/enforce");

  test.if(!apparmor)("an AppArmor profile where there is no AppArmor", async () => {
    expect(await failureOf(changed({ apparmorProfile: "box" }))).toMatchObject({
      code: "LAUNCH_FAILED",
      step: "find AppArmor",
      because: expect.stringContaining("AppArmor is not in use here"),
    });
  });

  test("unconfined is what everything is without AppArmor", async () => {
    expect(await inBox(workshop, "echo alive", changed({ apparmorProfile: "unconfined" }))).toBe("alive");
  });

  test.if(!selinux)("an SELinux label where there is no SELinux", async () => {
    expect(await failureOf(changed({ selinuxLabel: "system_u:system_r:box_t:s0" }))).toMatchObject({
      code: "LAUNCH_FAILED",
      step: "find SELinux",
      because: "SELinux is not in use here (ENOENT)",
    });
  });
});

describe("a filter that asks", () => {
  const directory = sharedDirectory(workshop);
  const agent = join(directory, "agent");
  const source = join(import.meta.dir, "../seccomp-agent.c");
  const gcc = Bun.spawnSync(["gcc", "-O1", "-Wall", "-Wextra", "-Werror", "-o", agent, source]);

  const asking = (...names: string[]): Seccomp => ({
    defaultAction: "SCMP_ACT_ALLOW",
    syscalls: [{ names, action: "SCMP_ACT_NOTIFY" }],
    listenerPath: "/run/agent",
    listenerMetadata: 'who "is" it',
  });
  const state = { ociVersion: "1.2.0", id: "box", status: "creating", bundle: "/b", annotations: { a: "1" } } as const;

  const processes = [
    ["with no_new_privs", { noNewPrivileges: true, user: { uid: 0, gid: 0 } }],
    ["of root", { noNewPrivileges: false, user: { uid: 0, gid: 0 } }],
    ["of a user", { noNewPrivileges: false, user: { uid: 1000, gid: 1000 } }],
  ] as const;
  const cases = kinds.flatMap((kind) =>
    processes.map(([name, process]) => [`${kind}, ${name}`, kind, process] as const),
  );

  test.each(cases)("%s: the listener is sent with the state, and its answer counts", async (_, kind, process) => {
    expect(gcc.stderr.toString()).toBe("");
    const [ours, theirs] = socketpair(SOCK_STREAM);
    const out = sharedDirectory(workshop);
    const options = {
      mounts: [{ kind: "bind", source: out, target: "/out", readonly: false, createSource: false, recursive: true }],
    } as const;
    const settings = { ...changed(process, { seccomp: asking("mkdir", "mkdirat") }), options, kind };
    const input = ociInput(workshop, ["/bin/sh", "-c", "mkdir /out/a > /out/text 2>&1"], settings);
    const sandbox = { ...input.sandbox, seccompListener: "listener", containerState: state };
    const container = await create({ ...input, sandbox, held: { listener: theirs } });
    closeSync(theirs);
    const { bytes, fds } = receiveDescriptors(ours, 4096);
    const { pid } = container;
    expect(JSON.parse(new TextDecoder().decode(bytes))).toEqual({
      ociVersion: "1.2.0",
      fds: ["seccompFd"],
      pid,
      metadata: 'who "is" it',
      state: { ...state, pid },
    });
    expect(fds).toHaveLength(1);
    const answering = Bun.spawn([agent], { stdio: ["ignore", "pipe", "inherit", fds[0] ?? -1] });
    container.start();
    expect(await container.launched.wait()).toBe(1);
    const { mkdir, mkdirat } = syscallTable;
    const numbers: readonly number[] = host.architecture === "aarch64" ? [mkdirat[2]] : [mkdir[0], mkdirat[0]];
    expect(numbers).toContain(Number(await answering.stdout.text()));
    expect(readFileSync(join(out, "text"), "utf8")).toContain("not supported");
    for (const fd of [ours, ...fds]) closeSync(fd);
  });

  test("nobody to ask, or about the question itself", async () => {
    const settings = (...names: string[]) => changed({}, { seccomp: asking(...names) });
    expect(await failureOf(settings("mkdir"))).toMatchObject({ code: "BAD_CONFIG", step: "read linux.seccomp" });
    const input = boxInput(workshop, ["/bin/true"], settings("sendmsg"));
    const sandbox = { ...input.sandbox, seccompListener: "listener", containerState: state };
    expect(await failure({ ...input, sandbox })).toMatchObject({
      code: "BAD_CONFIG",
      because: expect.stringContaining("sendmsg"),
    });
  });
});
