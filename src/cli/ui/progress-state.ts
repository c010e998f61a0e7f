/** What one line of progress knows, and how it reads. */
import { formatBytes, formatDuration } from "./units.ts";

/** Mutable: one for each task, owned by the progress that made it. */
export interface TaskState {
  readonly label: string;
  readonly totalBytes: number | undefined;
  phase: string;
  doneBytes: number;
  /** undefined until two updates lie apart far enough. */
  bytesPerSecond: number | undefined;
  /** Where and when the rate was last measured; undefined before a phase's first update. */
  measured: { readonly doneBytes: number; readonly atMs: number } | undefined;
}

/** Shorter spans make the rate jump. */
const measureEveryMs = 250;
/** The weight of the newest measurement: the rate follows a change within a second or two. */
const newestWeight = 0.3;
/** Silence that is worth a word. */
const stalledAfterMs = 3000;

export function startTask(label: string, totalBytes: number | undefined): TaskState {
  return { label, totalBytes, phase: "", doneBytes: 0, bytesPerSecond: undefined, measured: undefined };
}

/** A phase counts its own bytes: what the last one's rate was says nothing about it. */
export function enterPhase(task: TaskState, phase: string): void {
  task.phase = phase;
  task.bytesPerSecond = undefined;
  task.measured = undefined;
}

/** A phase's first update is where it starts (a resumed download starts above 0), not progress. */
export function advance(task: TaskState, doneBytes: number, nowMs: number): void {
  task.doneBytes = doneBytes;
  const last = task.measured;
  if (last === undefined || doneBytes < last.doneBytes) {
    task.measured = { doneBytes, atMs: nowMs };
    return;
  }
  const spanMs = nowMs - last.atMs;
  if (spanMs < measureEveryMs || doneBytes === last.doneBytes) return;
  const newest = ((doneBytes - last.doneBytes) * 1000) / spanMs;
  const previous = task.bytesPerSecond ?? newest;
  task.bytesPerSecond = previous + newestWeight * (newest - previous);
  task.measured = { doneBytes, atMs: nowMs };
}

/** `a1b2c3: downloading 12.3 MB / 45.0 MB, 3.4 MB/s, 10s left`. */
export function describeTask(task: TaskState, nowMs: number): string {
  const parts = [amount(task), ...speed(task, nowMs)].filter((part) => part !== "");
  const numbers = parts.join(", ");
  return [`${task.label}:`, task.phase, numbers].filter((part) => part !== "").join(" ");
}

function amount({ doneBytes, totalBytes }: TaskState): string {
  if (totalBytes === undefined) return doneBytes === 0 ? "" : formatBytes(doneBytes);
  return doneBytes < totalBytes ? `${formatBytes(doneBytes)} / ${formatBytes(totalBytes)}` : formatBytes(totalBytes);
}

function speed(task: TaskState, nowMs: number): string[] {
  const { measured, bytesPerSecond, totalBytes, doneBytes } = task;
  if (measured === undefined) return [];
  const finished = totalBytes !== undefined && doneBytes >= totalBytes;
  const silentMs = nowMs - measured.atMs;
  if (silentMs >= stalledAfterMs && !finished) return [`nothing for ${formatDuration(silentMs / 1000)}`];
  if (bytesPerSecond === undefined) return [];
  const rate = `${formatBytes(bytesPerSecond)}/s`;
  if (totalBytes === undefined || finished || bytesPerSecond < 1) return [rate];
  return [rate, `${formatDuration((totalBytes - doneBytes) / bytesPerSecond)} left`];
}
