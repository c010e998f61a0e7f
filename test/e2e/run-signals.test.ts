/** devbox run: signals are passed on, and nothing outlives devbox. */
import { expect, test } from "bun:test";
import { boxesOnDisk, boxHome } from "../helpers/box.ts";
import { descendants, gone } from "../helpers/processes.ts";

const { home, image, sh } = boxHome();
const start = (script: string, flags: readonly string[] = ["--network", "none"]) =>
  home.start(["run", ...flags, image, "sh", "-c", script]);

for (const signal of ["SIGTERM", "SIGINT", "SIGHUP", "SIGUSR1"] as const) {
  test(`${signal} is passed on to the box, whose exit status is devbox's`, async () => {
    const name = signal.slice(3);
    await using box = start(`trap 'echo got ${name}; exit 9' ${name}; echo ready; while :; do sleep 0.05; done`);
    await box.output(/ready/);
    box.kill(signal);
    expect(await box.result).toEqual({ stdout: `ready\ngot ${name}\n`, stderr: "", exitCode: 9 });
  });
}

test("a signal that ends the box ends devbox with 128 + n", async () => {
  await using box = start("echo ready; exec sleep 1000", ["--network", "none", "--init"]);
  await box.output(/ready/);
  box.kill("SIGTERM");
  expect((await box.result).exitCode).toBe(143);
});

test("kill -9 of devbox ends the box, slirp4netns and their helpers, and the next command cleans up", async () => {
  // Ready when it is there: a child of the shell is the shell until it has executed its program.
  const script = "sleep 1000 & until grep -q ^sleep /proc/$!/cmdline; do :; done; echo ready; wait";
  await using box = start(script, []);
  await box.output(/ready/);
  const all = descendants(box.pid);
  expect(all.map(({ command }) => command)).toEqual(
    expect.arrayContaining([expect.stringContaining("slirp4netns"), expect.stringMatching(/^sleep/)]),
  );
  box.kill("SIGKILL");
  await gone(all.map(({ pid }) => pid));
  expect((await sh("true")).exitCode).toBe(0);
  expect(boxesOnDisk(home)).toEqual([]);
});

test("a box that ended leaves nothing on disk", async () => {
  expect((await sh("echo x > /file; mkdir -m 0 /closed; chown 5:5 /file")).exitCode).toBe(0);
  expect(boxesOnDisk(home)).toEqual([]);
});

test("--keep keeps it", async () => {
  expect((await sh("echo x > /file", ["--keep", "--name", "kept"])).exitCode).toBe(0);
  expect(boxesOnDisk(home)).toHaveLength(1);
});
