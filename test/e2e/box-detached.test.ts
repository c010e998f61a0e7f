/** devbox run --detach: a box that outlives whoever started it, and how it ends. */
import { expect, test } from "bun:test";
import { existsSync, mkdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { boxesOnDisk, boxHome } from "../helpers/box.ts";
import { detachedBoxes, untilTerm } from "../helpers/detached.ts";
import { gone, processes } from "../helpers/processes.ts";

const here = boxHome();
const { home, image } = here;
const { start, printed, end, record } = detachedBoxes(here);

test("it prints the id, the box runs on, and its exit code is kept", async () => {
  const id = await start("trap 'exit 7' TERM; echo ready; while :; do sleep 0.05; done", ["--name", "first"]);
  expect(id).toMatch(/^[0-9a-f]{64}$/);
  await printed("first", /ready/);
  expect(record(id)).toMatchObject({ status: "running", name: "first" });
  await home.ok(["kill", "-s", "TERM", "first"]);
  expect(await end("first")).toBe(7);
  expect(record(id)).toMatchObject({ status: "exited", exitCode: 7 });
  expect(record(id).pid).toBeUndefined();
});

for (const code of [0, 1, 42, 255]) {
  test(`exit code ${code} is known when nobody was there`, async () => {
    const id = await start(`exit ${code}`);
    expect(await end(id)).toBe(code);
    expect(record(id)).toMatchObject({ status: "exited", exitCode: code });
  });
}

test("a box whose devbox is killed before it is written down does not run", async () => {
  const shared = join(home.directory, "shared");
  mkdirSync(shared);
  const flags = ["--network", "none", "--name", "unwritten", "-v", `${shared}:/shared`];
  const id = (await home.ok(["create", ...flags, image, "touch", "/shared/ran"])).trim();
  // Where its new record is written: opening it waits for a reader (fifo(7)).
  const pipe = join(home.store, "boxes", id, "state.json.new");
  await Bun.$`mkfifo ${pipe}`;
  await using starting = home.start(["start", id]);
  // fs/pipe.c, fifo_open: it has come as far as this.
  while (readFileSync(`/proc/${starting.pid}/wchan`, "latin1") !== "wait_for_partner") await home.ok(["version"]);
  starting.kill("SIGKILL");
  await starting.result;
  rmSync(pipe);
  // Until nobody watches it any more.
  await home.ok(["wait", id]);
  expect(existsSync(join(shared, "ran"))).toBe(false);
  await home.ok(["start", id]);
  expect(await end(id)).toBe(0);
  expect(existsSync(join(shared, "ran"))).toBe(true);
});

test("--rm: nothing is left of it, files of other users included, and wait still tells the code", async () => {
  const before = boxesOnDisk(home);
  const script =
    "mkdir /d; chown 5:5 /d; chmod 700 /d; echo x > /d/f; trap 'exit 9' TERM; echo ready; while :; do sleep 0.05; done";
  const id = await start(script, ["--rm"]);
  await printed(id, /ready/);
  await using waiting = home.start(["wait", id]);
  await home.ok(["kill", "-s", "TERM", id]);
  expect((await waiting.result).stdout).toBe("9\n");
  expect(boxesOnDisk(home)).toEqual(before);
  expect(existsSync(join(home.store, "boxes", id))).toBe(false);
});

test("a command that is not there is the error of run, and nothing is left", async () => {
  const before = boxesOnDisk(home);
  const missing = await home.run(["run", "-d", "--network", "none", "--name", "none", image, "nosuch"]);
  expect(missing).toMatchObject({ exitCode: 127, stdout: "" });
  expect(missing.stderr).toContain("nosuch");
  const closed = await home.run(["run", "-d", "--network", "none", image, "/etc"]);
  expect(closed).toMatchObject({ exitCode: 126, stdout: "" });
  expect(boxesOnDisk(home)).toEqual(before);
  expect((await home.run(["run", "--rm", "--network", "none", "--name", "none", image, "true"])).exitCode).toBe(0);
});

test("what fails later is the error of run as well: a port that is taken, a working directory that is none", async () => {
  const before = boxesOnDisk(home);
  await using server = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: () => new Response() });
  const taken = await home.run(["run", "-d", "-p", `127.0.0.1:${server.port}:80`, image, "true"]);
  expect(taken).toMatchObject({ exitCode: 125, stdout: "" });
  expect(taken.stderr).toContain(String(server.port));
  const nowhere = await home.run(["run", "-d", "--network", "none", "-w", "/etc/passwd", image, "true"]);
  expect(nowhere).toMatchObject({ exitCode: 125, stdout: "" });
  expect(nowhere.stderr).toContain("/etc/passwd");
  const nobody = await home.run(["run", "-d", "--network", "none", "-u", "nosuch", image, "true"]);
  expect(nobody).toMatchObject({ exitCode: 125, stdout: "" });
  expect(boxesOnDisk(home)).toEqual(before);
});

test("--cidfile gets the id, and must be new", async () => {
  const file = join(home.directory, "cid");
  const id = await start("true", ["--cidfile", file]);
  expect(readFileSync(file, "utf8")).toBe(id);
  const again = await home.run(["run", "-d", "--cidfile", file, "--network", "none", image, "true"]);
  expect(again.exitCode).toBe(125);
  expect(again.stderr).toContain("--cidfile");
  rmSync(file);
});

test("its stdin is empty, and its streams are apart", async () => {
  const id = await start("cat; echo out; echo err >&2");
  await end(id);
  expect(await home.run(["logs", id])).toEqual({ stdout: "out\n", stderr: "err\n", exitCode: 0 });
});

test("it is not of the session of whoever started it", async () => {
  const id = await start(untilTerm);
  const { pid, monitorPid } = record(id);
  for (const each of [pid, monitorPid]) {
    const stat = readFileSync(`/proc/${each}/stat`, "utf8");
    const [, , , session] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    expect(Number(session)).not.toBe(Number(readFileSync("/proc/self/stat", "utf8").split(" ")[5]));
  }
  await home.ok(["rm", "-f", id]);
});

test("nothing of devbox stays beside it but its monitor", async () => {
  const id = await start(untilTerm);
  await printed(id, /ready/);
  const { monitorPid } = record(id);
  const ours = processes().filter(({ command }) => command.includes(id) || command.startsWith("devbox-launcher"));
  expect(ours.map(({ pid }) => pid)).toContain(monitorPid ?? 0);
  const status = readFileSync(`/proc/${monitorPid}/status`, "utf8");
  expect(Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1])).toBeLessThan(1024);
  await home.ok(["rm", "-f", id]);
});

test("kill -9 of the monitor: the next devbox ends what is left and writes it down", async () => {
  const id = await start("trap '' PIPE; while :; do sleep 0.05; done", ["--name", "orphan"]);
  const { pid, monitorPid } = record(id);
  process.kill(monitorPid ?? 0, "SIGKILL");
  await gone([monitorPid ?? 0]);
  expect(await end("orphan")).toBe(137);
  await gone([pid ?? 0]);
  expect(record(id)).toMatchObject({ status: "exited", exitCode: 137 });
  expect(await home.ok(["start", "orphan"])).toBe("orphan\n");
  await home.ok(["rm", "-f", "orphan"]);
});

test("several devboxes may wait, and each gets the code", async () => {
  const id = await start("trap 'exit 5' TERM; echo ready; while :; do sleep 0.05; done");
  await printed(id, /ready/);
  await using one = home.start(["wait", id]);
  await using two = home.start(["wait", id, id]);
  await home.ok(["stop", id]);
  expect((await one.result).stdout).toBe("5\n");
  expect((await two.result).stdout).toBe("5\n5\n");
});

test("twenty at once", async () => {
  const ids = await Promise.all(Array.from({ length: 20 }, (_, index) => start(`exit ${index}`)));
  const codes = await Promise.all(ids.map(end));
  expect(codes).toEqual(Array.from({ length: 20 }, (_, index) => index));
});
