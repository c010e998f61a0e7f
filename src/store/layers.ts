/**
 * Applied layers: `layers/<chainID>/fs` with `layer.json` beside. A layer is built under a temporary name and renamed
 * when it is whole, so what has a final name is complete, whenever a process was killed.
 *
 * Whoever builds holds the lock of the chainID (`layerLockPath`).
 */
import { accessSync, chmodSync, mkdirSync, readdirSync, readFileSync, renameSync } from "node:fs";
import { join } from "node:path";
import { renameExchange } from "../../ffi/libc.ts";
import { DevboxError, errnoName } from "../core/errors.ts";
import type { Digest } from "../oci/descriptor.ts";
import { digestHex, isDigest, shortDigest } from "../oci/digest.ts";
import { member, parseJson, readInteger, readString } from "../oci/json.ts";
import { readDigest } from "../oci/parse.ts";
import { randomHex, replaceFile, storeError } from "./atomic-write.ts";
import { layerDirectory } from "./paths.ts";
import type { Store } from "./types.ts";
import { isIntact, markUnsynced } from "./unsynced.ts";

/** `layer.json`. */
export interface LayerRecord {
  readonly chainId: Digest;
  readonly diffId: Digest;
  /** Uncompressed bytes of the tar stream. */
  readonly bytes: number;
  readonly entries: number;
  /** RFC 3339. */
  readonly created: string;
}

export interface LayerBuild {
  readonly chainId: Digest;
  /** Temporary, absolute. */
  readonly directory: string;
  /** The tree in it. */
  readonly tree: string;
}

const trashPrefix = ".trash-";

/** Whether a layer has its name, be it that a power loss has damaged it. */
export function isNamed(store: Store, chainId: Digest): boolean {
  try {
    accessSync(join(layerDirectory(store, chainId), "fs"));
    return true;
  } catch {
    return false;
  }
}

/** Whether a layer is there, with all that was applied. */
export function hasLayer(store: Store, chainId: Digest): boolean {
  return isNamed(store, chainId) && isIntact(layerDirectory(store, chainId));
}

/** An empty tree to apply into. */
export function beginLayer(store: Store, chainId: Digest): LayerBuild {
  const directory = join(store.layers, `.new-${digestHex(chainId)}-${randomHex(4)}`);
  const tree = join(directory, "fs");
  try {
    mkdirSync(directory, { mode: 0o700 });
    mkdirSync(tree);
    // The mode of the root directory where the archive has no entry for it, whatever the umask.
    chmodSync(tree, 0o755);
  } catch (error) {
    throw storeError(error, `make a directory for layer ${shortDigest(chainId)}`);
  }
  return { chainId, directory, tree };
}

/**
 * Give a whole layer its name. The name is safe from power loss after `syncDirectory(store.layers)`, and what it stands for
 * from being taken for whole (unsynced.ts).
 */
export function finishLayer(store: Store, build: LayerBuild, record: LayerRecord): void {
  writeLayerRecord(store, build.directory, record);
  try {
    markUnsynced(build.directory);
    renameSync(build.directory, layerDirectory(store, build.chainId));
  } catch (error) {
    throw storeError(error, `store layer ${shortDigest(build.chainId)}`);
  }
}

/**
 * Put a whole layer in the place of one that is damaged, which lies in the directory of the build afterwards, or in the
 * trash, to be removed. Nobody finds the name missing in between, where the file system can exchange two names.
 */
export function replaceLayer(store: Store, build: LayerBuild, record: LayerRecord): void {
  const directory = layerDirectory(store, build.chainId);
  try {
    writeLayerRecord(store, build.directory, record);
    markUnsynced(build.directory);
    exchange(store, directory, build.directory);
  } catch (error) {
    throw storeError(error, `store layer ${shortDigest(build.chainId)}`);
  }
}

/** `layer.json` of a layer that is there, or of one that is being built. */
export function writeLayerRecord(store: Store, directory: string, record: LayerRecord): void {
  replaceFile(join(directory, "layer.json"), JSON.stringify(record), store.ingest);
}

function exchange(store: Store, damaged: string, whole: string): void {
  try {
    renameExchange(damaged, whole);
  } catch (error) {
    // renameat2(2): "EINVAL: The filesystem does not support one of the flags".
    if (errnoName(error) !== "EINVAL") throw error;
    moveToTrash(damaged, store.layers);
    renameSync(whole, damaged);
  }
}

/** @throws DevboxError STORE_DAMAGED naming the file */
export function readLayerRecord(store: Store, chainId: Digest): LayerRecord {
  const path = join(layerDirectory(store, chainId), "layer.json");
  const document = { code: "STORE_DAMAGED", step: `read ${path}` } as const;
  try {
    const place = parseJson(readFileSync(path), document, maxRecordBytes);
    return {
      chainId: readDigest(member(place, "chainId")),
      diffId: readDigest(member(place, "diffId")),
      bytes: readInteger(member(place, "bytes")),
      entries: readInteger(member(place, "entries")),
      created: readString(member(place, "created")),
    };
  } catch (error) {
    if (error instanceof DevboxError) throw error;
    throw new DevboxError("STORE_DAMAGED", { step: document.step, cause: error });
  }
}

/** Uncompressed bytes of a layer, for sums: 0 where it is not there, or its record is damaged. */
export function layerBytes(store: Store, chainId: Digest): number {
  try {
    return isNamed(store, chainId) ? readLayerRecord(store, chainId).bytes : 0;
  } catch (error) {
    if (error instanceof DevboxError) return 0;
    throw error;
  }
}

const maxRecordBytes = 64 * 1024;

/** What lies in `layers/`: finished layers, builds, and trash that awaits its removal. Paths are absolute. */
export interface LayersListing {
  readonly layers: readonly { readonly path: string; readonly chainId: Digest }[];
  readonly builds: readonly { readonly path: string; readonly chainId: Digest }[];
  readonly trash: readonly string[];
}

export function listLayers(store: Store): LayersListing {
  const names = readdirSync(store.layers);
  return {
    layers: names.flatMap((name) => named(store, name, name)),
    builds: names.flatMap((name) => named(store, name, /^\.new-([0-9a-f]+)-[0-9a-f]+$/.exec(name)?.[1] ?? "")),
    trash: names.filter((name) => name.startsWith(trashPrefix)).map((name) => join(store.layers, name)),
  };
}

/** Nothing for what is not named for a chainID: a ChainID is a sha256, except of a base layer whose diffID is a sha512. */
function named(store: Store, name: string, hex: string): { path: string; chainId: Digest }[] {
  const digest = `${hex.length === 128 ? "sha512" : "sha256"}:${hex}`;
  return isDigest(digest) ? [{ path: join(store.layers, name), chainId: digest }] : [];
}

/**
 * Take a directory of the store out of use at once and for good: rename it beside, to a name that prune removes.
 * Removing a tree takes long and may be interrupted; after this it no longer matters when.
 * @returns the new path; undefined when it was gone already
 */
export function moveToTrash(directory: string, parent: string): string | undefined {
  const trash = join(parent, `${trashPrefix}${randomHex(8)}`);
  try {
    renameSync(directory, trash);
    return trash;
  } catch (error) {
    if (errnoName(error) === "ENOENT") return undefined;
    throw storeError(error, `remove ${directory}`);
  }
}
