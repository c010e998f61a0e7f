/** Plans run by the real launcher on the real kernel, as whoever runs the tests: an ordinary user, and root. */
import { describe, expect, test } from "bun:test";
import { closeSync, openSync, readFileSync, readlinkSync, writeSync } from "node:fs";
import {
  AT_FDCWD,
  F_SEAL_GROW,
  F_SEAL_SEAL,
  F_SEAL_SHRINK,
  F_SEAL_WRITE,
  O_RDONLY,
  SIGTERM,
} from "../../../ffi/constants.ts";
import { EACCES, ENOENT } from "../../../ffi/errno.ts";
import { getSeals } from "../../../ffi/libc.ts";
import { DevboxError } from "../../../src/core/errors.ts";
import { defaultIdMap } from "../../../src/host/id-map.ts";
import { readHostFacts } from "../../../src/host/read-facts.ts";
import { launch, runPlan } from "../../../src/launch/launch.ts";
import { beginPlan, type LaunchPlan, type PlanBuilder } from "../../../src/launch/plan.ts";
import { boxPlan, executeBusybox, forkPlan, outputFile, pipe } from "../../helpers/launch-plans.ts";

const shell = (script: string) => (plan: PlanBuilder) => executeBusybox(plan, ["sh", "-c", script]);

/** Run a plan to its end: what it printed, and its exit status. */
async function run(plan: LaunchPlan): Promise<{ status: number; output: string }> {
  const file = outputFile();
  try {
    const status = await runPlan(plan, { stdio: ["ignore", file.fd, "inherit"] });
    return { status, output: file.text() };
  } finally {
    closeSync(file.fd);
  }
}

async function failureOf(plan: LaunchPlan): Promise<DevboxError> {
  const error = await runPlan(plan).then(
    (status) => new Error(`exit status ${status}`),
    (thrown) => thrown,
  );
  if (!(error instanceof DevboxError)) throw error;
  return error;
}

/** Everything that is written until the last holder of the writing end is gone. */
async function readToEnd(fd: number): Promise<string> {
  return await Bun.file(fd).text();
}

describe("a box", () => {
  test("is root of its own user namespace, with the map that was asked for", async () => {
    const { status, output } = await run(boxPlan(shell("id -u; id -g; cat /proc/self/uid_map /proc/self/gid_map")));
    const map = defaultIdMap(readHostFacts(process.env));
    const lines = [...map.uid, ...map.gid].map(({ containerID, hostID, size }) => `${containerID} ${hostID} ${size}`);
    expect(
      output
        .trim()
        .split("\n")
        .map((line) => line.trim().replace(/\s+/g, " ")),
    ).toEqual(["0", "0", ...lines]);
    expect(status).toBe(0);
  });

  test("has namespaces of its own, all seven", async () => {
    const names = ["cgroup", "ipc", "mnt", "net", "pid", "user", "uts"];
    const { output } = await run(boxPlan(shell(names.map((name) => `readlink /proc/self/ns/${name}`).join(";"))));
    const theirs = output.trim().split("\n");
    expect(theirs.map((link) => link.replace(/:.*/, ""))).toEqual(names);
    for (const [i, name] of names.entries()) expect(theirs[i]).not.toBe(readlinkSync(`/proc/self/ns/${name}`));
  });

  test("has no supplementary groups, no blocked signals, and no descriptors but 0, 1, 2", async () => {
    const { read, write } = pipe();
    const file = outputFile();
    const plan = boxPlan(shell("grep -E '^(Groups|SigBlk|SigIgn)' /proc/self/status; ls /proc/self/fd"), {
      fds: ["held"],
    });
    expect(await runPlan(plan, { stdio: ["ignore", file.fd, "inherit"], fds: { held: write } })).toBe(0);
    const words = file.text().trim().split(/\s+/);
    // 3 is the directory that ls reads.
    expect(words).toEqual(["Groups:", "SigBlk:", "0".repeat(16), "SigIgn:", "0".repeat(16), "0", "1", "2", "3"]);
    for (const fd of [read, write, file.fd]) closeSync(fd);
  });

  test("reports its start with the process id as the host sees it", async () => {
    const input = pipe();
    const launched = launch(boxPlan(shell("read line")), { stdio: [input.read, "ignore", "inherit"] });
    const started = await launched.nextEvent();
    expect(started).toMatchObject({ event: "started" });
    const status = readFileSync(`/proc/${started?.value}/status`, "utf8");
    expect(status).toContain(`\nPPid:\t${launched.pid}\n`);
    for (const fd of [input.read, input.write]) closeSync(fd);
    expect(await launched.nextEvent()).toMatchObject({ event: "exited" });
    expect(await launched.nextEvent()).toBeUndefined();
    expect(await launched.wait()).toBe(1);
  });

  test("twenty at once", async () => {
    const numbers = Array.from({ length: 20 }, (_, i) => i);
    expect(await Promise.all(numbers.map((i) => runPlan(boxPlan(shell(`exit ${i}`)))))).toEqual(numbers);
  });
});

test("a descriptor that takes another one's place closes it; a failure in its place closes it too", async () => {
  const plan = beginPlan("replace");
  const [first, second, missing] = [plan.descriptor(), plan.descriptor(), plan.mark("missing")];
  const open = (slot: number, path: string, more = {}): void =>
    plan.syscall(`open ${path}`, "openat", [AT_FDCWD, plan.string(path), O_RDONLY, 0], { save: slot, ...more });
  for (let i = 0; i < 5; i++) open(first, "/");
  open(second, "/");
  open(second, "/nonexistent", { tolerate: [ENOENT], onError: missing });
  plan.here(missing);
  // The plan's own are closed on exec, those of the slots not: they were opened without O_CLOEXEC.
  shell("ls /proc/self/fd")(plan);
  const { output } = await run(plan.finish());
  // 0, 1, 2, the one that the first slot holds, and that of ls.
  expect(output.trim().split("\n")).toHaveLength(5);
});

describe("the end of a process", () => {
  test("its exit status is passed on", async () => {
    expect(await runPlan(boxPlan(shell("exit 42")))).toBe(42);
    expect(await runPlan(forkPlan(shell("exit 255")))).toBe(255);
  });

  test("a signal is passed on as 128 + n", async () => {
    expect(await runPlan(forkPlan(shell("kill -9 $$")))).toBe(137);
    expect(await runPlan(forkPlan(shell("kill -15 $$")))).toBe(143);
  });

  test("without a supervisor the launcher becomes the program", async () => {
    const plan = beginPlan("replace");
    shell("kill -2 $$")(plan);
    expect(await runPlan(plan.finish())).toBe(130);
  });

  test("a plan that comes to its end exits with 0", async () => {
    expect(await runPlan(beginPlan("nothing").finish())).toBe(0);
  });
});

describe("a step that fails", () => {
  test("in the child: label and errno", async () => {
    const plan = boxPlan((child) => {
      child.syscall("enter /nonexistent", "chdir", [child.string("/nonexistent")]);
      shell("exit 0")(child);
    });
    const error = await failureOf(plan);
    expect(error).toMatchObject({ code: "LAUNCH_FAILED", step: "enter /nonexistent" });
    expect(error.because).toBe("no such file or directory (ENOENT)");
  });

  test("in the launcher: label and errno, and the child goes away", async () => {
    const { read, write } = pipe();
    const plan = beginPlan("fail");
    plan.fd("alive");
    plan.fork("start the child", 0, () => shell("exit 0")(plan));
    plan.syscall("open /etc/shadow/x", "openat", [AT_FDCWD, plan.string("/etc/shadow/x"), O_RDONLY, 0]);
    const failed = runPlan(plan.finish(), { fds: { alive: write } });
    closeSync(write);
    expect(await failed.catch((error) => error)).toMatchObject({ step: "open /etc/shadow/x" });
    expect(await readToEnd(read)).toBe("");
    closeSync(read);
  });

  test("a helper: its name and exit status", async () => {
    const plan = beginPlan("help");
    plan.waitForSuccess(
      "helper",
      plan.fork("start", 0, () => shell("exit 3")(plan)),
    );
    expect((await failureOf(plan.finish())).message).toBe("helper: exit status 3");
  });

  test("a helper that a signal has ended", async () => {
    const plan = beginPlan("help");
    plan.waitForSuccess(
      "helper",
      plan.fork("start", 0, () => shell("kill -9 $$")(plan)),
    );
    expect((await failureOf(plan.finish())).message).toBe("helper: exit status 137");
  });

  test("a tolerated error can be looked at, and told", async () => {
    const plan = beginPlan("look");
    const [result, missing] = [plan.slot(), plan.mark("missing")];
    plan.syscall("enter", "chdir", [plan.string("/nonexistent")], {
      tolerate: [EACCES, ENOENT],
      save: result,
      onError: missing,
    });
    plan.add({ kind: "exit", code: 1 });
    plan.here(missing);
    plan.add({ kind: "fail", label: "find the directory", errno: { slot: result } });
    expect((await failureOf(plan.finish())).message).toBe("find the directory: no such file or directory (ENOENT)");
  });

  test("an event that is awaited throws the failure as well", async () => {
    const plan = boxPlan((child) => child.add({ kind: "fail", label: "give up", errno: EACCES }));
    const launched = launch(plan);
    const untilFailure = async (): Promise<void> => {
      // "started" comes from another process than the failure: before it, or after.
      for (;;) await launched.nextEvent();
    };
    expect(untilFailure()).rejects.toThrow("give up: permission denied (EACCES)");
    await launched.wait().catch(() => {});
  });

  test("the caller can give a better error", async () => {
    const plan = beginPlan("translate");
    plan.syscall("execute sl", "execve", [plan.string("/nonexistent"), plan.vector(["sl"]), plan.vector([])]);
    const translate = ({ label, errno }: { label: string; errno: number }) =>
      errno === ENOENT ? new DevboxError("COMMAND_NOT_FOUND", { step: label }) : undefined;
    expect(runPlan(plan.finish(), { translate })).rejects.toMatchObject({
      code: "COMMAND_NOT_FOUND",
      step: "execute sl",
    });
  });
});

describe("id maps", () => {
  const host = readHostFacts(process.env);

  test("one id of our own needs no helper programs", async () => {
    const map = {
      uid: [{ containerID: 0, hostID: host.uid, size: 1 }],
      gid: [{ containerID: 0, hostID: host.gid, size: 1 }],
    };
    const { output } = await run(boxPlan(shell("id -u; cat /proc/self/uid_map"), { map }));
    expect(output.trim().split(/\s+/)).toEqual(["0", "0", String(host.uid), "1"]);
  });

  test.skipIf(host.uid === 0)("ids that are not ours: newuidmap refuses, and the waiting child goes away", async () => {
    const { read, write } = pipe();
    const ids = [{ containerID: 0, hostID: 1, size: 2 }];
    const launched = launch(boxPlan(shell("exit 0"), { map: { uid: ids, gid: ids }, fds: ["alive"] }), {
      fds: { alive: write },
      stdio: ["ignore", "ignore", "ignore"],
    });
    closeSync(write);
    expect(await launched.wait().catch((error) => error.message)).toBe("newuidmap: exit status 1");
    expect(await readToEnd(read)).toBe("");
    closeSync(read);
  });
});

test("the launcher's program is sealed: a box that reaches it cannot change it", async () => {
  const input = pipe();
  const launched = launch(forkPlan(shell("read line")), { stdio: [input.read, "ignore", "inherit"] });
  const program = openSync(`/proc/${launched.pid}/exe`, "r");
  expect(getSeals(program)).toBe(F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE);
  expect(readlinkSync(`/proc/${launched.pid}/exe`)).toContain("memfd:devbox-launcher");
  expect(() => openSync(`/proc/${launched.pid}/exe`, "r+")).toThrow("ETXTBSY");
  launched.kill(SIGTERM);
  expect(await launched.wait()).toBe(143);
  for (const fd of [program, input.read, input.write]) closeSync(fd);
});

test("descriptors go to their names, whatever numbers they have here, and however many there are", async () => {
  const files = Array.from({ length: 10 }, (_, i) => {
    const file = outputFile();
    writeSync(file.fd, `${i};`);
    return file;
  });
  // More names than there are open files: their places are the numbers that the files, and the launcher's program, have here.
  const named = Array.from({ length: 80 }, (_, i) => (i * 7) % files.length);
  const plan = beginPlan("show descriptors");
  for (const i of named.keys()) {
    const buffer = plan.buffer(2);
    plan.syscall("read it", "pread64", [plan.fd(`descriptor-${i}`), buffer, 2, 0]);
    plan.syscall("show it", "write", [1, buffer, 2]);
  }
  const output = outputFile();
  const fds = Object.fromEntries(named.map((file, i) => [`descriptor-${i}`, files[file]?.fd ?? -1]));
  expect(await runPlan(plan.finish(), { fds, stdio: ["ignore", output.fd, "inherit"] })).toBe(0);
  expect(output.text()).toBe(named.map((file) => `${file};`).join(""));
  for (const { fd } of [...files, output]) closeSync(fd);
});
