/**
 * What layers save by sharing files (layer/share.ts): `layers/<chainID>/shared.json`, written when a layer has been looked
 * through for files that another layer has as well. A layer without one has not been looked through.
 */
import { existsSync, lstatSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { DevboxError, errnoName } from "../core/errors.ts";
import type { Digest } from "../oci/descriptor.ts";
import { member, parseJson, readArray, readInteger } from "../oci/json.ts";
import { readDigest } from "../oci/parse.ts";
import { replaceFile } from "./atomic-write.ts";
import { listLayers } from "./layers.ts";
import { layerDirectory } from "./paths.ts";
import type { Store } from "./types.ts";

/** What a layer shares with another one. */
export interface SharedPart {
  readonly chainId: Digest;
  /** Inode of the other layer's tree: one that was applied anew since shares nothing. */
  readonly tree: number;
  readonly files: number;
  /** On disk. */
  readonly bytes: number;
}

/** What is saved now. */
export interface SharedFiles {
  readonly files: number;
  /** On disk, not the lengths of the files. */
  readonly savedBytes: number;
}

const recordName = "shared.json";
const maxRecordBytes = 64 * 1024;

/** Whether a layer has been looked through. */
export function isLookedThrough(store: Store, chainId: Digest): boolean {
  return existsSync(join(layerDirectory(store, chainId), recordName));
}

/**
 * A layer has been looked through.
 * @throws DevboxError STORE_FULL, STORE_UNUSABLE, also when the layer is gone
 */
export function writeShared(store: Store, chainId: Digest, parts: readonly SharedPart[]): void {
  replaceFile(join(layerDirectory(store, chainId), recordName), JSON.stringify({ with: parts }), store.ingest);
}

/** The tree of a layer as records name it; undefined: it is not there. */
export function treeIdentity(store: Store, chainId: Digest): number | undefined {
  return lstatSync(join(layerDirectory(store, chainId), "fs"), { throwIfNoEntry: false })?.ino;
}

/**
 * Of layers that are there, with layers that are there. It may be more: when the middle one of three layers is removed, what
 * the other two share is not counted any more.
 */
export function readShared(store: Store): SharedFiles {
  const parts = listLayers(store)
    .layers.flatMap(({ path }) => readParts(join(path, recordName)))
    .filter(({ chainId, tree }) => treeIdentity(store, chainId) === tree);
  return {
    files: parts.reduce((sum, { files }) => sum + files, 0),
    savedBytes: parts.reduce((sum, { bytes }) => sum + bytes, 0),
  };
}

/** It is only told, nothing is decided by it: a record that is damaged says nothing. */
function readParts(path: string): readonly SharedPart[] {
  try {
    const place = parseJson(readFileSync(path), { code: "STORE_DAMAGED", step: `read ${path}` }, maxRecordBytes);
    return readArray(member(place, "with"), (part) => ({
      chainId: readDigest(member(part, "chainId")),
      tree: readInteger(member(part, "tree")),
      files: readInteger(member(part, "files")),
      bytes: readInteger(member(part, "bytes")),
    }));
  } catch (error) {
    if (error instanceof DevboxError || errnoName(error) === "ENOENT") return [];
    throw error;
  }
}
