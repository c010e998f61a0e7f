/** `devbox events`: the log of what happened (store/events.ts), read from its beginning or from now, and followed. */
import { closeSync, fstatSync, openSync, readSync, statSync } from "node:fs";
import type { Context } from "../core/context.ts";
import { eventsPath, parseEvent, type StoreEvent } from "../store/events.ts";
import type { Store } from "../store/types.ts";
import { watchDirectories } from "./watch.ts";

export interface EventSpan {
  /** Milliseconds since 1970; undefined: from now on. */
  readonly since: number | undefined;
  /** undefined: for ever. */
  readonly until: number | undefined;
}

/** How long a change of the file may stay unnoticed where there is no inotify. */
const glanceMs = 2000;

/** All events of the span, in order; ends when it is over, or with the signal, without an error. */
export async function* readEvents(
  { signal }: Context,
  store: Store,
  { since, until }: EventSpan,
): AsyncGenerator<StoreEvent> {
  const path = eventsPath(store);
  using watch = watchDirectories([store.boxes], signal);
  using tail = openTail(path, since === undefined);
  if (since !== undefined) yield* within(readWhole(`${path}.1`), since, until);
  for (;;) {
    yield* within(tail.lines(), since ?? 0, until);
    const left = until === undefined ? glanceMs : until - Date.now();
    if (left <= 0) return;
    try {
      await watch.changed(Math.min(left, glanceMs));
    } catch {
      return; // the user has ended it
    }
  }
}

function* within(lines: Iterable<string>, since: number, until: number | undefined): Generator<StoreEvent> {
  for (const line of lines) {
    const event = parseEvent(line);
    if (event !== undefined && event.time >= since && (until === undefined || event.time <= until)) yield event;
  }
}

function readWhole(path: string): string[] {
  using tail = openTail(path, false);
  return tail.lines();
}

interface Tail extends Disposable {
  /** Lines that have come since the last time; those of a file that was rotated away first. */
  lines(): string[];
}

function openTail(path: string, fromEnd: boolean): Tail {
  let fd = openOrNothing(path);
  let position = fd !== undefined && fromEnd ? fstatSync(fd).size : 0;
  let rest = "";
  const close = (): void => {
    if (fd !== undefined) closeSync(fd);
    fd = undefined;
  };
  const readOn = (): string[] => {
    if (fd === undefined) return [];
    const bytes = readFrom(fd, position);
    position += bytes.length;
    // Whoever writes an event writes it whole: characters are not cut.
    const lines = (rest + bytes.toString("utf8")).split("\n");
    rest = lines.pop() ?? "";
    return lines;
  };
  return {
    lines() {
      const lines = readOn();
      if (fd !== undefined && isStill(fd, path)) return lines;
      // What came between reading and rotating is still in the old file.
      lines.push(...readOn());
      close();
      fd = openOrNothing(path);
      position = 0;
      rest = "";
      return [...lines, ...readOn()];
    },
    [Symbol.dispose]: close,
  };
}

function openOrNothing(path: string): number | undefined {
  try {
    return openSync(path, "r");
  } catch {
    return undefined; // nothing has happened yet
  }
}

function isStill(fd: number, path: string): boolean {
  const named = statSync(path, { throwIfNoEntry: false });
  const ours = fstatSync(fd);
  return named !== undefined && named.ino === ours.ino && named.dev === ours.dev;
}

function readFrom(fd: number, position: number): Buffer {
  const chunks: Buffer[] = [];
  for (let at = position; ; ) {
    const chunk = Buffer.alloc(64 * 1024);
    const length = readSync(fd, chunk, 0, chunk.length, at);
    if (length === 0) return Buffer.concat(chunks);
    chunks.push(chunk.subarray(0, length));
    at += length;
  }
}
