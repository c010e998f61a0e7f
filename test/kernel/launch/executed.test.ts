/** Knowing when the command is executed: a descriptor that ends with execve(2). */
import { afterAll, describe, expect, test } from "bun:test";
import { closeSync, mkdtempSync, openSync, rmSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { O_CLOEXEC, O_NONBLOCK, O_RDONLY, O_RDWR } from "../../../ffi/constants.ts";
import { becomeInit } from "../../../src/launch/init.ts";
import { launch, runPlan } from "../../../src/launch/launch.ts";
import { beginPlan, type LaunchPlan, type PlanBuilder, redirectReports } from "../../../src/launch/plan.ts";
import { readReports } from "../../../src/launch/reports.ts";
import { boxPlan, executeBusybox, outputFile, pipe, readUntil } from "../../helpers/launch-plans.ts";

const shell = (script: string) => (plan: PlanBuilder) => executeBusybox(plan, ["sh", "-c", script]);
const waitForGo = (plan: PlanBuilder): void => plan.syscall("wait", "read", [plan.fd("go"), plan.buffer(1), 1]);

/** Two ways to the command: as PID 1, and below an init. The launcher leaves the descriptor to the box. */
const ways = {
  "as PID 1": (command: (plan: PlanBuilder) => void) => (plan: PlanBuilder) => command(plan),
  "below init": (command: (plan: PlanBuilder) => void) => (plan: PlanBuilder) =>
    becomeInit(plan, () => command(plan), "executed"),
};

function planOf(child: (plan: PlanBuilder) => void): LaunchPlan {
  const plan = boxPlan(child, { fds: ["other", "executed", "go"] });
  const last = plan.ops.length - 1;
  const leave = beginPlan("leave");
  leave.syscall("leave it to the box", "close", [leave.fd("executed")]);
  return { ...plan, ops: [...plan.ops.slice(0, last), ...leave.finish().ops, ...plan.ops.slice(last)] };
}

describe.each(Object.entries(ways))("a command that is executed %s", (_, way) => {
  test("is told while it runs, and not before", async () => {
    const [input, go, other] = [pipe(), pipe(), outputFile()];
    const child = (plan: PlanBuilder): void => {
      waitForGo(plan);
      way(shell("read line; exit 3"))(plan);
    };
    const launched = launch(planOf(child), {
      fds: { other: other.fd, go: go.read },
      stdio: [input.read, "ignore", "inherit"],
    });
    await launched.nextEvent();
    let told = false;
    const executed = launched.executed().then(() => {
      told = true;
    });
    // The box waits for a byte: whatever is to happen without one has happened after some turns.
    for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
    expect(told).toBe(false);
    writeSync(go.write, "x");
    await executed;
    writeSync(input.write, "line\n");
    expect(await launched.wait()).toBe(3);
    for (const fd of [input.read, input.write, go.read, go.write, other.fd]) closeSync(fd);
  });

  test("that cannot be: its failure is thrown, also by waiting afterwards", async () => {
    const missing = (plan: PlanBuilder): void =>
      plan.syscall("execute sl", "execve", [plan.string("/nonexistent"), plan.vector(["sl"]), plan.vector([])]);
    const launched = launch(planOf(way(missing)), { fds: { other: 0, go: 0 } });
    await expect(launched.executed()).rejects.toThrow("execute sl: no such file or directory (ENOENT)");
    await expect(launched.wait()).rejects.toThrow("execute sl: no such file or directory (ENOENT)");
  });

  test("of a box that is killed before", async () => {
    const go = pipe();
    const child = (plan: PlanBuilder): void => {
      waitForGo(plan);
      way(shell("exit 0"))(plan);
    };
    const launched = launch(planOf(child), { fds: { other: 0, go: go.read } });
    const started = await launched.nextEvent();
    process.kill(started?.value ?? 0, "SIGKILL");
    await launched.executed();
    expect(await launched.wait()).toBe(137);
    for (const fd of [go.read, go.write]) closeSync(fd);
  });
});

test("below init the command finds neither what ends nor the report pipe, however fast it looks", async () => {
  const [output, held] = [pipe(), pipe()];
  const script = "while read key value; do [ $key = PPid: ] && ls /proc/$value/fd; done </proc/self/status; echo ready";
  const plan = planOf(ways["below init"](shell(script)));
  const launched = launch(plan, {
    stdio: ["ignore", output.write, "inherit"],
    fds: { other: held.read, go: held.read },
  });
  closeSync(output.write);
  // Only what it reads signals from, if it does already, and an end of the pipe that released the command.
  expect(await readUntil(output.read, /ready/)).toMatch(/^0\n1\n2\n(3\n)?(6\n)?ready\n$/);
  await launched.executed();
  expect(await launched.wait()).toBe(0);
  for (const fd of [output.read, held.read, held.write]) closeSync(fd);
});

test("a descriptor that the caller gives is not watched", async () => {
  const { read, write } = pipe();
  const launched = launch(planOf(shell("exit 0")), { fds: { executed: write, other: 0, go: 0 } });
  closeSync(write);
  await expect(launched.executed()).rejects.toMatchObject({ code: "INTERNAL" });
  expect(await launched.wait()).toBe(0);
  expect(await Bun.file(read).text()).toBe("");
  closeSync(read);
});

describe("reports that go elsewhere", () => {
  const directory = mkdtempSync(join(tmpdir(), "devbox-reports-"));
  afterAll(() => rmSync(directory, { recursive: true }));

  /** A box that waits for `go`, and from then on reports to a FIFO that only it holds. */
  function start(command: (plan: PlanBuilder) => void) {
    const path = join(directory, crypto.randomUUID());
    expect(Bun.spawnSync(["mkfifo", path]).exitCode).toBe(0);
    const [fifo, go] = [openSync(path, O_RDWR | O_CLOEXEC), pipe()];
    const child = (plan: PlanBuilder): void => {
      redirectReports(plan, "executed");
      waitForGo(plan);
      command(plan);
    };
    const launched = launch(planOf(child), { fds: { executed: fifo, other: 0, go: go.read } });
    closeSync(fifo);
    closeSync(go.read);
    return { path, launched, release: () => writeSync(go.write, "x"), [Symbol.dispose]: () => closeSync(go.write) };
  }

  const open = (path: string): number => openSync(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);

  test("a failure is read there, by whoever opens it, and not by who launched", async () => {
    using box = start((plan) => plan.syscall("enter /nonexistent", "chdir", [plan.string("/nonexistent")]));
    await box.launched.nextEvent();
    const reports = readReports(open(box.path));
    box.release();
    expect(await reports).toMatchObject([{ kind: "failed", errno: 2 }]);
    expect(await box.launched.wait()).toBe(125);
  });

  test.each(["as PID 1", "below init"] as const)("an execution %s is the end of it, without a report", async (way) => {
    using box = start(ways[way](shell("exit 4")));
    await box.launched.nextEvent();
    const reports = readReports(open(box.path));
    box.release();
    expect(await reports).toEqual([]);
    expect(await box.launched.wait()).toBe(4);
  });

  test("one that ended before anybody opened it", async () => {
    using box = start(shell("exit 4"));
    box.release();
    expect(await box.launched.wait()).toBe(4);
    expect(await readReports(open(box.path))).toEqual([]);
  });
});

test("release closes what was not watched", async () => {
  const launched = launch(planOf(shell("exit 0")), { fds: { other: 0, go: 0 } });
  const status = launched.executed();
  await status;
  launched.release();
  expect(await runPlan(planOf(shell("exit 6")), { fds: { other: 0, go: 0 } })).toBe(6);
});
