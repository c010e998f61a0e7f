/** Who ends whom: the supervisor, PID 1, and the death of devbox. */
import { describe, expect, test } from "bun:test";
import { closeSync } from "node:fs";
import { SIGKILL, SIGTERM, SIGUSR1 } from "../../../ffi/constants.ts";
import { becomeInit } from "../../../src/launch/init.ts";
import { type Launched, launch } from "../../../src/launch/launch.ts";
import { beginPlan, type LaunchPlan, type PlanBuilder } from "../../../src/launch/plan.ts";
import { boxPlan, executeBusybox, forkPlan, pipe, readUntil } from "../../helpers/launch-plans.ts";

const shell = (script: string) => (plan: PlanBuilder) => executeBusybox(plan, ["sh", "-c", script]);

const initAnd = (script: string) => (plan: PlanBuilder) => becomeInit(plan, () => shell(script)(plan));

/** Run a script that waits for a line that never comes, once it has said that it is ready. */
async function startReady(plan: LaunchPlan): Promise<Launched & Disposable> {
  const [input, output] = [pipe(), pipe()];
  const launched = launch(plan, { stdio: [input.read, output.write, "inherit"] });
  closeSync(output.write);
  await readUntil(output.read, /ready/);
  return {
    ...launched,
    [Symbol.dispose]: () => {
      for (const fd of [input.read, input.write, output.read]) closeSync(fd);
    },
  };
}

const trap = (signal: string) => `trap 'exit 7' ${signal}; echo ready; read line`;

describe("signals sent to the supervisor", () => {
  test("reach the child", async () => {
    using launched = await startReady(forkPlan(shell(trap("USR1"))));
    launched.kill(SIGUSR1);
    expect(await launched.wait()).toBe(7);
  });

  test("reach PID 1 of a box that handles them", async () => {
    using launched = await startReady(boxPlan(shell(trap("TERM"))));
    launched.kill(SIGTERM);
    expect(await launched.wait()).toBe(7);
  });

  test("reach the command below --init, which handles them", async () => {
    using launched = await startReady(boxPlan(initAnd(trap("TERM"))));
    launched.kill(SIGTERM);
    expect(await launched.wait()).toBe(7);
  });

  test("end the command below --init, which does not handle them", async () => {
    using launched = await startReady(boxPlan(initAnd("echo ready; read line")));
    launched.kill(SIGTERM);
    expect(await launched.wait()).toBe(143);
  });
});

describe("--init", () => {
  test("takes the status of orphans: no zombie stays", async () => {
    // kill -0 finds a zombie too, so the loop ends only when PID 1 has reaped the orphan.
    const script =
      "orphan=$(sh -c 'sleep 0.01 >/dev/null & echo $!'); while kill -0 $orphan; do sleep 0.01; done; exit 5";
    const launched = launch(boxPlan(initAnd(script)), { stdio: ["ignore", "ignore", "ignore"] });
    expect(await launched.wait()).toBe(5);
  });

  test("holds no descriptor: nothing of the host can be reached through /proc/1/fd", async () => {
    const [output, held] = [pipe(), pipe()];
    // The host's /proc shows the processes of the box under the numbers that they have there.
    const script =
      "while read key value; do [ $key = PPid: ] && ls /proc/$value/fd; done </proc/self/status; echo ready";
    const plan = boxPlan(initAnd(script), { fds: ["held"] });
    const launched = launch(plan, { stdio: ["ignore", output.write, "inherit"], fds: { held: held.read } });
    closeSync(output.write);
    const text = await readUntil(output.read, /ready/);
    // 4 is the report pipe, which PID 1 closes, 3 what it then reads signals from: it may be so far, or not yet.
    expect(text).toMatch(/^0\n1\n2\n(3\n)?(4\n)?ready\n$/);
    expect(await launched.wait()).toBe(0);
    for (const fd of [output.read, held.read, held.write]) closeSync(fd);
  });

  test("a command that exits ends the box, whatever else runs in it", async () => {
    const launched = launch(boxPlan(initAnd("sleep 1000 & exit 3")), { stdio: ["ignore", "ignore", "ignore"] });
    expect(await launched.wait()).toBe(3);
  });
});

describe("the death of devbox", () => {
  const program = new URL("../../fixtures/launch/box-that-stays.ts", import.meta.url).pathname;

  /** Start a box through a process of its own, kill that one, and read the box's output until nobody is left to write. */
  async function outlives(kind: string): Promise<void> {
    // Ours to hold: a pipe of the runtime's would end with the process, and the box by reading its end.
    const input = pipe();
    const child = Bun.spawn([process.execPath, program, kind], {
      stdin: input.read,
      stdout: "pipe",
      stderr: "inherit",
    });
    const reader = child.stdout.getReader();
    const first = await reader.read();
    expect(new TextDecoder().decode(first.value)).toBe("ready\n");
    child.kill(SIGKILL);
    // The box ignores all signals that can be ignored: this ends only when the box was killed.
    expect((await reader.read()).done).toBe(true);
    await child.exited;
    for (const fd of [input.read, input.write]) closeSync(fd);
  }

  test("ends its box", () => outlives("box"));
  test("ends a box whose processes have changed their user", () => outlives("other-user"));
  test("ends a command below --init", () => outlives("init"));
  test("ends a child without namespaces", () => outlives("fork"));
});

test("an untied supervisor and its box live on when nobody reads reports any more", async () => {
  const [input, output] = [pipe(), pipe()];
  const plan = boxPlan(shell("echo ready; read line; echo $line"), { tied: false });
  const launched = launch(plan, { stdio: [input.read, output.write, "inherit"] });
  for (const fd of [output.write, input.read]) closeSync(fd);
  launched.release();
  await Bun.write(Bun.file(input.write), "alive\n");
  expect(await readUntil(output.read, /alive/)).toBe("ready\nalive\n");
  for (const fd of [output.read, input.write]) closeSync(fd);
});

test("a report that nobody will read is lost, and nothing else", async () => {
  const plan = beginPlan("report to nobody");
  plan.syscall("wait", "read", [plan.fd("go"), plan.buffer(1), 1]);
  plan.add({ kind: "report", event: "ready", slot: plan.slot() });
  plan.add({ kind: "exit", code: 7 });
  const go = pipe();
  const launched = launch(plan.finish(), { fds: { go: go.read } });
  launched.release();
  for (const fd of [go.read, go.write]) closeSync(fd);
  expect(await launched.wait()).toBe(7);
});
