/**
 * What happened to boxes, for `devbox events` and for those who wait for the end of one: `boxes/.events`, a JSON line an
 * event. Appended with O_APPEND by whoever does it, and rotated once: what is older than two files is forgotten.
 */
import { closeSync, fstatSync, openSync, renameSync, writeSync } from "node:fs";
import { join } from "node:path";
import type { BoxRecord, Store } from "./types.ts";

export type EventAction =
  | "create"
  | "start"
  | "die"
  | "stop"
  | "kill"
  | "restart"
  | "pause"
  | "unpause"
  | "rename"
  | "update"
  | "remove"
  | "exec_create"
  | "exec_start"
  | "exec_die"
  | "attach"
  | "detach"
  | "health_status"
  | "oom"
  | "mount"
  | "unmount";

export interface StoreEvent {
  readonly type: "box" | "volume";
  readonly action: EventAction;
  /** Of the box; the name of a volume. */
  readonly id: string;
  /** `name` and `image` of a box; `exitCode` of die and exec_die, `signal` of kill, `status` of health_status. */
  readonly attributes: Readonly<Record<string, string>>;
  /** Milliseconds since 1970. */
  readonly time: number;
}

/** An event of a box that happens now. */
export function boxEvent(
  action: EventAction,
  { id, name, image }: Pick<BoxRecord, "id" | "name" | "image">,
  attributes: Readonly<Record<string, string>> = {},
): StoreEvent {
  return { type: "box", action, id, attributes: { name, image, ...attributes }, time: Date.now() };
}

/** The current file; the one before has `.1` behind. */
export function eventsPath(store: Store): string {
  return join(store.boxes, ".events");
}

const maxBytes = 1024 * 1024;

/** Appends events, in one write. Nothing that is done fails because it could not be told: a full disk loses events. */
export function recordEvent(store: Store, ...events: readonly StoreEvent[]): void {
  const path = eventsPath(store);
  try {
    const fd = openSync(path, "a", 0o600);
    try {
      writeSync(fd, events.map((event) => `${JSON.stringify(event)}\n`).join(""));
      if (fstatSync(fd).size > maxBytes) renameSync(path, `${path}.1`);
    } finally {
      closeSync(fd);
    }
  } catch {
    // ENOSPC, EROFS.
  }
}

/** undefined: a line that was cut off by a full disk. */
export function parseEvent(line: string): StoreEvent | undefined {
  try {
    // Written by devbox, in a directory that is closed to others.
    return JSON.parse(line) as StoreEvent;
  } catch {
    return undefined;
  }
}
