/** Progress in the four ways it is shown: redrawn on a terminal, lines in a pipe, JSON events, nothing. */
import type { Progress, ProgressTask } from "../../core/context.ts";
import { advance, describeTask, enterPhase, startTask, type TaskState } from "./progress-state.ts";
import type { Screen } from "./screen.ts";
import { visible } from "./terminal.ts";

export interface ProgressClock {
  readonly nowMs: () => number;
  /** Calls back until the returned function is called. Must not keep the process alive. */
  readonly every: (intervalMs: number, callback: () => void) => () => void;
}

export type ClosableProgress = Progress & { close(): void };

const redrawEveryMs = 100;
const tickMs = 500;
const plainLineEveryMs = 10_000;
const eventEveryMs = 500;

/** One line a task, redrawn in place; a finished task's line stays, above those that go on. */
export function terminalProgress(screen: Screen, clock: ProgressClock, rows: () => number): ClosableProgress {
  const active = new Set<TaskState>();
  let drawnAtMs = Number.NEGATIVE_INFINITY;
  let stopTicking: (() => void) | undefined;
  const draw = (): void => {
    drawnAtMs = clock.nowMs();
    screen.show(
      clip(
        [...active].map((task) => describeTask(task, drawnAtMs)),
        rows() - 2,
      ),
    );
  };
  const close = (): void => {
    stopTicking?.();
    stopTicking = undefined;
    active.clear();
    screen.show([]);
  };
  const task = (name: string, totalBytes: number | undefined): ProgressTask => {
    const label = visible(name);
    const state = startTask(label, totalBytes);
    active.add(state);
    // Ticks show that time passes when no bytes come.
    stopTicking ??= clock.every(tickMs, draw);
    draw();
    return {
      update(doneBytes) {
        advance(state, doneBytes, clock.nowMs());
        if (clock.nowMs() - drawnAtMs >= redrawEveryMs) draw();
      },
      phase(phase) {
        enterPhase(state, phase);
        draw();
      },
      done(result) {
        if (!active.delete(state)) return;
        if (active.size > 0) draw();
        else close();
        screen.print(`${label}: ${result}`);
      },
    };
  };
  return { task, close };
}

/** A block higher than the terminal could not be redrawn: its first rows would have scrolled away. */
function clip(lines: readonly string[], limit: number): readonly string[] {
  if (lines.length <= Math.max(1, limit)) return lines;
  const kept = lines.slice(0, Math.max(0, limit - 1));
  return [...kept, `and ${lines.length - kept.length} more`];
}

/** A line at each phase and at the end, and one every ten seconds while bytes move: logs of builds stay short. */
export function plainProgress(screen: Screen, clock: ProgressClock): ClosableProgress {
  const task = (name: string, totalBytes: number | undefined): ProgressTask => {
    const label = visible(name);
    const state = startTask(label, totalBytes);
    let saidAtMs = clock.nowMs();
    return {
      update(doneBytes) {
        advance(state, doneBytes, clock.nowMs());
        if (clock.nowMs() - saidAtMs < plainLineEveryMs) return;
        saidAtMs = clock.nowMs();
        screen.print(describeTask(state, saidAtMs));
      },
      phase(phase) {
        if (state.phase === phase) return;
        enterPhase(state, phase);
        saidAtMs = clock.nowMs();
        screen.print(`${label}: ${phase}`);
      },
      done(result) {
        screen.print(`${label}: ${result}`);
      },
    };
  };
  return { task, close: () => {} };
}

/** `{"event":"progress","task":…,"phase":…,"doneBytes":…,"totalBytes":…}` a line, at most two a second and task. */
export function jsonProgress(screen: Screen, clock: ProgressClock): ClosableProgress {
  const task = (label: string, totalBytes: number | undefined): ProgressTask => {
    let phase = "";
    let doneBytes = 0;
    let saidAtMs = Number.NEGATIVE_INFINITY;
    const say = (more: object): void => {
      saidAtMs = clock.nowMs();
      screen.print(JSON.stringify({ event: "progress", task: label, phase, doneBytes, totalBytes, ...more }));
    };
    return {
      update(bytes) {
        doneBytes = bytes;
        if (clock.nowMs() - saidAtMs >= eventEveryMs) say({});
      },
      phase(name) {
        phase = name;
        say({});
      },
      done(result) {
        say({ result });
      },
    };
  };
  return { task, close: () => {} };
}

export function silentProgress(): ClosableProgress {
  const nothing = (): void => {};
  return { task: () => ({ update: nothing, phase: nothing, done: nothing }), close: nothing };
}
