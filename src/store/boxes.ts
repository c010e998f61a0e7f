/**
 * Boxes on disk. A box is a directory `boxes/<id>/`; its name is a symbolic link `boxes/.names/<name>` to the id, which
 * makes names unique without reading anything; while it lives, its lock stands in `boxes/.live/`.
 *
 * The lock is taken by the devbox that makes the box and inherited by the supervisor that outlives it. So whoever gets
 * the lock of a box knows that nothing of it runs any more, and may clean up (`sweepBoxes`). Boxes that ended orderly
 * have no file in `.live`: the sweep of a warm `run` reads one small directory, however many boxes are kept.
 */
import { mkdirSync, readdirSync, readlinkSync, symlinkSync, unlinkSync } from "node:fs";
import { join } from "node:path";
import { SIGKILL } from "../../ffi/constants.ts";
import type { Context } from "../core/context.ts";
import { DevboxError, errnoName } from "../core/errors.ts";
import { signalProcess } from "../host/process-identity.ts";
import { randomHex, removeQuietly, storeError } from "./atomic-write.ts";
import { randomBoxName } from "./box-names.ts";
import { readBoxRecord, writeBoxRecord } from "./box-record.ts";
import { endedRecord, initProcess, isAlive, readBoxEnd } from "./box-state.ts";
import { boxEvent, recordEvent } from "./events.ts";
import { isNamed, moveToTrash } from "./layers.ts";
import { type Lock, tryLock, waitForLock } from "./locks.ts";
import { boxPaths, referencesLockPath } from "./paths.ts";
import { removeTree } from "./remove-tree.ts";
import type { BoxPaths, BoxRecord, Store } from "./types.ts";

/** What the maker of a box says; the rest of the record is filled in. */
export type NewBox = Omit<BoxRecord, "version" | "id" | "name" | "status"> & { readonly name: string | undefined };

export interface CreatedBox {
  readonly paths: BoxPaths;
  readonly record: BoxRecord;
  /** Held; its `fd` is for the supervisor to inherit. */
  readonly lock: Lock;
}

const idPattern = /^[0-9a-f]{64}$/;
/** docker's names (daemon/names/names.go): two characters at least. */
const namePattern = /^[a-zA-Z0-9][a-zA-Z0-9_.-]+$/;

/**
 * Make a box: directory, name, lock, record. From here on prune keeps its layers.
 * @throws DevboxError BOX_NAME_TAKEN; USAGE for a name that is none; IMAGE_NOT_FOUND when a prune was faster
 */
export async function createBox(context: Context, store: Store, wanted: NewBox): Promise<CreatedBox> {
  if (wanted.name !== undefined) checkName(wanted.name);
  const paths = boxPaths(store, randomHex(32));
  // The lock comes first: a sweep that meets the rest finds it held. It can meet the lock file before the lock, though,
  // take it and remove it; then this waits and makes another.
  const lock = await waitForLock(context, paths.lock, "exclusive");
  let name: string | undefined;
  try {
    mkdirSync(paths.directory, { mode: 0o700 });
    name = claimName(store, paths.id, wanted.name);
    const record: BoxRecord = { ...wanted, version: 1, id: paths.id, name, status: "created" };
    using _references = await waitForLock(context, referencesLockPath(store), "shared");
    writeBoxRecord(paths, record);
    requireLayers(store, record);
    return { paths, record, lock };
  } catch (error) {
    removeBox(store, paths, name, lock);
    throw storeError(error, `make the box ${paths.directory}`);
  }
}

/** The box is over but kept: write how it ended, and release its lock for good. */
export function finishBox({ paths, lock }: { paths: BoxPaths; lock: Lock }, record: BoxRecord): void {
  writeBoxRecord(paths, endedRecord(record, undefined));
  lock.remove();
}

/** A box that was made and not started: its record stays, nobody watches it. */
export function leaveBox({ lock }: CreatedBox): void {
  lock.remove();
}

/**
 * Take a box off the disk. It is gone from every list at once; files that belong to mapped ids, which only a process in
 * the user namespace can remove, stay behind under a trash name.
 * @param lock of the box, held
 * @returns whether all is removed; false: prune (or `emptyTrash`) removes the rest
 */
export function removeBox(store: Store, paths: BoxPaths, name: string | undefined, lock: Lock): boolean {
  const trash = moveToTrash(paths.directory, store.boxes);
  if (name !== undefined) takeName(store, paths.id, name);
  lock.remove();
  return trash === undefined || removeTree(trash);
}

/** The lock of a box that is not running; undefined while it lives. */
export function lockEndedBox(paths: BoxPaths): Lock | undefined {
  return tryLock(paths.lock, "exclusive");
}

/** All boxes, oldest first. Those whose record is damaged are left to `onDamaged`. */
export function listBoxes(store: Store, onDamaged: (error: unknown) => void): readonly BoxRecord[] {
  const records: BoxRecord[] = [];
  for (const id of readdirSync(store.boxes)) {
    if (!idPattern.test(id)) continue;
    try {
      const record = readBoxRecord(boxPaths(store, id));
      if (record !== undefined) records.push(record);
    } catch (error) {
      onDamaged(error);
    }
  }
  return records.sort((a, b) => a.created.localeCompare(b.created) || a.id.localeCompare(b.id));
}

/**
 * The box of this name, or whose id begins so.
 * @throws DevboxError BOX_NOT_FOUND when there is none, or when several ids begin so
 */
export function findBox(store: Store, nameOrId: string): { readonly paths: BoxPaths; readonly record: BoxRecord } {
  const id = idOfName(store, nameOrId) ?? idOfPrefix(store, nameOrId);
  const paths = id === undefined ? undefined : boxPaths(store, id);
  const record = paths === undefined ? undefined : readBoxRecord(paths);
  if (paths === undefined || record === undefined) {
    throw new DevboxError("BOX_NOT_FOUND", {
      step: `find the box ${nameOrId}`,
      because: "there is no box of this name or id",
    });
  }
  return { paths, record };
}

/**
 * Clean up after boxes whose supervisor died without doing so: what is left of them is killed, ephemeral ones are removed,
 * others become "exited".
 * @param onEnded called before, for what lies outside of the store
 * @returns ids that were cleaned up
 */
export function sweepBoxes(store: Store, onEnded?: (paths: BoxPaths) => void): readonly string[] {
  return readdirSync(join(store.boxes, ".live")).filter((id) => {
    const paths = boxPaths(store, id);
    const lock = tryLock(paths.lock, "exclusive");
    if (lock === undefined) return false;
    sweepBox(store, paths, lock, onEnded);
    return true;
  });
}

/** The same for one box, whose lock is had: nobody watches it any more. */
function sweepBox(store: Store, paths: BoxPaths, lock: Lock, onEnded?: (paths: BoxPaths) => void): void {
  const record = readRecordOrNothing(paths);
  if (record === undefined) {
    removeBox(store, paths, undefined, lock);
    return;
  }
  const ended = isAlive(record) ? endedRecord(record, readBoxEnd(paths)) : record;
  if (ended !== record) {
    // With the launcher killed its first process went on: it dies with it only until it has begun (prctl(2), PDEATHSIG).
    const init = initProcess(record);
    if (init !== undefined) signalProcess(init, SIGKILL);
    onEnded?.(paths);
    recordEvent(store, boxEvent("die", ended, { exitCode: String(ended.exitCode) }));
  }
  if (record.ephemeral) {
    removeBox(store, paths, record.name, lock);
    recordEvent(store, boxEvent("remove", record));
  } else if (ended === record) lock.remove();
  else finishBox({ paths, lock }, ended);
}

function readRecordOrNothing(paths: BoxPaths): BoxRecord | undefined {
  try {
    return readBoxRecord(paths);
  } catch {
    // A record that was damaged with its box alive cannot be brought into order: the box goes.
    return undefined;
  }
}

function requireLayers(store: Store, record: BoxRecord): void {
  if (record.chainIds.every((chainId) => isNamed(store, chainId))) return;
  throw new DevboxError("IMAGE_NOT_FOUND", { step: `use image ${record.image}`, because: "it was removed just now" });
}

function checkName(name: string): void {
  if (namePattern.test(name)) return;
  const because = "a name has two or more letters, digits, _ . and -, and starts with a letter or digit";
  throw new DevboxError("USAGE", { step: `name the box ${JSON.stringify(name)}`, because });
}

/** A further name for a box. @throws DevboxError BOX_NAME_TAKEN; USAGE for a name that is none */
export function giveName(store: Store, id: string, name: string): void {
  checkName(name);
  claimName(store, id, name);
}

const nameAttempts = 100;

function claimName(store: Store, id: string, wanted: string | undefined): string {
  for (let attempts = 0; attempts < nameAttempts; attempts++) {
    const name = wanted ?? randomBoxName();
    if (tryName(store, id, name)) return name;
    if (wanted !== undefined) break;
  }
  throw new DevboxError("BOX_NAME_TAKEN", {
    step: `name the box ${wanted ?? ""}`.trim(),
    because: "another box has this name",
  });
}

function tryName(store: Store, id: string, name: string): boolean {
  const link = join(store.boxes, ".names", name);
  for (;;) {
    try {
      symlinkSync(id, link);
      return true;
    } catch (error) {
      if (errnoName(error) !== "EEXIST") throw error;
      if (!isStaleName(store, name)) return false;
      removeQuietly(link);
    }
  }
}

/** A box whose removal was interrupted has no directory any more, but perhaps still its name. */
function isStaleName(store: Store, name: string): boolean {
  const owner = idOfName(store, name);
  if (owner === undefined) return true;
  const paths = boxPaths(store, owner);
  return readRecordOrNothing(paths) === undefined && isEnded(paths);
}

function isEnded(paths: BoxPaths): boolean {
  const lock = lockEndedBox(paths);
  lock?.remove();
  return lock !== undefined;
}

/** Frees a name, if it is that of the box. */
export function takeName(store: Store, id: string, name: string): void {
  if (idOfName(store, name) === id) unlinkSync(join(store.boxes, ".names", name));
}

function idOfName(store: Store, name: string): string | undefined {
  if (!namePattern.test(name)) return undefined;
  try {
    return readlinkSync(join(store.boxes, ".names", name));
  } catch {
    return undefined;
  }
}

function idOfPrefix(store: Store, prefix: string): string | undefined {
  if (!/^[0-9a-f]{1,64}$/.test(prefix)) return undefined;
  const matches = readdirSync(store.boxes).filter((id) => idPattern.test(id) && id.startsWith(prefix));
  if (matches.length <= 1) return matches[0];
  throw new DevboxError("BOX_NOT_FOUND", {
    step: `find the box ${prefix}`,
    because: `${matches.length} ids begin so: ${matches.map((id) => id.slice(0, 12)).join(", ")}`,
  });
}
