/** Programs that a plan runs and waits for. */
import { expect, test } from "bun:test";
import { closeSync } from "node:fs";
import { runPlan } from "../../../src/launch/launch.ts";
import { beginPlan, type LaunchPlan } from "../../../src/launch/plan.ts";
import { type ProgramRequest, runProgramInPlan } from "../../../src/launch/program.ts";
import { outputFile, pipe } from "../../helpers/launch-plans.ts";

const state = new TextEncoder().encode(JSON.stringify({ id: "x" }));

type Wanted = Partial<Omit<ProgramRequest, "stdin">> & { readonly script?: string; readonly input?: Uint8Array };

/** A plan that runs the scripts one after the other, each with the state on its stdin. */
function planOf(...programs: readonly Wanted[]): LaunchPlan {
  const plan = beginPlan("run programs");
  for (const { script = "exit 0", input = state, ...more } of programs) {
    const args = ["sh", "-c", script];
    runProgramInPlan(plan, {
      label: "run the hook",
      path: "/bin/sh",
      args,
      env: [],
      stdin: plan.bytes(input),
      ...more,
    });
  }
  plan.add({ kind: "exit", code: 7 });
  return plan.finish();
}

async function run(plan: LaunchPlan): Promise<string> {
  const file = outputFile();
  try {
    expect(await runPlan(plan, { stdio: ["ignore", file.fd, "inherit"] })).toBe(7);
    return file.text();
  } finally {
    closeSync(file.fd);
  }
}

test("gets its input to the end, arguments and environment, and the plan goes on", async () => {
  const output = await run(planOf({ script: 'cat; echo " $WORD $0"', env: ["WORD=word"] }));
  expect(output).toBe('{"id":"x"} word sh\n');
});

test("has an input that is larger than a pipe, read or not", async () => {
  const input = new Uint8Array(3_000_000).fill(97);
  expect(await run(planOf({ script: "wc -c", input }, { script: "echo unread", input }))).toBe("3000000\nunread\n");
});

test("leads a session and a process group of its own, and has no descriptor of the plan's", async () => {
  const held = pipe();
  const file = outputFile();
  const plan = planOf({ script: "read pid rest </proc/self/stat; echo $pid $rest; ls /proc/self/fd" });
  await runPlan({ ...plan, fds: ["held"] }, { fds: { held: held.write }, stdio: ["ignore", file.fd, "inherit"] });
  const [stat = "", ...descriptors] = file.text().trim().split("\n");
  const [pid, , , , group, session] = stat.split(" ");
  expect([group, session]).toEqual([pid, pid]);
  expect(descriptors).toEqual(["0", "1", "2", "3"]);
  for (const fd of [held.read, held.write, file.fd]) closeSync(fd);
});

test("any number of them: their slots are free again", async () => {
  const many = Array.from({ length: 100 }, (_, i) => ({ script: `echo ${i}`, timeoutSeconds: 3600 }));
  const lines = (await run(planOf(...many))).trim().split("\n");
  expect(lines).toEqual(many.map((_, i) => String(i)));
});

test("one that fails ends the plan, and those after it do not run", async () => {
  const file = outputFile();
  const failed = runPlan(planOf({ script: "exit 3" }, { script: "echo more" }), {
    stdio: ["ignore", file.fd, "inherit"],
  });
  await expect(failed).rejects.toMatchObject({ step: "run the hook", because: "exit status 3" });
  expect(file.text()).toBe("");
  closeSync(file.fd);
});

test("one that cannot be executed is told with its errno", async () => {
  await expect(runPlan(planOf({ path: "/nonexistent" }))).rejects.toMatchObject({
    step: "run the hook",
    because: "no such file or directory (ENOENT)",
  });
});

test("one that takes too long is killed with all that it has started", async () => {
  const alive = pipe();
  // 1 is the writing end of the pipe, in both processes: it ends when they are gone.
  const failed = runPlan(planOf({ script: "trap '' TERM HUP; sleep 1000 & wait", timeoutSeconds: 1 }), {
    stdio: ["ignore", alive.write, "inherit"],
  });
  closeSync(alive.write);
  await expect(failed).rejects.toMatchObject({ step: "run the hook", because: "it took too long (ETIMEDOUT)" });
  expect(await Bun.file(alive.read).text()).toBe("");
  closeSync(alive.read);
});

test("one that ends in time leaves no descriptor behind", async () => {
  const plan = beginPlan("count descriptors");
  const request = { label: "run", path: "/bin/true", args: ["true"], env: [], timeoutSeconds: 3600 };
  for (let i = 0; i < 3; i++) runProgramInPlan(plan, { ...request, stdin: plan.bytes(state) });
  const slot = plan.slot();
  plan.syscall("open one", "dup", [0], { save: slot });
  plan.syscall("exit with its number", "exit_group", [{ slot }]);
  // 3 and 4 are the launcher's.
  expect(await runPlan(plan.finish())).toBe(5);
});
