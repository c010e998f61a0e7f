/** What `devbox ps` shows, as data. */
import { lstatSync, readdirSync } from "node:fs";
import type { Context } from "../core/context.ts";
import type { RuntimeConfig } from "../oci/runtime.ts";
import { boxState } from "../store/box-state.ts";
import { listBoxes } from "../store/boxes.ts";
import { isNamed, readLayerRecord } from "../store/layers.ts";
import { boxPaths } from "../store/paths.ts";
import type { BoxRecord, Store } from "../store/types.ts";
import { type BoxMount, boxMounts, readBoxConfig } from "./config-file.ts";

/** A box, and what only some ask for: read when they do. */
export interface ListedBox {
  /** As it is now. */
  readonly record: BoxRecord;
  /** undefined: its bundle was never written. */
  config(): RuntimeConfig | undefined;
  mounts(): readonly BoxMount[];
  size(): BoxSize;
}

export interface BoxSize {
  /** What the box itself has written. Directories that are closed to the caller are not counted. */
  readonly ownBytes: number;
  /** Of its image. */
  readonly imageBytes: number;
}

/** All boxes, the newest first. Those whose record is damaged are left out, with a warning. */
export function listedBoxes(context: Context, store: Store): readonly ListedBox[] {
  const records = listBoxes(store, (error) => context.log.warn(error instanceof Error ? error.message : String(error)));
  return records.toReversed().map((record) => listedBox(store, boxState(store, record)));
}

export function listedBox(store: Store, record: BoxRecord): ListedBox {
  const paths = boxPaths(store, record.id);
  let known: RuntimeConfig | undefined;
  const config = (): RuntimeConfig | undefined => {
    known ??= configOrNothing(paths);
    return known;
  };
  return {
    record,
    config,
    mounts: () => {
      const read = config();
      return read === undefined ? [] : boxMounts(store, paths, read);
    },
    size: () => ({ ownBytes: treeBytes(`${paths.directory}/upper`), imageBytes: imageBytes(store, record) }),
  };
}

function configOrNothing(paths: Parameters<typeof readBoxConfig>[0]): RuntimeConfig | undefined {
  try {
    return readBoxConfig(paths);
  } catch {
    return undefined;
  }
}

function imageBytes(store: Store, { chainIds }: BoxRecord): number {
  const sizes = chainIds.map((chainId) => (isNamed(store, chainId) ? readLayerRecord(store, chainId).bytes : 0));
  return sizes.reduce((sum, size) => sum + size, 0);
}

/** Sizes of the files below; what is removed meanwhile, or closed, counts as nothing. */
function treeBytes(directory: string): number {
  let sum = 0;
  const waiting = [Buffer.from(directory)];
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    for (const name of namesIn(next)) {
      const path = Buffer.concat([next, Buffer.from("/"), name]);
      const stats = statOrNothing(path);
      if (stats?.isDirectory()) waiting.push(path);
      else if (stats?.isFile()) sum += stats.size;
    }
  }
  return sum;
}

function namesIn(directory: Buffer): readonly Buffer[] {
  try {
    return readdirSync(directory, "buffer");
  } catch {
    return [];
  }
}

function statOrNothing(path: Buffer) {
  try {
    return lstatSync(path, { throwIfNoEntry: false });
  } catch {
    return undefined;
  }
}
