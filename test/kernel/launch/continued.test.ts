/** A plan that continues with another one, which is handed over while the first is under way. */
import { expect, test } from "bun:test";
import { closeSync } from "node:fs";
import { ENOENT } from "../../../ffi/errno.ts";
import { wire } from "../../../ffi/launcher/format.ts";
import { type Launched, launch } from "../../../src/launch/launch.ts";
import { beginPlan, type LaunchPlan, type PlanBuilder } from "../../../src/launch/plan.ts";
import { boxPlan, executeBusybox, outputFile, pipe } from "../../helpers/launch-plans.ts";

const shell = (script: string) => (plan: PlanBuilder) => executeBusybox(plan, ["sh", "-c", script]);
const waiting = (fds: readonly string[] = []): LaunchPlan => boxPlan((plan) => plan.add({ kind: "continue" }), { fds });

function planOf(append: (plan: PlanBuilder) => void): LaunchPlan {
  const plan = beginPlan("the rest");
  append(plan);
  return plan.finish();
}

async function started(launched: Launched): Promise<number> {
  const event = await launched.nextEvent();
  if (event?.event !== "started") throw new Error(`not started, but ${event?.event}`);
  return event.value;
}

test("the child goes on with it in its namespaces, also when it was there before the child", async () => {
  for (const early of [true, false]) {
    const file = outputFile();
    const launched = launch(waiting(), { stdio: ["ignore", file.fd, "inherit"] });
    if (!early) await started(launched);
    launched.proceed(planOf(shell("id -u; echo $$; exit 7")));
    expect(await launched.wait()).toBe(7);
    expect(file.text()).toBe("0\n1\n");
    closeSync(file.fd);
  }
});

test("one that is larger than a pipe", async () => {
  const launched = launch(waiting());
  const rest = planOf((plan) => {
    // 3,000 operations that do nothing, 96 bytes each.
    for (let i = 0; i < 3000; i++) plan.syscall("ask", "getpid", []);
    shell("exit 9")(plan);
  });
  expect(rest.ops.length * wire.OP_BYTES).toBeGreaterThan(65_536);
  launched.proceed(rest);
  expect(await launched.wait()).toBe(9);
});

test("its slots are empty: what the first has kept in them is nothing to it", async () => {
  const first = beginPlan("first");
  const slot = first.slot();
  first.syscall("ask", "umask", [0o27], { save: slot });
  first.syscall("ask", "umask", [0], { save: slot });
  first.add({ kind: "continue" });
  const launched = launch(first.finish());
  launched.proceed(planOf((plan) => plan.syscall("exit with what the slot holds", "exit_group", [{ slot }])));
  expect(await launched.wait()).toBe(0);
});

test("descriptors that were given at the launch have their names in it", async () => {
  const { read, write } = pipe();
  const launched = launch(waiting(["first", "second"]), { fds: { first: 0, second: write } });
  closeSync(write);
  launched.proceed(
    planOf((plan) => plan.syscall("write to the second", "write", [plan.fd("second"), plan.string("word"), 4])),
  );
  expect(await launched.wait()).toBe(0);
  expect(await Bun.file(read).text()).toBe("word");
  closeSync(read);
});

test("one that names others is a bug", async () => {
  const launched = launch(waiting(["lock"]), { fds: { lock: 0 } });
  const rest = planOf((plan) => plan.syscall("close", "close", [plan.fd("console")]));
  expect(() => launched.proceed(rest)).toThrow("no descriptor named console");
  expect(await launched.wait()).toBe(125);
});

test("a step of it that fails is told by its own label", async () => {
  const launched = launch(waiting());
  launched.proceed(
    planOf((plan) => {
      plan.syscall("ask", "getpid", []);
      plan.syscall("enter /nonexistent", "chdir", [plan.string("/nonexistent")]);
    }),
  );
  await expect(launched.wait()).rejects.toMatchObject({
    step: "enter /nonexistent",
    cause: { call: "chdir", errno: ENOENT, message: expect.stringContaining('of the plan "the rest"') },
  });
});

test("a step of the first that fails is told as ever, whatever has been handed over", async () => {
  const first = boxPlan((plan) => plan.syscall("enter /nonexistent", "chdir", [plan.string("/nonexistent")]));
  const launched = launch({ ...first, ops: [...first.ops, { kind: "continue" }] });
  launched.proceed(planOf(shell("exit 0")));
  await expect(launched.wait()).rejects.toMatchObject({ step: "enter /nonexistent" });
});

test("without one the child gives up, and the launcher with it", async () => {
  const { read, write } = pipe();
  const launched = launch(waiting(["alive"]), { fds: { alive: write } });
  closeSync(write);
  await started(launched);
  expect(await launched.wait()).toBe(125);
  expect(await Bun.file(read).text()).toBe("");
  closeSync(read);
});

test("handing it to a child that is gone is no failure: its end is told by waiting", async () => {
  const launched = launch(waiting());
  process.kill(await started(launched), "SIGKILL");
  expect(await launched.nextEvent()).toMatchObject({ event: "exited" });
  launched.proceed(planOf(shell("exit 0")));
  expect(await launched.wait()).toBe(137);
});
