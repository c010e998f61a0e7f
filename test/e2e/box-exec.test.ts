/** devbox exec. */
import { beforeAll, expect, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { boxHome } from "../helpers/box.ts";
import { detachedBoxes } from "../helpers/detached.ts";
import { openTerminal } from "../helpers/terminal.ts";

const here = boxHome();
const { home, image } = here;
const { start, printed, end } = detachedBoxes(here);
beforeAll(async () => {
  const flags = ["--name", "web", "-e", "OWN=yes", "-w", "/tmp", "--hostname", "inside"];
  await start("trap 'exit 0' TERM; echo ready; while :; do sleep 0.05; done", flags);
  await printed("web", /ready/);
});
const inside = async (flags: readonly string[], script: string): Promise<string> =>
  (await home.ok(["exec", ...flags, "web", "sh", "-c", script])).replace(/\n$/, "");

test("it runs beside the box's process: same names, files, processes, environment and place", async () => {
  expect(await inside([], "hostname; pwd; echo $OWN; id -u; tr '\\0' ' ' < /proc/1/cmdline | cut -c1-5")).toBe(
    "inside\n/tmp\nyes\n0\nsh -c",
  );
});

test("its exit status is devbox's, its streams are passed on", async () => {
  const result = await home.run(["exec", "web", "sh", "-c", "cat; echo err >&2; exit 6"], { stdin: "in\n" });
  expect(result).toEqual({ stdout: "in\n", stderr: "err\n", exitCode: 6 });
  expect((await home.run(["exec", "web", "sh", "-c", "kill -9 $$"])).exitCode).toBe(137);
  expect((await home.run(["exec", "-i=false", "web", "cat"], { stdin: "in\n" })).stdout).toBe("");
});

test("what cannot be executed", async () => {
  expect((await home.run(["exec", "web", "nosuch"])).exitCode).toBe(127);
  expect((await home.run(["exec", "web", "/etc"])).exitCode).toBe(126);
  const nowhere = await home.run(["exec", "-w", "/nosuch", "web", "true"]);
  expect(nowhere.exitCode).not.toBe(0);
  expect(nowhere.stderr).toContain("/nosuch");
});

test("variables, from the line and from a file, over those of the box", async () => {
  const file = join(home.directory, "env");
  writeFileSync(file, "A=file\nB=file\n");
  expect(await inside(["--env-file", file, "-e", "B=line", "-e", "OWN=no"], "echo $A $B $OWN")).toBe("file line no");
});

test("another user, by name and number, has its groups and no capabilities", async () => {
  expect(await inside(["-u", "1000:1001"], "id -u; id -g; grep CapEff /proc/self/status")).toBe(
    "1000\n1001\nCapEff:\t0000000000000000",
  );
  expect(await inside(["-u", "root"], "id -u; echo $HOME")).toBe("0\n/root");
  const missing = await home.run(["exec", "-u", "nosuch", "web", "true"]);
  expect(missing.exitCode).toBe(125);
  expect(missing.stderr).toContain("nosuch");
});

test("--privileged gives all capabilities", async () => {
  const plain = await inside([], "grep CapBnd /proc/self/status");
  const all = await inside(["--privileged"], "grep CapBnd /proc/self/status");
  expect(all).not.toBe(plain);
  expect(await inside(["--privileged"], "grep Seccomp: /proc/self/status")).toBe("Seccomp:\t0");
  expect(await inside([], "grep Seccomp: /proc/self/status")).toBe("Seccomp:\t2");
});

test("-d leaves it to itself", async () => {
  expect(await home.ok(["exec", "-d", "web", "sh", "-c", "echo done > /tmp/flag"])).toBe("");
  expect(await inside([], "until [ -s /tmp/flag ]; do :; done; cat /tmp/flag")).toBe("done");
  expect((await home.run(["exec", "-d", "web", "nosuch"])).exitCode).toBe(127);
});

test("-t gives it a terminal of the caller's size", async () => {
  await using terminal = openTerminal(home, `"$DEVBOX" exec -it web sh -c 'stty size; read x; echo "got $x"'`);
  await terminal.output(/24 80/);
  terminal.type("hello\r");
  const { shown, exitCode } = await terminal.result;
  expect(shown).toContain("got hello");
  expect(exitCode).toBe(0);
});

test("signals to devbox reach it", async () => {
  await using running = home.start([
    "exec",
    "web",
    "sh",
    "-c",
    "trap 'echo got; exit 9' TERM; echo up; while :; do sleep 0.05; done",
  ]);
  await running.output(/up/);
  running.kill("SIGTERM");
  expect(await running.result).toMatchObject({ stdout: "up\ngot\n", exitCode: 9 });
});

test("into a box in the foreground, too", async () => {
  await using box = home.start(["run", "--network", "none", "--name", "fore", image, "sh", "-c", "echo up; cat"]);
  await box.output(/up/);
  expect(await home.ok(["exec", "fore", "cat", "/etc/hostname"])).toMatch(/^[0-9a-f]{12}\n$/);
});

test("into a box whose root is the host's own", async () => {
  await home.ok(["run", "-d", "--network", "none", "--name", "own-root", "dir:/", "sleep", "100"]);
  expect(await home.ok(["exec", "own-root", "cat", "/etc/passwd"])).toBe(readFileSync("/etc/passwd", "utf8"));
  await home.ok(["rm", "-f", "own-root"]);
});

test("at any moment: a box has its root before something joins it", async () => {
  for (let round = 0; round < 5; round++) {
    await using box = home.start(["run", "--rm", "--network", "none", "--name", "early", image, "cat"]);
    let result = await home.run(["exec", "early", "cat", "/etc/hostname"]);
    while (/no box|is created/.test(result.stderr)) result = await home.run(["exec", "early", "cat", "/etc/hostname"]);
    expect(result).toMatchObject({ exitCode: 0, stderr: "" });
    await home.ok(["kill", "early"]);
    expect((await box.result).exitCode).toBe(137);
  }
});

test("not into one that does not run", async () => {
  const id = await start("true");
  await end(id);
  const result = await home.run(["exec", id, "true"]);
  expect(result.exitCode).toBe(125);
  expect(result.stderr).toContain("not running");
  expect((await home.run(["exec", "nosuch", "true"])).stderr).toContain("nosuch");
  expect((await home.run(["exec", "web"])).stderr).toContain("COMMAND");
});

test("with the box everything in it ends", async () => {
  const id = await start("trap 'exit 0' TERM; echo ready; while :; do sleep 0.05; done");
  await printed(id, /ready/);
  await using running = home.start(["exec", id, "sh", "-c", "echo up; sleep 1000"]);
  await running.output(/up/);
  await home.ok(["stop", id]);
  expect((await running.result).exitCode).toBe(137);
});
