/**
 * Volumes with names: made when a box first mounts them, and while they are empty filled with what the image has at their
 * place, as docker does; and the commands on them.
 */
import { closeSync, existsSync, openSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { syncfs } from "../../ffi/libc.ts";
import type { BundleSource } from "../bundle/bundle.ts";
import type { MountRequest } from "../bundle/options.ts";
import { findInRoot } from "../bundle/rootfs-view.ts";
import type { Context } from "../core/context.ts";
import { DevboxError } from "../core/errors.ts";
import type { HostFacts } from "../host/facts.ts";
import { readHostFacts } from "../host/read-facts.ts";
import { finishCopy, startPlannedCopier } from "../image/workers/copy-process.ts";
import { emptyTrash } from "../image/workers/trash.ts";
import type { IdMap } from "../oci/runtime.ts";
import { recordEvent } from "../store/events.ts";
import { waitForLock } from "../store/locks.ts";
import type { BoxRecord, Store } from "../store/types.ts";
import { isMadeUpName, volumeData, volumeDirectory } from "../store/volume-paths.ts";
import { listVolumes, makeVolume, removeVolumes, type VolumeRecord } from "../store/volumes.ts";
import { asInImage, layersCopier } from "./copy-places.ts";

type VolumeMount = Extract<MountRequest, { kind: "volume" }>;

export interface VolumeWork {
  readonly store: Store;
  readonly facts: HostFacts;
  readonly idMap: IdMap;
  readonly source: BundleSource;
  /** Of the new box, whose record names the volumes: nobody can remove them any more. */
  readonly boxDirectory: string;
}

/** Makes what is missing, and fills what is empty. @throws DevboxError STORE_*, COPY_FAILED */
export async function prepareVolumes(
  context: Context,
  work: VolumeWork,
  mounts: readonly MountRequest[],
): Promise<void> {
  for (const mount of mounts) {
    if (mount.kind !== "volume") continue;
    createVolume(context, work.store, { name: mount.name, labels: {} });
    if (!mount.noCopy) await fillVolume(context, work, mount);
  }
}

/**
 * One at a time, whoever asks. A copy under way is marked, so that a half of one is copied again; what an image without
 * files there has given is remembered, since the volume looks as empty as before.
 */
async function fillVolume(context: Context, work: VolumeWork, { name, target }: VolumeMount): Promise<void> {
  const { store, source } = work;
  if (source.kind !== "image" || isFilled(store, name)) return;
  using _lock = await waitForLock(context, join(store.locks, `volume-${name}`), "exclusive");
  if (isFilled(store, name)) return;
  const lowers = source.image.layers.map(({ path }) => path).reverse();
  const found = findInRoot(
    lowers.map((path) => join(store.root, path)),
    target,
  );
  if (found?.stat.isDirectory() !== true) return;
  const origin = `${source.image.layers.at(-1)?.chainId ?? ""} ${target}`;
  const isCutOff = existsSync(markPath(store, name, "filling"));
  if (!isCutOff && readMark(store, name, "fruitless") === origin) return;
  writeFileSync(markPath(store, name, "filling"), origin);
  await copyImageFiles(context, work, { name, target, lowers });
  sync(store, name);
  if (isEmpty(store, name)) writeFileSync(markPath(store, name, "fruitless"), origin);
  rmSync(markPath(store, name, "filling"));
}

/** `filling`: a copy is under way. `fruitless`: from which place of which image one has brought nothing. */
type Mark = "filling" | "fruitless";

function isFilled(store: Store, name: string): boolean {
  return !existsSync(markPath(store, name, "filling")) && !isEmpty(store, name);
}

function isEmpty(store: Store, name: string): boolean {
  try {
    return readdirSync(volumeData(store.root, name)).length === 0;
  } catch {
    // It belongs to another user of a box, and is closed to us: so it got that from an image.
    return false;
  }
}

function markPath(store: Store, name: string, mark: Mark): string {
  return join(volumeDirectory(store.root, name), mark);
}

function readMark(store: Store, name: string, mark: Mark): string | undefined {
  try {
    return readFileSync(markPath(store, name, mark), "utf8");
  } catch {
    return undefined;
  }
}

interface Filling {
  readonly name: string;
  readonly target: string;
  readonly lowers: readonly string[];
}

async function copyImageFiles(
  context: Context,
  { store, facts, idMap, boxDirectory }: VolumeWork,
  { name, target, lowers }: Filling,
): Promise<void> {
  const copier = layersCopier({ facts, idMap, storeRoot: store.root, lowers, mountpoint: boxDirectory });
  const from = { path: `${target}/.`, shown: `${target} of the image`, follow: true };
  const to = {
    path: volumeData(store.root, name),
    shown: `the volume ${name}`,
    ...asInImage,
  };
  const notes = await finishCopy(startPlannedCopier(copier, { from, to }, ["ignore", "ignore"]), context.signal);
  for (const note of notes) context.log.debug(note);
}

/** Before the mark is taken away: power must not be lost with half a copy that looks whole. */
function sync(store: Store, name: string): void {
  const fd = openSync(volumeDirectory(store.root, name), "r");
  try {
    syncfs(fd);
  } finally {
    closeSync(fd);
  }
}

/** `devbox volume create`; one that is there stays as it is. @throws DevboxError USAGE, STORE_* */
export function createVolume(
  context: Context,
  store: Store,
  wanted: { readonly name: string | undefined; readonly labels: Readonly<Record<string, string>> },
): VolumeRecord {
  const { record, isNew } = makeVolume(store, wanted, context.now());
  if (isNew) recordVolumeEvent(context, store, "create", record.name);
  return record;
}

function recordVolumeEvent(context: Context, store: Store, action: "create" | "remove", name: string): void {
  recordEvent(store, {
    type: "volume",
    action,
    id: name,
    attributes: { driver: "local" },
    time: context.now().getTime(),
  });
}

/**
 * Removes volumes that no box mounts.
 * @param choose given the boxes of each volume
 * @returns their names
 */
export async function discardVolumes(
  context: Context,
  store: Store,
  choose: (users: ReadonlyMap<string, readonly BoxRecord[]>) => readonly string[],
): Promise<readonly string[]> {
  const { names, isAllRemoved } = await removeVolumes(context, store, choose);
  for (const name of names) recordVolumeEvent(context, store, "remove", name);
  if (!isAllRemoved) await emptyTrash(store, readHostFacts(context.env));
  return names;
}

/** Removes volumes that no box mounts, and whose names were made up. @returns their names */
export async function discardUnnamedVolumes(context: Context, store: Store): Promise<readonly string[]> {
  const onDamaged = (error: unknown): void => context.log.warn(error instanceof Error ? error.message : String(error));
  return await discardVolumes(context, store, (users) =>
    listVolumes(store, onDamaged).flatMap(({ name }) => (users.has(name) || !isMadeUpName(name) ? [] : name)),
  );
}

/** docker's words. */
export function volumeInUse(name: string, users: readonly BoxRecord[]): DevboxError {
  return new DevboxError("VOLUME_IN_USE", {
    step: `remove the volume ${name}`,
    because: `volume is in use - [${users.map(({ id }) => id).join(", ")}]`,
    hint: `remove the boxes that mount it first: devbox rm ${users.map((user) => user.name).join(" ")}`,
  });
}
