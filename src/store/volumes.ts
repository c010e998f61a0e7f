/**
 * Volumes with names: `volumes/<name>/` with `volume.json` and `_data`, which boxes mount. A volume is there wholly or not
 * at all: it is made beside its place and renamed. Who mounts it is written in the records of boxes, running or not.
 */
import { mkdirSync, readdirSync, readFileSync, renameSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Context } from "../core/context.ts";
import { DevboxError, errnoName } from "../core/errors.ts";
import { member, parseJson, readString, readStringMap } from "../oci/json.ts";
import { randomHex, storeError } from "./atomic-write.ts";
import { listBoxes } from "./boxes.ts";
import { moveToTrash } from "./layers.ts";
import { waitForLock } from "./locks.ts";
import { referencesLockPath } from "./paths.ts";
import { removeTree } from "./remove-tree.ts";
import type { BoxRecord, Store } from "./types.ts";
import { isVolumeName, volumeDirectory } from "./volume-paths.ts";

const scratchPrefix = ".new-";

/** `volumes/<name>/volume.json`. */
export interface VolumeRecord {
  readonly name: string;
  /** ISO 8601. */
  readonly created: string;
  readonly labels: Readonly<Record<string, string>>;
}

export interface NewVolume {
  /** undefined: a name is made up. */
  readonly name: string | undefined;
  readonly labels: Readonly<Record<string, string>>;
}

/**
 * The volume of this name, made when it is missing.
 * @throws DevboxError USAGE for a name that is none; STORE_FULL, STORE_UNUSABLE
 */
export function makeVolume(store: Store, { name = randomHex(32), labels }: NewVolume, now: Date): MadeVolume {
  if (!isVolumeName(name)) {
    const because = "a name has two or more letters, digits, _ . and -, and starts with a letter or digit";
    throw new DevboxError("USAGE", { step: `name the volume ${JSON.stringify(name)}`, because });
  }
  const known = readVolume(store, name);
  if (known !== undefined) return { record: known, isNew: false };
  const record: VolumeRecord = { name, created: now.toISOString(), labels };
  const directory = volumeDirectory(store.root, name);
  const scratch = join(store.root, "volumes", `${scratchPrefix}${randomHex(8)}`);
  try {
    mkdirSync(scratch, { recursive: true, mode: 0o700 });
    // Users of the box that are not its root come here through the mount only; the mode is that of the image later.
    mkdirSync(join(scratch, "_data"), { mode: 0o755 });
    writeFileSync(join(scratch, "volume.json"), JSON.stringify(record), { mode: 0o600 });
    renameSync(scratch, directory);
    return { record, isNew: true };
  } catch (error) {
    removeTree(scratch);
    const [other, errno] = [readVolume(store, name), errnoName(error)];
    if (other !== undefined && (errno === "ENOTEMPTY" || errno === "EEXIST")) return { record: other, isNew: false };
    throw storeError(error, `make the volume ${name}`);
  }
}

/** Making one takes a moment: whoever began it so long ago was killed. */
const abandonedMs = 60_000;

/** Volumes that were not made to their end. */
function abandoned(store: Store): readonly string[] {
  return entries(store)
    .filter((name) => name.startsWith(scratchPrefix))
    .map((name) => join(store.root, "volumes", name))
    .filter((path) => Date.now() - (statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? Date.now()) > abandonedMs);
}

export interface MadeVolume {
  readonly record: VolumeRecord;
  readonly isNew: boolean;
}

/** undefined: there is none. @throws DevboxError STORE_DAMAGED naming the file */
export function readVolume(store: Store, name: string): VolumeRecord | undefined {
  if (!isVolumeName(name)) return undefined;
  const path = join(volumeDirectory(store.root, name), "volume.json");
  const step = `read ${path}`;
  let bytes: Uint8Array;
  try {
    bytes = readFileSync(path);
  } catch (error) {
    if (errnoName(error) === "ENOENT") return undefined;
    throw storeError(error, step);
  }
  const hint = `write it again: echo '{"name":"${name}","created":"2000-01-01T00:00:00.000Z","labels":{}}' > ${path}`;
  try {
    const root = parseJson(bytes, { code: "STORE_DAMAGED", step }, 1024 * 1024);
    const [created, labels] = [readString(member(root, "created")), readStringMap(member(root, "labels"))];
    return { name, created, labels };
  } catch (error) {
    throw new DevboxError("STORE_DAMAGED", { step, cause: error, hint });
  }
}

/** @throws DevboxError VOLUME_NOT_FOUND */
export function findVolume(store: Store, name: string): VolumeRecord {
  const found = readVolume(store, name);
  if (found !== undefined) return found;
  throw new DevboxError("VOLUME_NOT_FOUND", {
    step: `find the volume ${name}`,
    because: "there is no volume of this name",
  });
}

/** All volumes, by name. Those whose record is damaged are left to `onDamaged`. */
export function listVolumes(store: Store, onDamaged: (error: unknown) => void): readonly VolumeRecord[] {
  return volumeNames(store).flatMap((name) => {
    try {
      return readVolume(store, name) ?? [];
    } catch (error) {
      onDamaged(error);
      return [];
    }
  });
}

function volumeNames(store: Store): readonly string[] {
  return entries(store).filter(isVolumeName).sort();
}

function entries(store: Store): readonly string[] {
  try {
    return readdirSync(join(store.root, "volumes"));
  } catch (error) {
    if (errnoName(error) === "ENOENT") return [];
    throw storeError(error, "list the volumes");
  }
}

/** The boxes that mount each volume, running or not. @throws DevboxError STORE_DAMAGED where that cannot be known */
export function volumeUsers(store: Store): ReadonlyMap<string, readonly BoxRecord[]> {
  const users = new Map<string, BoxRecord[]>();
  const boxes = listBoxes(store, (error) => {
    throw error;
  });
  for (const box of boxes) for (const name of box.volumes ?? []) users.set(name, [...(users.get(name) ?? []), box]);
  return users;
}

/**
 * Takes volumes off the disk that no box mounts; the names are free when it resolves.
 * @param choose which of all, once nobody can begin to use one
 * @returns what was removed, and whether all files of it are; if not, `emptyTrash` removes the rest
 */
export async function removeVolumes(
  context: Context,
  store: Store,
  choose: (users: ReadonlyMap<string, readonly BoxRecord[]>) => readonly string[],
): Promise<{ readonly names: readonly string[]; readonly isAllRemoved: boolean }> {
  using stack = new DisposableStack();
  const lock = stack.use(await waitForLock(context, referencesLockPath(store), "exclusive"));
  const names = choose(volumeUsers(store));
  const paths = [...names.map((name) => volumeDirectory(store.root, name)), ...abandoned(store)];
  const trash = paths.flatMap((path) => moveToTrash(path, store.boxes) ?? []);
  // Files are removed without it: a box need not wait for that.
  lock[Symbol.dispose]();
  return { names, isAllRemoved: trash.map(removeTree).every(Boolean) };
}
