/** Hearing that memory has run out in a group: memory.events on version 2, an eventfd(2) on version 1. */
import { closeSync, constants, openSync } from "node:fs";
import { eventfd } from "../../ffi/libc.ts";
import { DevboxError } from "../core/errors.ts";
import { directoryOf } from "./controllers.ts";
import { readControl, readTable, writeControl } from "./files.ts";
import type { Cgroup } from "./types.ts";
import { watchControl } from "./watch.ts";

/**
 * Calls `onOom` whenever processes of the group, or of groups in it, were killed because memory had run out; on version 1
 * whenever it has run out. Ends when disposed of. Throws CGROUP_UNAVAILABLE where nobody counts memory.
 */
export function watchOom(cgroup: Cgroup, onOom: () => void): Disposable {
  const directory = directoryOf(cgroup, "memory");
  const file = cgroup.layout.version === 2 ? "memory.events" : "memory.oom_control";
  if (directory === undefined || readControl(directory, file) === undefined) {
    const step = `watch the memory of the control group ${cgroup.path}`;
    throw new DevboxError("CGROUP_UNAVAILABLE", { step, because: "it has no controller memory" });
  }
  return cgroup.layout.version === 2 ? watchEvents(directory, onOom) : watchEventfd(directory, onOom);
}

function watchEvents(directory: string, onOom: () => void): Disposable {
  const count = () => readTable(directory, "memory.events")["oom_kill"] ?? 0;
  let known = count();
  // The file also changes when limits are hit, and when processes of groups below are throttled.
  const stop = watchControl(directory, "memory.events", () => {
    const now = count();
    const isMore = now > known;
    known = Math.max(now, known);
    if (isMore) onOom();
  });
  return { [Symbol.dispose]: stop };
}

/** Documentation/admin-guide/cgroup-v1/memory.rst "OOM Control": the descriptors are named to cgroup.event_control. */
function watchEventfd(directory: string, onOom: () => void): Disposable {
  const events = eventfd();
  const control = openSync(`${directory}/memory.oom_control`, constants.O_RDONLY);
  try {
    writeControl(directory, "cgroup.event_control", `${events} ${control}`);
  } catch (error) {
    closeSync(events);
    throw error;
  } finally {
    closeSync(control);
  }
  const reader = Bun.file(events).stream().getReader();
  const listen = async () => {
    for (let { done } = await reader.read(); !done; { done } = await reader.read()) {
      // The removal of the group is told in the same way.
      if (readControl(directory, "memory.oom_control") === undefined) break;
      onOom();
    }
  };
  // A cancelled reader ends with an error that nobody waits for.
  listen().catch(() => undefined);
  return {
    [Symbol.dispose]: () => {
      // Closed only when nobody polls it any more: somebody else may get the number at once.
      const close = () => closeSync(events);
      reader.cancel().then(close, close);
    },
  };
}
