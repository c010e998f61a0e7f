import { expect, test } from "bun:test";
import {
  jsonProgress,
  type ProgressClock,
  plainProgress,
  silentProgress,
  terminalProgress,
} from "../../../../src/cli/ui/progress.ts";
import { plainScreen, terminalScreen } from "../../../../src/cli/ui/screen.ts";

/** A clock that is set by hand, and counts who still ticks. */
function fakeClock() {
  const tickers = new Set<() => void>();
  const state = { nowMs: 0 };
  const clock: ProgressClock = {
    nowMs: () => state.nowMs,
    every(_, callback) {
      tickers.add(callback);
      return () => tickers.delete(callback);
    },
  };
  const tick = (): void => {
    for (const callback of tickers) callback();
  };
  return { clock, state, tick, tickers };
}

/** What a terminal shows after these bytes: enough of ECMA-48 for CUU, CR and ED. */
function rendered(bytes: string): string[] {
  const rows: string[] = [""];
  let row = 0;
  for (const [token] of bytes.replaceAll("\x1b", "␛").matchAll(/␛\[\d*[A-Z]|\n|\r|[^␛\n\r]+/g)) {
    const up = /^␛\[(\d+)A$/.exec(token);
    if (up !== null) row -= Number(up[1]);
    else if (token === "␛[J") rows.splice(row, rows.length, "");
    else if (token === "\n") rows[++row] ??= "";
    else if (token !== "\r") rows[row] = (rows[row] ?? "") + token;
    if (row < 0) throw new Error("the cursor left the screen");
  }
  return rows.slice(0, -1);
}

function terminal(columns = 80, rows = 24) {
  let bytes = "";
  const time = fakeClock();
  const screen = terminalScreen(
    () => columns,
    (text) => {
      bytes += text;
    },
  );
  const progress = terminalProgress(screen, time.clock, () => rows);
  return { ...time, screen, progress, shown: () => rendered(bytes), size: () => bytes.length };
}

test("one line a layer with bytes, rate and time left", () => {
  const { progress, state, shown } = terminal();
  const task = progress.task("a1b2c3", 100_000_000);
  task.phase("downloading");
  task.update(0);
  state.nowMs = 1000;
  task.update(10_000_000);
  expect(shown()).toEqual(["a1b2c3: downloading 10.0 MB / 100 MB, 10.0 MB/s, 9s left"]);
});

test("a resumed download's rate counts what came now only", () => {
  const { progress, state, shown } = terminal();
  const task = progress.task("a", 100_000_000);
  task.phase("downloading");
  task.update(90_000_000);
  expect(shown()).toEqual(["a: downloading 0 B / 100 MB"]);
  state.nowMs = 1000;
  task.update(91_000_000);
  expect(shown()).toEqual(["a: downloading 91.0 MB / 100 MB, 1.0 MB/s, 9s left"]);
});

test("finished lines stay above, in the order in which they finished", () => {
  const { progress, shown, tickers } = terminal();
  const [a, b, c] = ["a", "b", "c"].map((name) => progress.task(name, undefined));
  b?.done("done");
  expect(shown()).toEqual(["b: done", "a:", "c:"]);
  a?.phase("applying");
  c?.done("already there");
  expect(shown()).toEqual(["b: done", "c: already there", "a: applying"]);
  a?.done("done");
  a?.done("twice");
  expect(shown()).toEqual(["b: done", "c: already there", "a: done"]);
  expect(tickers.size).toBe(0);
});

test("messages stand above the block", () => {
  const { progress, screen, shown } = terminal();
  progress.task("a", undefined);
  screen.print("warning: something");
  expect(shown()).toEqual(["warning: something", "a:"]);
});

test("lines are cut at the terminal's width, which would break the way back up", () => {
  const { progress, shown } = terminal(20);
  const task = progress.task("sha256:0123456789abcdef", 5);
  task.phase("downloading");
  expect(shown()).toEqual(["sha256:0123456789a…"]);
});

test("a block higher than the terminal is cut", () => {
  const { progress, shown } = terminal(80, 6);
  for (let index = 0; index < 40; index++) progress.task(`layer ${index}`, undefined);
  expect(shown()).toEqual(["layer 0:", "layer 1:", "layer 2:", "and 37 more"]);
});

test("updates are not drawn more often than ten times a second", () => {
  const { progress, state, size } = terminal();
  const task = progress.task("a", 1_000_000);
  const before = size();
  for (let bytes = 0; bytes < 1000; bytes++) task.update(bytes);
  expect(size()).toBe(before);
  state.nowMs = 100;
  task.update(1000);
  expect(size()).toBeGreaterThan(before);
});

test("silence is shown, by the tick", () => {
  const { progress, state, tick, shown } = terminal();
  const task = progress.task("a", 1_000_000);
  task.phase("downloading");
  task.update(1000);
  state.nowMs = 7000;
  tick();
  expect(shown()).toEqual(["a: downloading 1.0 kB / 1.0 MB, nothing for 7s"]);
});

test("closing takes the block away and stops the ticks", () => {
  const { progress, shown, tickers } = terminal();
  progress.task("a", undefined);
  expect(tickers.size).toBe(1);
  progress.close();
  expect(shown()).toEqual([]);
  expect(tickers.size).toBe(0);
});

test("in a pipe: a line a phase, one every ten seconds, one at the end", () => {
  let text = "";
  const { clock, state } = fakeClock();
  const progress = plainProgress(
    plainScreen((more) => {
      text += more;
    }),
    clock,
  );
  const task = progress.task("a1b2c3", 100_000_000);
  task.phase("downloading");
  task.phase("downloading");
  task.update(0);
  state.nowMs = 5000;
  task.update(50_000_000);
  state.nowMs = 10_000;
  task.update(60_000_000);
  task.phase("applying");
  task.done("done");
  expect(text).toMatchInlineSnapshot(`
    "a1b2c3: downloading
    a1b2c3: downloading 60.0 MB / 100 MB, 7.6 MB/s, 5s left
    a1b2c3: applying
    a1b2c3: done
    "
  `);
  expect(text).not.toContain("\x1b");
});

test("as JSON: an event a line", () => {
  const lines: unknown[] = [];
  const { clock, state } = fakeClock();
  const progress = jsonProgress({ print: (line) => lines.push(JSON.parse(line)), show: () => {} }, clock);
  const task = progress.task("a", 10);
  task.phase("downloading");
  task.update(1);
  state.nowMs = 500;
  task.update(5);
  task.done("done");
  const common = { event: "progress", task: "a", phase: "downloading", totalBytes: 10 };
  expect(lines).toEqual([
    { ...common, doneBytes: 0 },
    { ...common, doneBytes: 5 },
    { ...common, doneBytes: 5, result: "done" },
  ]);
});

test("quiet is quiet", () => {
  const task = silentProgress().task("a", 1);
  expect([task.update(1), task.phase("x"), task.done("y")]).toEqual([undefined, undefined, undefined]);
});
