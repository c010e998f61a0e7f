/** create, start, stop, restart, kill, pause, update, rm. */
import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { boxesOnDisk, boxHome } from "../helpers/box.ts";
import { detachedBoxes, untilTerm } from "../helpers/detached.ts";

const here = boxHome();
const { home, image } = here;
const { start, printed, end, record, events } = detachedBoxes(here);

async function create(script: string, flags: readonly string[] = []): Promise<string> {
  return (await home.ok(["create", "--network", "none", ...flags, image, "sh", "-c", script])).trim();
}

test("a box is created, started, stopped, and started again with its files as they were", async () => {
  const id = await create(`cat /count; echo x >> /count; ${untilTerm}`, ["--name", "web"]);
  expect(record(id)).toMatchObject({ status: "created", name: "web" });
  expect(await home.ok(["start", "web"])).toBe("web\n");
  await printed("web", /ready/);
  expect(record(id).status).toBe("running");
  expect(await home.ok(["stop", "web"])).toBe("web\n");
  expect(record(id)).toMatchObject({ status: "exited", exitCode: 0 });
  expect(await home.ok(["start", id.slice(0, 12)])).toBe(`${id.slice(0, 12)}\n`);
  await printed("web", /ready\n(.*\n)*x\nready/);
  await home.ok(["rm", "-f", "web"]);
  expect(boxesOnDisk(home)).not.toContain(id);
});

test("start of a box that runs, and stop of one that does not, are no failures", async () => {
  const id = await start(untilTerm);
  await printed(id, /ready/);
  const { pid } = record(id);
  expect(await home.ok(["start", id])).toBe(`${id}\n`);
  expect(record(id).pid).toBe(pid ?? 0);
  await home.ok(["stop", id]);
  expect(await home.ok(["stop", id])).toBe(`${id}\n`);
  await home.ok(["rm", id]);
});

test("stop sends the signal of the box, and SIGKILL when it takes too long", async () => {
  const gentle = await start("trap 'exit 3' USR1; echo ready; while :; do sleep 0.05; done", ["--stop-signal", "USR1"]);
  await printed(gentle, /ready/);
  await home.ok(["stop", gentle]);
  expect(record(gentle).exitCode).toBe(3);
  const deaf = await start("trap '' TERM; echo ready; while :; do sleep 0.05; done");
  await printed(deaf, /ready/);
  await home.ok(["stop", "-t", "0", deaf]);
  expect(record(deaf).exitCode).toBe(137);
  const told = events(deaf).map(({ action, attributes }) => `${action} ${attributes["signal"] ?? ""}`.trim());
  expect(told).toEqual(["create", "start", "kill 15", "kill 9", "die", "stop"]);
  const other = await start("trap 'exit 4' INT; echo ready; while :; do sleep 0.05; done");
  await printed(other, /ready/);
  await home.ok(["stop", "-s", "SIGINT", other]);
  expect(record(other).exitCode).toBe(4);
});

test("restart ends it and starts it", async () => {
  const id = await start(untilTerm);
  await printed(id, /ready/);
  const { pid } = record(id);
  expect(await home.ok(["restart", id])).toBe(`${id}\n`);
  await printed(id, /bye\nready/);
  expect(record(id).status).toBe("running");
  expect(record(id).pid).not.toBe(pid ?? 0);
  await home.ok(["rm", "-f", id]);
});

test("kill sends any signal, and waits for the end that SIGKILL is", async () => {
  const id = await start("trap 'echo hup' HUP; echo ready; while :; do sleep 0.05; done");
  await printed(id, /ready/);
  expect(await home.ok(["kill", "-s", "HUP", id])).toBe(`${id}\n`);
  await printed(id, /hup/);
  await home.ok(["kill", id]);
  expect(record(id)).toMatchObject({ status: "exited", exitCode: 137 });
  const again = await home.run(["kill", id]);
  expect(again.exitCode).toBe(1);
  expect(again.stderr).toContain("not running");
  expect((await home.run(["kill", "-s", "NOSUCH", id])).stderr).toContain("NOSUCH");
});

test("several boxes in one command: those that can are done, the rest is told", async () => {
  const [one, two] = [await create("true"), await create("true")];
  const removed = await home.run(["rm", one, "nosuch", two]);
  expect(removed.stdout).toBe(`${one}\n${two}\n`);
  expect(removed.exitCode).toBe(1);
  expect(removed.stderr).toContain("nosuch");
  expect(await home.run(["rm", "-f", "nosuch"])).toMatchObject({ exitCode: 0 });
});

test("a box that runs is removed with --force only", async () => {
  const id = await start(untilTerm, ["--name", "busy"]);
  const refused = await home.run(["rm", "busy"]);
  expect(refused.exitCode).toBe(1);
  expect(refused.stderr).toContain("running");
  expect(await home.ok(["rm", "-f", "busy"])).toBe("busy\n");
  expect(boxesOnDisk(home)).not.toContain(id);
});

/** Ticks of the processor that the box has used: of its shell, which never ends. */
const ticks = (pid: number): number => {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  return Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[11]);
};

test("a paused box stands still, and goes on where it was", async () => {
  const id = await start("trap 'exit 0' TERM; echo ready; i=0; while :; do i=$((i+1)); done");
  await printed(id, /ready/);
  const pid = record(id).pid ?? 0;
  expect(await home.ok(["pause", id])).toBe(`${id}\n`);
  expect(record(id).status).toBe("paused");
  const before = ticks(pid);
  // What it would use the time for: devbox itself takes some.
  await home.ok(["version"]);
  await home.ok(["version"]);
  expect(ticks(pid)).toBe(before);
  expect((await home.run(["exec", id, "true"])).stderr).toContain("paused");
  expect((await home.run(["pause", id])).exitCode).toBe(1);
  expect(await home.ok(["unpause", id])).toBe(`${id}\n`);
  expect(record(id).status).toBe("running");
  while (ticks(pid) === before) await home.ok(["version"]);
  expect((await home.run(["unpause", id])).exitCode).toBe(1);
  await home.ok(["pause", id]);
  await home.ok(["stop", id]);
  expect(record(id)).toMatchObject({ status: "exited", exitCode: 0 });
});

test("start of what cannot be started says why, and the box stays", async () => {
  const id = (await home.ok(["create", "--network", "none", image, "nosuch"])).trim();
  const failed = await home.run(["start", id]);
  expect(failed.exitCode).toBe(127);
  expect(failed.stderr).toContain("nosuch");
  expect(record(id)).toMatchObject({ status: "created", exitCode: 127 });
  expect(record(id).error).toContain("nosuch");
  await home.ok(["rm", id]);
});

test("a box that ran in the foreground and was kept is started again", async () => {
  await home.ok(["run", "--network", "none", "--name", "kept", image, "sh", "-c", "echo x >> /count; cat /count"]);
  await home.ok(["start", "kept"]);
  await end("kept");
  expect(await home.ok(["logs", "kept"])).toBe("x\nx\n");
});

test("update changes the restart policy", async () => {
  const id = await start("trap 'exit 1' TERM; echo ready; while :; do sleep 0.05; done");
  await printed(id, /ready/);
  await home.ok(["update", "--restart", "on-failure:1", id]);
  const nothing = await home.run(["update", id]);
  expect(nothing.exitCode).toBe(125);
  await home.ok(["exec", id, "kill", "-TERM", "1"]);
  await printed(id, /ready\nready/);
  await home.ok(["rm", "-f", id]);
});
