/** Joining boxes in the background: attach, start --attach, detach keys. */
import { expect, test } from "bun:test";
import { boxHome } from "../helpers/box.ts";
import { detachedBoxes, untilTerm } from "../helpers/detached.ts";
import { openTerminal } from "../helpers/terminal.ts";

const here = boxHome();
const { home, image } = here;
const { start, printed, end, record, happened } = detachedBoxes(here);

const shell = `while read line; do case $line in quit) exit 5;; *) echo "got $line";; esac; done`;

test("a terminal is attached to, left by its keys, and attached to again", async () => {
  const id = (await home.ok(["run", "-dit", "--network", "none", "--name", "tty", image, "sh", "-c", shell])).trim();
  {
    await using first = openTerminal(home, `"$DEVBOX" attach tty; echo "left with $?"`);
    await happened(id, "attach");
    first.type("one\r");
    await first.output(/got one/);
    first.type("\x10\x11");
    await first.output(/left with 0/);
  }
  expect(record(id).status).toBe("running");
  {
    await using second = openTerminal(home, `"$DEVBOX" attach --detach-keys x,y tty; echo "left with $?"`);
    await happened(id, "attach", 2);
    second.type("two\r");
    expect((await second.output(/got two/)).input).not.toContain("got one");
    second.type("xy");
    await second.output(/left with 0/);
  }
  await using third = openTerminal(home, `"$DEVBOX" attach tty; echo "ended with $?"`);
  await happened(id, "attach", 3);
  third.type("quit\r");
  await third.output(/ended with 5/);
  expect(await end(id)).toBe(5);
});

test("the size of the terminal arrives, now and when it changes", async () => {
  const script = "trap 'stty size' WINCH; echo up; while :; do sleep 0.05; done";
  await home.ok(["run", "-dit", "--network", "none", "--name", "size", image, "sh", "-c", script]);
  await using terminal = openTerminal(home, `"$DEVBOX" attach size`);
  await terminal.output(/24 80/);
  terminal.resize(100, 40);
  await terminal.output(/40 100/);
  await home.ok(["rm", "-f", "size"]);
});

test("without a terminal: input of several, output, and the exit code", async () => {
  const id = (await home.ok(["run", "-di", "--network", "none", image, "sh", "-c", shell])).trim();
  await using first = home.start(["attach", id]);
  first.write("one\n");
  await first.output(/got one/);
  await using second = home.start(["attach", id]);
  second.write("two\n");
  await first.output(/got two/);
  await second.output(/got two/);
  second.write("quit\n");
  expect((await first.result).exitCode).toBe(5);
  expect((await second.result).exitCode).toBe(5);
});

test("--no-stdin leaves the input alone", async () => {
  const id = (await home.ok(["run", "-di", "--network", "none", image, "sh", "-c", shell])).trim();
  await using attached = home.start(["attach", "--no-stdin", id]);
  attached.write("one\n");
  await home.ok(["exec", id, "true"]);
  await home.ok(["kill", id]);
  expect(await attached.result).toMatchObject({ stdout: "", exitCode: 137 });
});

test("signals are passed on, unless told otherwise", async () => {
  const id = await start("trap 'echo term' TERM; echo ready; while :; do sleep 0.05; done");
  await printed(id, /ready/);
  await using attached = home.start(["attach", id]);
  await using deaf = home.start(["attach", "--sig-proxy=false", id]);
  // Both are there when what is printed from now on reaches them.
  await home.ok(["kill", "-s", "TERM", id]);
  await Promise.all([attached.output(/term/), deaf.output(/term/)]);
  attached.kill("SIGTERM");
  await attached.output(/term\nterm/);
  await deaf.output(/term\nterm/);
  deaf.kill("SIGTERM");
  expect((await deaf.result).exitCode).not.toBe(0);
  expect(record(id).status).toBe("running");
  await home.ok(["rm", "-f", id]);
});

test("start --attach --interactive is a run in the foreground: input with an end, output, exit code", async () => {
  await home.ok([
    "create",
    "-i",
    "--network",
    "none",
    "--name",
    "filter",
    image,
    "sh",
    "-c",
    "cat; echo err >&2; exit 3",
  ]);
  const first = await home.run(["start", "-ai", "filter"], { stdin: "one\n" });
  expect(first).toEqual({ stdout: "one\n", stderr: "err\n", exitCode: 3 });
  const second = await home.run(["start", "-ai", "filter"], { stdin: "two\n" });
  expect(second).toEqual({ stdout: "two\n", stderr: "err\n", exitCode: 3 });
  expect((await home.run(["start", "-a", "nosuch"])).exitCode).toBe(1);
});

test("start --attach on a terminal", async () => {
  const command = [image, "sh", "-c", "read x; echo got $x; tty"];
  const id = (await home.ok(["create", "-it", "--network", "none", "--name", "login", ...command])).trim();
  await using terminal = openTerminal(home, `"$DEVBOX" start -ai login; echo "status $?"`);
  await happened(id, "attach");
  terminal.type("hello\r");
  await terminal.output(/got hello\r\n\/dev\/pts\/0/);
  await terminal.output(/status 0/);
});

test("only boxes in the background that run and keep a log can be attached to", async () => {
  const id = await start("true");
  await end(id);
  expect((await home.run(["attach", id])).stderr).toContain("not running");
  const quiet = await start(untilTerm, ["--log-driver", "none"]);
  expect((await home.run(["attach", quiet])).stderr).toContain("--log-driver none");
  await home.ok(["rm", "-f", quiet]);
});
