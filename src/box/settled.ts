/** The store as the commands on boxes want it: what nobody watches any more is written down as ended. */
import type { Context } from "../core/context.ts";
import { DevboxError } from "../core/errors.ts";
import { signalProcess } from "../host/process-identity.ts";
import { readHostFacts } from "../host/read-facts.ts";
import { endCgroup } from "../runtime/container-cgroup.ts";
import { firstProcess } from "../store/box-state.ts";
import { findBox, sweepBoxes } from "../store/boxes.ts";
import { openStore } from "../store/open.ts";
import type { BoxPaths, BoxRecord, Store } from "../store/types.ts";
import type { Surroundings } from "./prepare.ts";
import { readSettings } from "./settings.ts";

export function openSettled(context: Context): Surroundings {
  const store = openStore(context.env);
  sweepBoxes(store, leaveBehind);
  return { store, facts: readHostFacts(context.env) };
}

/** What a box that was lost has outside of the store. Its processes were killed just now. */
function leaveBehind(paths: BoxPaths): void {
  try {
    const cgroup = readSettings(paths)?.cgroup;
    // Nobody waits for it: a group that is still busy then is used again by its next start, or stays.
    if (cgroup !== undefined) endCgroup(cgroup).catch(() => {});
  } catch {
    // Its settings are damaged; the group stays.
  }
}

export interface FoundBox {
  readonly paths: BoxPaths;
  readonly record: BoxRecord;
}

/** @throws DevboxError BOX_NOT_FOUND, BOX_STATE when it does not run */
export function findRunning(store: Store, name: string, verb: string): FoundBox {
  const found = findBox(store, name);
  if (found.record.status === "running" || found.record.status === "paused") return found;
  throw notRunning(found.record, verb);
}

export function notRunning({ name, status }: BoxRecord, verb: string): DevboxError {
  return new DevboxError("BOX_STATE", { step: `${verb} the box ${name}`, because: `it is ${status}, not running` });
}

/**
 * Sends a signal to the first process of a box, and to no other: false where it has ended. A box in the foreground is known by
 * its lock alone, which is held as long as its process is there.
 */
export function signalBox(record: BoxRecord, signal: number): boolean {
  const init = firstProcess(record);
  return init !== undefined && signalProcess(init, signal);
}
