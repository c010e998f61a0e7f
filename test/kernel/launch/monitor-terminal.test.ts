/** The monitor of a process on a terminal: input in its own time, sizes, and the terminal's end. */
import { describe, expect, test } from "bun:test";
import { closeSync, openSync, writeSync } from "node:fs";
import { join } from "node:path";
import { O_CLOEXEC, O_WRONLY } from "../../../ffi/constants.ts";
import { type Monitored, type MonitoredSettings, startMonitored, until } from "../../helpers/monitored.ts";

function write(box: Monitored, fifo: "input" | "resize", bytes: string | Uint8Array): void {
  const fd = openSync(join(box.directory, fifo), O_WRONLY | O_CLOEXEC);
  if (typeof bytes === "string") writeSync(fd, bytes);
  else writeSync(fd, bytes);
  closeSync(fd);
}

function windowSize(rows: number, columns: number): Uint8Array {
  return new Uint8Array(new Uint16Array([rows, columns, 0, 0]).buffer);
}

/** A child that knows the directory of the test as $directory: by its first line, once it does not echo any more. */
async function startWithDirectory({
  child,
  ...rest
}: MonitoredSettings & { readonly child: string }): Promise<Monitored> {
  const box = await startMonitored({
    ...rest,
    terminal: true,
    child: `stty -echo; echo begun; read directory; ${child}`,
  });
  await until("its beginning", () => box.printed() === "begun\r\n");
  write(box, "input", `${box.directory}\n`);
  return box;
}

describe.each([false, true])("a terminal (blocking: %p)", (blockingTerminal) => {
  test("shows in the log what is printed on it, typed, and answered", async () => {
    const child = "stty -echo; echo ready >&2; read a; echo got $a; tty; exit 6";
    using box = await startMonitored({ terminal: true, blockingTerminal, child });
    await until("readiness", () => box.printed() === "ready\r\n");
    write(box, "input", "word\n");
    expect(await box.launched.wait()).toBe(0);
    expect(box.printed()).toMatch(/^ready\r\ngot word\r\n\/dev\/pts\/\d+\r\n$/);
    expect(box.frames().every(({ stream }) => stream === 1)).toBe(true);
    expect(box.ended()?.status).toBe(6 << 8);
  });

  test("has the size that it is given", async () => {
    const child = "stty -echo; echo ready; read a; stty size; read a; stty size";
    using box = await startMonitored({ terminal: true, blockingTerminal, child });
    await until("readiness", () => box.printed() === "ready\r\n");
    write(box, "resize", windowSize(33, 77));
    write(box, "input", "\n");
    await until("a size", () => box.printed().endsWith("77\r\n"));
    for (const rows of [1, 2, 3]) write(box, "resize", windowSize(rows, 80));
    write(box, "resize", windowSize(44, 99));
    // Sizes and input come through different FIFOs; what is asked for again and again has come in the end.
    write(box, "input", "\n");
    expect(await box.launched.wait()).toBe(0);
    expect(box.printed()).toMatch(/^ready\r\n33 77\r\n\d+ \d+\r\n$/);
  });

  test("that is not read does not stop the output, and nothing of the input is lost", async () => {
    const size = 10_000_000;
    const child = `stty raw -echo; printf ready; head -n 1 >/dev/null; while [ ! -e $directory/go ]; do seq 1 1000; done;
      echo reading; head -c ${size} | sha256sum`;
    using box = await startWithDirectory({ blockingTerminal, child });
    await until("readiness", () => box.printed().endsWith("ready"));
    write(box, "input", "\n");
    const bytes = new Uint8Array(size).map((_, i) => (i * 31 + (i >> 8)) & 0xff);
    const writer = Bun.spawn(["sh", "-c", `cat >${join(box.directory, "input")}`], { stdin: bytes });
    // More output than anything between here and there can hold, while the input is stuck.
    await until("output beside the input", () => box.printed().length > 3_000_000);
    expect(writer.exitCode).toBeNull();
    await Bun.write(join(box.directory, "go"), "");
    expect(await writer.exited).toBe(0);
    expect(await box.launched.wait()).toBe(0);
    const hash = new Bun.CryptoHasher("sha256").update(bytes).digest("hex");
    expect(box.printed().slice(-200)).toContain(`reading\n${hash}`);
  }, 60_000);
});

test("a terminal that nobody has open: nothing waits or hangs up, and it can be opened again", async () => {
  const wait = (file: string): string => `while [ ! -e $directory/${file} ]; do sleep 0.01; done`;
  const child = `echo last; exec <&- >&- 2>&-; ${wait("again")}; echo again >/dev/tty; ${wait("end")}; exit 3`;
  using box = await startWithDirectory({ child });
  await until("the last line", () => box.printed().endsWith("last\r\n"));
  // More than a terminal takes that nobody reads.
  write(box, "input", new Uint8Array(50_000));
  await Bun.write(join(box.directory, "again"), "");
  await until("another line", () => box.printed().endsWith("again\r\n"));
  await Bun.write(join(box.directory, "end"), "");
  expect(await box.launched.wait()).toBe(0);
  expect(box.ended()?.status).toBe(3 << 8);
});

test("a process that ends before it has a terminal", async () => {
  using box = await startMonitored({ terminal: true, endsEarly: true, child: "exit 0" });
  expect(await box.launched.wait()).toBe(0);
  expect(box.ended()?.status).toBe(4 << 8);
  expect(box.printed()).toBe("");
});

test("all that was printed at the end is in the log", async () => {
  using box = await startMonitored({ terminal: true, child: "stty -onlcr; exec seq 1 100000" });
  expect(await box.launched.wait()).toBe(0);
  expect(box.printed()).toBe(Array.from({ length: 100_000 }, (_, i) => `${i + 1}\n`).join(""));
});
