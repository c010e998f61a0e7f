/** The program that the monitor starts again and again. */
import { describe, expect, test } from "bun:test";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Heartbeat } from "../../../ffi/launcher/wire.ts";
import { startMonitored, until } from "../../helpers/monitored.ts";

const hour = 3_600_000;

function laboratory(): Disposable & { readonly path: string; lines(name: string): string[] } {
  const path = mkdtempSync(join(tmpdir(), "devbox-beat-"));
  return {
    path,
    lines: (name) => {
      const file = join(path, name);
      return existsSync(file) ? readFileSync(file, "utf8").trim().split("\n") : [];
    },
    [Symbol.dispose]: () => rmSync(path, { recursive: true }),
  };
}

function beatOf(directory: string, script: string, more: Partial<Heartbeat> = {}): Heartbeat {
  const args = ["sh", "-c", `cd ${directory}; ${script}`];
  const env = ["PATH=/bin:/usr/bin", "WORD=word"];
  return { path: "/bin/sh", args, env, intervalMs: 1, startIntervalMs: 1, startPeriodMs: 0, ...more };
}

describe("the program", () => {
  test("runs again and again while the child lives, one at a time, with nothing but its own", async () => {
    using lab = laboratory();
    const script =
      'mkdir running || echo >overlap; echo "$WORD $(echo /proc/self/fd/*) $(readlink /proc/$$/fd/0)" >>beats; ' +
      "grep -E 'SigBlk|SigIgn' /proc/self/status >>signals; rmdir running";
    // What it prints wakes the monitor while a program is under way.
    const child = `while [ ! -e ${lab.path}/end ]; do echo noise; done`;
    using box = await startMonitored({ child, maxLogBytes: 10_000, beat: beatOf(lab.path, script) });
    await until("ten of them", () => lab.lines("beats").length >= 10);
    await Bun.write(join(lab.path, "end"), "");
    expect(await box.launched.wait()).toBe(0);
    // 3 is the directory that the shell reads.
    expect(new Set(lab.lines("beats"))).toEqual(
      new Set([`word ${[0, 1, 2, 3].map((fd) => `/proc/self/fd/${fd}`).join(" ")} /dev/null`]),
    );
    expect(new Set(lab.lines("signals"))).toEqual(
      new Set([`SigBlk:\t${"0".repeat(16)}`, `SigIgn:\t${"0".repeat(16)}`]),
    );
    expect(lab.lines("overlap")).toEqual([]);
  });

  test("is reaped, and its end is not taken for the child's", async () => {
    using lab = laboratory();
    using box = await startMonitored({
      child: "read line; exit 6",
      beat: beatOf(lab.path, "echo beat >>beats; exit 3"),
    });
    await until("some of them", () => lab.lines("beats").length >= 5);
    expect(box.ended()).toBeUndefined();
    box.input("go\n");
    expect(await box.launched.wait()).toBe(0);
    expect(box.ended()?.status).toBe(6 << 8);
  });

  test("starts at the pace of the beginning, as long as that lasts", async () => {
    using lab = laboratory();
    const early = { intervalMs: hour, startPeriodMs: hour };
    using box = await startMonitored({ child: "read line", beat: beatOf(lab.path, "echo beat >>beats", early) });
    await until("some of them", () => lab.lines("beats").length >= 5);
    box.input("go\n");
    await box.launched.wait();
  });

  test("starts at its usual pace when the beginning is over", async () => {
    using lab = laboratory();
    const late = { startIntervalMs: hour, startPeriodMs: 0 };
    using box = await startMonitored({ child: "read line", beat: beatOf(lab.path, "echo beat >>beats", late) });
    await until("some of them", () => lab.lines("beats").length >= 5);
    box.input("go\n");
    await box.launched.wait();
  });

  test("does not start before its time", async () => {
    using lab = laboratory();
    const slow = { intervalMs: hour, startIntervalMs: hour };
    using box = await startMonitored({ child: "seq 1 100000", beat: beatOf(lab.path, "echo beat >>beats", slow) });
    expect(await box.launched.wait()).toBe(0);
    expect(lab.lines("beats")).toEqual([]);
  });

  test("that cannot be executed stops nothing", async () => {
    using lab = laboratory();
    const beat = { ...beatOf(lab.path, ""), path: "/nonexistent" };
    using box = await startMonitored({ child: "seq 1 100000; read line; exit 6", beat });
    await until("the output", () => box.printed().endsWith("\n100000\n"));
    box.input("go\n");
    expect(await box.launched.wait()).toBe(0);
    expect(box.ended()?.status).toBe(6 << 8);
  });

  test("that does not end is not waited for", async () => {
    using lab = laboratory();
    using box = await startMonitored({
      child: "read line",
      beat: beatOf(lab.path, "echo $$ >>beats; exec sleep 1000"),
    });
    await until("the first", () => lab.lines("beats").length === 1 && lab.lines("beats")[0] !== "");
    box.input("go\n");
    expect(await box.launched.wait()).toBe(0);
    process.kill(Number(lab.lines("beats")[0]), "SIGKILL");
  });
});
