/** Restart policies, health checks, limits: what happens to a box while nobody looks. */
import { expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { boxHome } from "../helpers/box.ts";
import { detachedBoxes, untilTerm } from "../helpers/detached.ts";
import { gone, processes } from "../helpers/processes.ts";

const here = boxHome();
const { home, image } = here;
const { start, printed, end, record, events, happened } = detachedBoxes(here);

test("on-failure:2 starts it twice more, and leaves it with its exit code", async () => {
  const id = await start("echo run; exit 3", ["--restart", "on-failure:2"]);
  expect(await end(id)).toBe(3);
  expect(record(id)).toMatchObject({ status: "exited", exitCode: 3, restartCount: 2 });
  expect(await home.ok(["logs", id])).toBe("run\nrun\nrun\n");
  expect(events(id).map(({ action }) => action)).toEqual(["create", "start", "die", "start", "die", "start", "die"]);
});

test("on-failure leaves alone what went well", async () => {
  const id = await start("exit 0", ["--restart", "on-failure"]);
  expect(await end(id)).toBe(0);
  expect(record(id).restartCount).toBeUndefined();
});

test("always starts it again until the user ends it, also while it waits", async () => {
  const id = await start("echo run", ["--restart", "always", "--name", "forever"]);
  await printed("forever", /run\nrun\nrun/);
  expect(await home.ok(["stop", "forever"])).toBe("forever\n");
  expect(record(id).status).toBe("exited");
  const { monitorPid } = record(id);
  expect(monitorPid).toBeUndefined();
  // Whoever has written that down is about to end.
  await gone(processes().flatMap(({ pid, command }) => (command.includes(id) ? [pid] : [])));
  await home.ok(["start", "forever"]);
  await printed("forever", /run\nrun\nrun\nrun/);
  await home.ok(["rm", "-f", "forever"]);
});

test("while it waits to be started again, no devbox does", async () => {
  const id = await start("exit 1", ["--restart", "always"]);
  // The pause doubles: it soon is long enough to be looked at.
  let waiting = record(id);
  while (waiting.status !== "restarting" || (waiting.restartDelayMs ?? 0) < 800) {
    await home.ok(["version"]);
    waiting = record(id);
  }
  const command = processes().find(({ pid }) => pid === waiting.monitorPid)?.command;
  expect(command).toBe("devbox-launcher");
  await home.ok(["rm", "-f", id]);
});

test("wait is over at the next end, also of a box that is started again", async () => {
  const id = await start("rm -f /go; while [ ! -e /go ]; do sleep 0.01; done; exit 4", ["--restart", "always"]);
  await using waiting = home.start(["wait", id]);
  // Whether it waits already, only an end tells.
  for (let ends = 1, isOver = false; !isOver; ends++) {
    await home.run(["exec", id, "touch", "/go"]);
    await happened(id, "start", ends + 1);
    isOver = await Promise.race([waiting.result.then(() => true), Bun.sleep(50).then(() => false)]);
  }
  expect(await waiting.result).toMatchObject({ stdout: "4\n", exitCode: 0 });
  await home.ok(["rm", "-f", id]);
});

test("restart of a box with --rm keeps it and its files for this once", async () => {
  const id = await start(`echo run >> /runs; cat /runs; ${untilTerm}`, ["--rm"]);
  await printed(id, /ready/);
  await home.ok(["restart", id]);
  await printed(id, /bye\nrun\nrun\nready/);
  expect(record(id).ephemeral).toBe(true);
  await home.ok(["stop", id]);
  expect(existsSync(join(home.store, "boxes", id))).toBe(false);
});

test("--rm and --restart contradict each other, and so does the foreground", async () => {
  const both = await home.run(["run", "-d", "--rm", "--restart", "always", image, "true"]);
  expect(both.exitCode).toBe(125);
  const fore = await home.run(["run", "--keep", "--restart", "always", image, "true"]);
  expect(fore.stderr).toContain("--detach");
});

test("a waiting launcher that is killed leaves a box that has ended", async () => {
  const id = await start("exit 6", ["--restart", "always"]);
  let waiting = record(id);
  while (waiting.status !== "restarting" || (waiting.restartDelayMs ?? 0) < 800) {
    await home.ok(["version"]);
    waiting = record(id);
  }
  process.kill(waiting.monitorPid ?? 0, "SIGKILL");
  await gone([waiting.monitorPid ?? 0]);
  expect(await end(id)).toBe(6);
});

function healthOf(id: string): { readonly status: string; readonly log: readonly { readonly output: string }[] } {
  return JSON.parse(readFileSync(join(home.store, "boxes", id, "health.json"), "utf8"));
}

test("health: starting, healthy, unhealthy, as the check says", async () => {
  const flags = [
    "--health-cmd",
    "cat /tmp/ok",
    "--health-interval",
    "50ms",
    "--health-retries",
    "2",
    "--tmpfs",
    "/tmp",
  ];
  const id = await start(untilTerm, flags);
  await printed(id, /ready/);
  await happened(id, "health_status");
  expect(healthOf(id).status).toBe("unhealthy");
  expect(healthOf(id).log.at(-1)?.output).toContain("/tmp/ok");
  await home.ok(["exec", id, "sh", "-c", "echo fine > /tmp/ok"]);
  await happened(id, "health_status", 2);
  expect(healthOf(id).status).toBe("healthy");
  expect(healthOf(id).log.at(-1)?.output).toBe("fine\n");
  const changes = events(id).filter(({ action }) => action === "health_status");
  expect(changes.map(({ attributes }) => attributes["status"])).toEqual(["unhealthy", "healthy"]);
  await home.ok(["rm", "-f", id]);
});

test("a check that takes too long has failed", async () => {
  const flags = ["--health-cmd", "sleep 1000", "--health-interval", "20ms", "--health-timeout", "50ms"];
  const id = await start(untilTerm, [...flags, "--health-retries", "1"]);
  await happened(id, "health_status");
  expect(healthOf(id).log[0]?.output).toContain("timeout");
  await home.ok(["rm", "-f", id]);
});

test("limits that this machine cannot set are warned of once, and the box runs", async () => {
  const result = await home.run([
    "run",
    "-d",
    "--network",
    "none",
    "--memory",
    "64m",
    "--pids-limit",
    "50",
    image,
    "true",
  ]);
  expect(result.exitCode).toBe(0);
  const id = result.stdout.trim();
  expect(await end(id)).toBe(0);
  if (result.stderr !== "") expect(result.stderr.trim().split("\n")).toHaveLength(1);
});
