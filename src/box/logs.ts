/** `devbox logs`: what a detached box has printed, and goes on printing. */
import { existsSync } from "node:fs";
import type { Context } from "../core/context.ts";
import { DevboxError } from "../core/errors.ts";
import { isWatched } from "../store/box-state.ts";
import { findBox } from "../store/boxes.ts";
import { liveDirectory } from "../store/paths.ts";
import type { BoxPaths, BoxRecord } from "../store/types.ts";
import { type LogReader, type LogStart, logDirectory, openLog } from "./log-files.ts";
import type { LogFrame } from "./log-frames.ts";
import { readSettings } from "./settings.ts";
import { openSettled } from "./settled.ts";
import { watchDirectories } from "./watch.ts";

export interface LogsRequest {
  /** Lines from the end; undefined: all. */
  readonly tail: number | undefined;
  /** Milliseconds since 1970. */
  readonly since: number | undefined;
  readonly until: number | undefined;
  readonly follow: boolean;
}

/** @throws DevboxError BOX_NOT_FOUND, BOX_STATE where no log is kept */
export async function* readLogs(context: Context, name: string, request: LogsRequest): AsyncGenerator<LogFrame> {
  const { store } = openSettled(context);
  const { paths, record } = findBox(store, name);
  requireLog(paths, record);
  const [since, until] = [nanoseconds(request.since), nanoseconds(request.until)];
  const start: LogStart = request.tail === undefined ? "oldest" : { lastLines: request.tail };
  using log = openLog(logDirectory(paths), start);
  const ends = { directory: liveDirectory(store), goesOn: () => request.follow && isWatched(paths) };
  for await (const frame of followLog(context, log, ends)) {
    if (until !== undefined && frame.time > until) return;
    if (since === undefined || frame.time >= since) yield frame;
  }
}

function requireLog(paths: BoxPaths, { name, status }: BoxRecord): void {
  const step = `read the log of ${name}`;
  if (readSettings(paths)?.options.log.driver === "none") {
    throw new DevboxError("BOX_STATE", {
      step,
      because: "it was started with --log-driver none",
      hint: "run it without",
    });
  }
  // One that was never started has printed nothing.
  if (status === "created" || existsSync(logDirectory(paths))) return;
  const because = "it was run in the foreground: what it printed went to whoever ran it";
  throw new DevboxError("BOX_STATE", {
    step,
    because,
    hint: "a log is kept of boxes in the background: devbox run -d",
  });
}

function nanoseconds(milliseconds: number | undefined): bigint | undefined {
  return milliseconds === undefined ? undefined : BigInt(Math.round(milliseconds * 1000)) * 1000n;
}

/** How long the end of a box may stay unnoticed whose end changes nothing in its log. */
const glanceMs = 250;

export interface LogEnd {
  /** Something in it changes when the log ends. */
  readonly directory: string;
  goesOn(): boolean;
}

/** Frames as they come, as long as `goesOn`; all that was written before the end is among them. */
export async function* followLog(
  { signal }: Pick<Context, "signal">,
  log: LogReader,
  { directory, goesOn }: LogEnd,
): AsyncGenerator<LogFrame> {
  yield* readAll(log);
  if (!goesOn()) return;
  using watch = watchDirectories([log.directory, directory], signal);
  for (;;) {
    // Asked before what is there is read: what was written until then comes first.
    const isLast = !goesOn();
    yield* readAll(log);
    if (isLast) return;
    await watch.changed(glanceMs);
  }
}

function* readAll(log: LogReader): Generator<LogFrame> {
  for (let frames = log.read(); frames.length > 0; frames = log.read()) yield* frames;
}
