/**
 * What a power loss may have damaged, without paying for it.
 *
 * Blobs and records are fsynced; the trees of layers are not, since syncing a large one would cost seconds of every pull.
 * So after a power loss a layer may have its name, and files that are empty. Therefore a layer gets its name together with
 * a mark: a symbolic link `unsynced` beside `fs/` that points to the id of this boot (random(4), boot_id). As long as the
 * machine is not booted anew, the page cache is the truth, and the mark means nothing. A mark of another boot means that
 * the machine went down before the tree was known to be on disk: the layer counts as missing, and is applied again from
 * its blob. The mark goes away when the tree is known to be on disk (`confirmLayers`).
 *
 * The mark is made before the layer is renamed, and file systems do not reorder the two: they write them to one journal.
 */
import { closeSync, lstatSync, openSync, readdirSync, readFileSync, readlinkSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { syncfs } from "../../ffi/libc.ts";
import type { Context } from "../core/context.ts";
import { describeCause, errnoName } from "../core/errors.ts";
import { removeQuietly } from "./atomic-write.ts";
import { layerDirectory } from "./paths.ts";
import type { Store, StoredImage } from "./types.ts";

const markName = "unsynced";

/** Mark the directory of a layer, before it gets its name. */
export function markUnsynced(directory: string): void {
  const boot = bootId();
  if (boot !== undefined) symlinkSync(boot, join(directory, markName));
}

/** A layer that is intact is about to be changed: what becomes a part of it may not be on disk. */
export function markChanged(directory: string): void {
  try {
    markUnsynced(directory);
  } catch (error) {
    if (errnoName(error) !== "EEXIST") throw error;
  }
}

/** Whether the tree in a layer's directory is as it was applied. One system call for all but fresh layers. */
export function isIntact(directory: string): boolean {
  const path = join(directory, markName);
  if (lstatSync(path, { throwIfNoEntry: false }) === undefined) return true;
  const mark = readMark(path);
  return mark === undefined || mark === bootId();
}

/**
 * The kernel writes back what is dirty for 30 seconds, and looks every 5 (/proc/sys/vm/dirty_expire_centisecs,
 * dirty_writeback_centisecs): after this long there is little left of a layer for syncfs(2) to write.
 */
const writtenBackMs = 120_000;

/** Take the marks off the layers that have been there long enough, having made sure that they are on disk. */
export function confirmLayers({ log, now }: Pick<Context, "log" | "now">, store: Store): void {
  const due = dueMarks(store, now().getTime() - writtenBackMs);
  if (due.length === 0) return;
  try {
    syncFileSystem(store.layers);
  } catch (error) {
    // It stays as it is: these layers will be applied again after a power loss.
    log.debug("layers are not known to be on disk", { reason: describeCause(error) });
    return;
  }
  for (const mark of due) removeQuietly(mark);
}

/** As `confirmLayers`, for one who is in a hurry: looks no further than the layer of the image that came last. */
export function confirmImage(context: Pick<Context, "log" | "now">, store: Store, { layers }: StoredImage): void {
  const last = layers.at(-1);
  if (last === undefined) return;
  const mark = join(layerDirectory(store, last.chainId), markName);
  if (lstatSync(mark, { throwIfNoEntry: false }) !== undefined) confirmLayers(context, store);
}

function dueMarks(store: Store, beforeMs: number): readonly string[] {
  const layers = readdirSync(store.layers).filter((name) => /^[0-9a-f]+$/.test(name));
  const old = layers
    .map((name) => join(store.layers, name, markName))
    .filter((mark) => (lstatSync(mark, { throwIfNoEntry: false })?.mtimeMs ?? Infinity) <= beforeMs);
  if (old.length === 0) return [];
  const boot = bootId();
  return old.filter((mark) => boot !== undefined && readMark(mark) === boot);
}

function syncFileSystem(path: string): void {
  const fd = openSync(path, "r");
  try {
    syncfs(fd);
  } finally {
    closeSync(fd);
  }
}

/** undefined: it was taken off just now. */
function readMark(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch (error) {
    if (errnoName(error) === "ENOENT") return undefined;
    throw error;
  }
}

/** random(4). undefined: /proc is not what it should be; then nothing is marked, and devbox is as careful as others. */
function bootId(): string | undefined {
  try {
    return readFileSync("/proc/sys/kernel/random/boot_id", "latin1").trim();
  } catch {
    return undefined;
  }
}
