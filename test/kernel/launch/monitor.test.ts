/** The monitor: the log that it keeps, the end that it records, and what it becomes. */
import { describe, expect, test } from "bun:test";
import { closeSync, mkdtempSync, openSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { F_SETPIPE_SZ, LOCK_EX, SIGCONT, SIGHUP, SIGSTOP, SIGTERM, SIGUSR1, SIGUSR2 } from "../../../ffi/constants.ts";
import { flock, tryFlock } from "../../../ffi/libc.ts";
import type { PlanBuilder } from "../../../src/launch/plan.ts";
import { pipe, readUntil } from "../../helpers/launch-plans.ts";
import { executeShell, startMonitored, until } from "../../helpers/monitored.ts";

const nanoseconds = (): bigint => BigInt(Date.now()) * 1_000_000n;
/** What seq(1) prints. */
const numbers = (last: number): string => Array.from({ length: last }, (_, i) => `${i + 1}\n`).join("");

describe("the log", () => {
  test("has what was printed, by stream and in order, with its time", async () => {
    const before = nanoseconds() - 1_000_000n;
    using box = await startMonitored({ child: "echo one; read go; echo two >&2; read go; echo three" });
    await until("the first line", () => box.frames().length === 1);
    box.input("go\n");
    await until("the second line", () => box.frames().length === 2);
    box.input("go\n");
    expect(await box.launched.wait()).toBe(0);
    const frames = box.frames();
    expect(frames.map(({ stream, text }) => [stream, text])).toEqual([
      [1, "one\n"],
      [2, "two\n"],
      [1, "three\n"],
    ]);
    const times = [before, ...frames.map(({ time }) => time), box.ended()?.time ?? 0n, nanoseconds() + 1_000_000n];
    expect(times).toEqual(times.toSorted((a, b) => (a < b ? -1 : 1)));
    expect(statSync(join(box.directory, "log/log")).mode & 0o777).toBe(0o600);
  });

  test("has all of it, however much, of both streams at once", async () => {
    using box = await startMonitored({ child: "seq 1 1000000 & seq 1 1000000 >&2; wait" });
    expect(await box.launched.wait()).toBe(0);
    const expected = numbers(1_000_000);
    for (const stream of [1, 2]) expect(box.printed(stream) === expected).toBe(true);
  });

  test("goes on behind what an earlier monitor has written", async () => {
    using first = await startMonitored({ child: "echo first" });
    await first.launched.wait();
    using second = await startMonitored({ child: "echo second", logDirectory: join(first.directory, "log") });
    await second.launched.wait();
    expect(first.printed()).toBe("first\nsecond\n");
  });

  test("is rotated before it grows too large, and nothing is lost as long as there are files", async () => {
    using box = await startMonitored({ child: "seq 1 10000", maxLogBytes: 1000, maxLogFiles: 99 });
    expect(await box.launched.wait()).toBe(0);
    const names = readdirSync(join(box.directory, "log"));
    expect(names.length).toBeGreaterThan(48);
    for (const name of names) expect(statSync(join(box.directory, "log", name)).size).toBeLessThanOrEqual(1000);
    expect(box.printed()).toBe(numbers(10_000));
  });

  test.each([1, 2, 3])("of %p files has the end of it", async (maxLogFiles) => {
    using box = await startMonitored({ child: "seq 1 100000", maxLogBytes: 5000, maxLogFiles });
    expect(await box.launched.wait()).toBe(0);
    const expected = ["log", "log.1", "log.2"].slice(0, maxLogFiles);
    expect(readdirSync(join(box.directory, "log")).toSorted()).toEqual(expected);
    const kept = box.printed();
    expect(kept.length).toBeGreaterThan((maxLogFiles - 1) * 4000);
    expect(numbers(100_000).endsWith(kept)).toBe(true);
  });

  test("is none without a directory: all is read, and kept nowhere", async () => {
    using box = await startMonitored({ child: "seq 1 1000000; exit 3", descriptors: ["stdout", "stderr", "ended"] });
    expect(await box.launched.wait()).toBe(0);
    expect(box.ended()?.status).toBe(3 << 8);
    expect(readdirSync(join(box.directory, "log"))).toEqual([]);
  });

  test("of a child without streams is not even made", async () => {
    using box = await startMonitored({ child: "exec >&- 2>&-; exit 3", descriptors: ["log", "ended"] });
    expect(await box.launched.wait()).toBe(0);
    expect(readdirSync(join(box.directory, "log"))).toEqual([]);
  });

  test("on a full disk leaves frames out, whole ones, and goes on when there is room again", async () => {
    await using disk = await smallDisk();
    writeFileSync(join(disk.path, "filler"), "x".repeat(40_000));
    const child = "seq 1 100000; echo full >&2; read go; echo after";
    using box = await startMonitored({ child, logDirectory: disk.path });
    // What goes to stderr is lost as well, so its end is seen by its waiting for input.
    await until("waiting for input", () => readFileSync(`/proc/${box.pid}/wchan`, "utf8").includes("pipe"));
    rmSync(join(disk.path, "filler"));
    box.input("go\n");
    expect(await box.launched.wait()).toBe(0);
    const printed = box.printed(1);
    expect(printed.length).toBeLessThan(65_536);
    expect(printed).toStartWith(numbers(1000));
    expect(printed).toEndWith("after\n");
  });
});

/** A tmpfs of 64 KiB, mounted where also an ordinary user may. */
async function smallDisk(): Promise<AsyncDisposable & { readonly path: string }> {
  const script = "mount -t tmpfs -o size=64k none /mnt && echo ready && read end";
  const child = Bun.spawn(["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", script], {
    stdin: "pipe",
    stdout: "pipe",
  });
  await child.stdout.getReader().read();
  return {
    path: `/proc/${child.pid}/root/mnt`,
    async [Symbol.asyncDispose]() {
      child.stdin.end();
      await child.exited;
    },
  };
}

describe("the end", () => {
  test.each([
    ["exit 42", 42 << 8],
    ["kill -9 $$", 9],
  ])("of %p is recorded as wait(2) tells it, and reported", async (child, status) => {
    using box = await startMonitored({ child, next: "exit 5" });
    expect(await box.launched.nextEvent()).toMatchObject({ event: "exited", value: status });
    expect(await box.launched.wait()).toBe(5);
    expect(box.ended()?.status).toBe(status);
  });

  test("is not waited for from others who hold the same streams", async () => {
    using box = await startMonitored({ child: "sleep 1000 & echo $!; exit 3" });
    expect(await box.launched.wait()).toBe(0);
    expect(box.ended()?.status).toBe(3 << 8);
    process.kill(Number(box.printed()), SIGTERM);
  });

  test("comes also when others go on printing", async () => {
    const child = (plan: PlanBuilder): void => {
      // So large that it is filled again before it is empty.
      plan.syscall("enlarge the pipe", "fcntl", [1, F_SETPIPE_SZ, 1 << 20]);
      plan.syscall("lead a process group", "setsid", []);
      executeShell(plan, "yes & yes & yes & read line; exit 3");
    };
    using box = await startMonitored({ child, maxLogBytes: 100_000, maxLogFiles: 2 });
    await until("a flood", () => box.printed(1).length > 100_000);
    box.input("go\n");
    expect(await box.launched.wait()).toBe(0);
    expect(box.ended()?.status).toBe(3 << 8);
    process.kill(-box.pid, SIGTERM);
  });

  test("of a child that handles a signal sent to the monitor", async () => {
    using box = await startMonitored({ child: "trap 'exit 7' TERM; echo ready; read line", next: "exit 5" });
    await until("readiness", () => box.printed() === "ready\n");
    box.launched.kill(SIGTERM);
    expect(await box.launched.wait()).toBe(5);
    expect(box.ended()?.status).toBe(7 << 8);
  });
});

test("signals that it did not pass on before the end do not end what it becomes", async () => {
  using box = await startMonitored({ child: "echo ready; read line", next: "exit 5" });
  await until("the loop of the monitor", () => box.printed() === "ready\n");
  const { launched, pid } = box;
  // While it is stopped they wait, the end of the child among them, and are taken one by one.
  launched.kill(SIGSTOP);
  await until("its stop", () => /^State:\tT/m.test(readFileSync(`/proc/${launched.pid}/status`, "utf8")));
  process.kill(pid, "SIGKILL");
  for (const signal of [SIGHUP, SIGUSR1, SIGUSR2, SIGTERM]) launched.kill(signal);
  launched.kill(SIGCONT);
  expect(await launched.wait()).toBe(5);
  expect(box.ended()?.status).toBe(9);
});

test("what it becomes has the descriptors that were to be kept, from 10 on, and /dev/null; a lock is held on", async () => {
  const directory = mkdtempSync(join(tmpdir(), "devbox-kept-"));
  const path = join(directory, "lock");
  const [output, go, lock] = [pipe(), pipe(), openSync(path, "w")];
  flock(lock, LOCK_EX);
  // So many that those that are kept have each other's numbers to begin with.
  const fds = { lock, a: lock, b: lock, c: lock, go: go.read, output: output.write };
  const show =
    "ls /proc/self/fd; for i in 0 1 2; do readlink /proc/$$/fd/$i; done; pwd; cat /proc/self/comm; echo done";
  using box = await startMonitored({
    child: "exit 0",
    fds,
    keep: ["output", "lock", "go"],
    // dash(1) knows no descriptor above 9 by its number.
    next: `(${show}) >/proc/self/fd/10; read line </proc/self/fd/12`,
  });
  for (const fd of [lock, go.read, output.write]) closeSync(fd);
  const lines = (await readUntil(output.read, /done/)).trim().split("\n");
  // 3 is the directory that ls reads.
  expect(lines).toEqual(["0", "1", "10", "11", "12", "2", "3", ...Array(3).fill("/dev/null"), "/", "cat", "done"]);
  const another = openSync(path, "w");
  expect(tryFlock(another, LOCK_EX)).toBe(false);
  closeSync(go.write);
  // read(1) of a pipe that has ended fails.
  expect(await box.launched.wait()).toBe(1);
  expect(tryFlock(another, LOCK_EX)).toBe(true);
  for (const fd of [another, output.read]) closeSync(fd);
  rmSync(directory, { recursive: true });
});

test("it is small, and has its name", async () => {
  using box = await startMonitored({ child: "read line" });
  const { pid } = box.launched;
  expect(readFileSync(`/proc/${pid}/comm`, "utf8")).toBe("devbox-monitor\n");
  const resident = Number(/^Rss:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, "utf8"))?.[1]);
  // Of 1 MB that an idle box may cost, and most of it is the kernel's.
  expect(resident).toBeLessThan(100);
  box.input("go\n");
  await box.launched.wait();
});
