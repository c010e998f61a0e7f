/** devbox logs. */
import { expect, test } from "bun:test";
import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { boxHome } from "../helpers/box.ts";
import { detachedBoxes, untilTerm } from "../helpers/detached.ts";

const here = boxHome();
const { home, image } = here;
const { start, printed, end } = detachedBoxes(here);

async function ended(script: string, flags: readonly string[] = []): Promise<string> {
  const id = await start(script, flags);
  await end(id);
  return id;
}

test("what was printed, as bytes, on the stream where it was printed", async () => {
  const id = await ended("printf 'a\\000\\377b'; printf 'no newline' >&2");
  const child = Bun.spawn([process.env["DEVBOX_TEST_BINARY"] ?? "", "logs", id], {
    env: { ...home.env },
    stdout: "pipe",
    stderr: "pipe",
  });
  expect(new Uint8Array(await new Response(child.stdout).arrayBuffer())).toEqual(Uint8Array.of(97, 0, 255, 98));
  expect(await new Response(child.stderr).text()).toBe("no newline");
});

test("the last lines, with and without times", async () => {
  const id = await ended("seq 1 100");
  expect(await home.ok(["logs", "--tail", "2", id])).toBe("99\n100\n");
  expect(await home.ok(["logs", "-n", "0", id])).toBe("");
  expect((await home.ok(["logs", "--tail", "all", id])).split("\n")).toHaveLength(101);
  expect(await home.ok(["logs", "-t", "-n", "1", id])).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z 100\n$/);
});

test("--since and --until leave out what came before and later", async () => {
  const id = await start("echo one; trap 'echo two; exit' TERM; while :; do sleep 0.05; done");
  await printed(id, /one/);
  const [time = ""] = (await home.ok(["logs", "-t", id])).split(" ");
  // Times are given in milliseconds at most: between the two lines lies at least the start of a devbox.
  const between = new Date(Date.parse(time) + 2).toISOString();
  await home.ok(["stop", id]);
  expect(await home.ok(["logs", "--since", between, id])).toBe("two\n");
  expect(await home.ok(["logs", "--until", between, id])).toBe("one\n");
  expect(await home.ok(["logs", "--since", "1h", id])).toBe("one\ntwo\n");
  expect((await home.run(["logs", "--since", "x", id])).exitCode).toBe(125);
});

test("--follow shows what comes, and ends with the box", async () => {
  const id = await start(untilTerm);
  await using logs = home.start(["logs", "--follow", id]);
  await logs.output(/ready/);
  await home.ok(["stop", id]);
  expect(await logs.result).toEqual({ stdout: "ready\nbye\n", stderr: "", exitCode: 0 });
});

test("files are rotated, the oldest go, and whoever follows misses nothing", async () => {
  const lines = 3000;
  const script = `trap 'i=0; while [ $i -lt ${lines} ]; do i=$((i+1)); echo "line $i of many"; done; exit' TERM; echo ready; while :; do sleep 0.05; done`;
  const id = await start(script, ["--log-opt", "max-size=16k", "--log-opt", "max-file=3"]);
  await using logs = home.start(["logs", "-f", id]);
  await logs.output(/ready/);
  await home.ok(["stop", id]);
  const { stdout } = await logs.result;
  expect(
    stdout
      .split("\n")
      .filter((line) => line.startsWith("line"))
      .at(-1),
  ).toBe(`line ${lines} of many`);
  const directory = join(home.store, "boxes", id, "log");
  expect(readdirSync(directory).sort()).toEqual(["log", "log.1", "log.2"]);
  for (const name of readdirSync(directory)) {
    expect(statSync(join(directory, name)).size).toBeLessThanOrEqual(16 * 1024);
  }
  const kept = (await home.ok(["logs", id])).trim().split("\n");
  expect(kept.at(-1)).toBe(`line ${lines} of many`);
  // In order, without a hole.
  const numbers = kept.slice(1).map((line) => Number(line.split(" ")[1]));
  expect(numbers.every((number, index) => index === 0 || number === (numbers[index - 1] ?? 0) + 1)).toBe(true);
  expect(await home.ok(["logs", "-n", "1", id])).toBe(`line ${lines} of many\n`);
});

test("with --log-driver none nothing is kept, and the box does not wait for a reader", async () => {
  const id = await start("head -c 1000000 /dev/zero; exit 4", ["--log-driver", "none"]);
  expect(await end(id)).toBe(4);
  const logs = await home.run(["logs", id]);
  expect(logs.exitCode).toBe(1);
  expect(logs.stderr).toContain("--log-driver none");
});

test("each start adds to the log", async () => {
  const id = await ended("echo hello");
  await home.ok(["start", id]);
  await end(id);
  expect(await home.ok(["logs", id])).toBe("hello\nhello\n");
});

test("a box in the foreground has none", async () => {
  await home.ok(["run", "--network", "none", "--name", "fore", image, "true"]);
  const logs = await home.run(["logs", "fore"]);
  expect(logs.exitCode).toBe(1);
  expect(logs.stderr).toContain("foreground");
  await home.ok(["create", "--network", "none", "--name", "new", image, "true"]);
  expect(await home.ok(["logs", "new"])).toBe("");
});
