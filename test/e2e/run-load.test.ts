/** Many boxes at once, and many one after the other: none fails, and nothing of them is left. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { lstatSync, readdirSync, readFileSync, readlinkSync } from "node:fs";
import { basename, join } from "node:path";
import { boxHome } from "../helpers/box.ts";
import { type OciRuntime, openOciRuntime } from "../helpers/oci-runtime.ts";
import { processes } from "../helpers/processes.ts";
import { mountsAt } from "../helpers/watched.ts";

const { home, image } = boxHome();
let oci: OciRuntime;
beforeAll(async () => {
  oci = await openOciRuntime();
});
afterAll(() => oci[Symbol.asyncDispose]());

/** Of each kind, one after the other. DEVBOX_TEST_CYCLES=1000 takes a minute and a half. */
const cycles = Number(process.env["DEVBOX_TEST_CYCLES"] ?? 100);
const atOnce = 100;

/** What runs, is mounted and lies about for a home. */
function traces(directory: string): unknown {
  return { processes: processesOf(directory), mounts: mountsAt(directory), files: filesIn(directory) };
}

/** Processes that were started for it, show it to a box, or hold a file in it open. */
function processesOf(directory: string): readonly string[] {
  const read = (pid: number, name: string): string => tryRead(() => readFileSync(`/proc/${pid}/${name}`, "utf8"));
  const files = (pid: number): string =>
    tryRead(() =>
      readdirSync(`/proc/${pid}/fd`)
        .map((fd) => tryRead(() => readlinkSync(`/proc/${pid}/fd/${fd}`)))
        .join("\n"),
    );
  // Its last part: mountinfo tells where in its file system a directory lies, which may be mounted on the way there.
  const name = basename(directory);
  return processes()
    .filter(({ pid }) => pid !== process.pid)
    .filter(({ pid, command }) =>
      [command, read(pid, "environ"), read(pid, "mountinfo"), files(pid)].some((text) => text.includes(name)),
    )
    .map(({ pid, command }) => `${pid} ${command}`);
}

/** Others' processes are closed to us, and come and go. */
function tryRead(read: () => string): string {
  try {
    return read();
  } catch {
    return "";
  }
}

/** Without the streams that the tests keep, and the mark of a layer that goes once the disk has it. */
function filesIn(directory: string): readonly string[] {
  return readdirSync(directory, { recursive: true, encoding: "utf8" })
    .filter((name) => !name.startsWith("output-") && !name.endsWith("/unsynced"))
    .map((name) => `${name} ${tryRead(() => (lstatSync(join(directory, name)).isDirectory() ? "directory" : "file"))}`)
    .sort();
}

/** Descriptors that this process, which starts them all, has open. */
const ownDescriptors = (): number => readdirSync("/proc/self/fd").length;

/** devbox tells the end of a box before its monitor is gone. */
async function ended(directory: string): Promise<void> {
  for (let round = 0; round < 400 && processesOf(directory).length > 0; round++) await Bun.sleep(25);
}

const base = ["run", "--network", "none"];

test("what is looked for would be seen", async () => {
  await home.ok([...base, "--detach", "--name", "seen", image, "sleep", "1000"]);
  expect(processesOf(home.directory).length).toBeGreaterThan(1);
  await home.ok(["rm", "--force", "seen"]);
  await ended(home.directory);
  expect(processesOf(home.directory)).toEqual([]);
});

test(`${atOnce} boxes at once, in the foreground and in the background`, async () => {
  // What is made once, for the first box of each kind.
  await home.ok([...base, "--rm", image, "true"]);
  await home.ok([...base, "--detach", "--name", "first", image, "true"]);
  await home.ok(["wait", "first"]);
  await home.ok(["rm", "first"]);
  await ended(home.directory);
  const before = traces(home.directory);
  const descriptors = ownDescriptors();

  const numbers = Array.from({ length: atOnce }, (_, number) => number);
  const results = await Promise.all(
    numbers.map((number) => {
      const mode = number % 2 === 0 ? ["--rm"] : ["--detach", "--name", `load-${number}`];
      return home.run([...base, ...mode, image, "sh", "-c", `echo ${number}; exit ${number % 7}`]);
    }),
  );
  for (const [number, { exitCode, stdout, stderr }] of results.entries()) {
    const wanted = number % 2 === 0 ? [number % 7, `${number}\n`] : [0, expect.stringMatching(/^[0-9a-f]{64}\n$/)];
    expect({ number, seen: [exitCode, stdout], stderr }).toEqual({ number, seen: wanted, stderr: "" });
  }
  const detached = numbers.filter((number) => number % 2 === 1);
  const names = detached.map((number) => `load-${number}`);
  const statuses = (await home.ok(["wait", ...names])).trim().split("\n");
  expect(statuses).toEqual(detached.map((number) => String(number % 7)));
  for (const number of detached.slice(0, 5)) expect(await home.ok(["logs", `load-${number}`])).toBe(`${number}\n`);
  await home.ok(["rm", ...names]);

  await ended(home.directory);
  expect(traces(home.directory)).toEqual(before);
  expect(ownDescriptors()).toBe(descriptors);
});

const patience = 60_000 + cycles * 500;

test(
  `${cycles} times run and exit`,
  async () => {
    await home.ok([...base, "--rm", image, "true"]);
    const before = traces(home.directory);
    for (let cycle = 0; cycle < cycles; cycle++) await home.ok([...base, "--rm", image, "true"]);
    await ended(home.directory);
    expect(traces(home.directory)).toEqual(before);
  },
  patience,
);

test(
  `${cycles} times devbox oci run, of one bundle`,
  async () => {
    const bundle = await oci.bundle(["true"]);
    const id = oci.id();
    await oci.ok(["run", "--bundle", bundle, id]);
    const before = traces(oci.home.directory);
    for (let cycle = 0; cycle < cycles; cycle++) await oci.ok(["run", "--bundle", bundle, id]);
    expect(traces(oci.home.directory)).toEqual(before);
  },
  patience,
);
