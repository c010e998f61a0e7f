/**
 * Take what nothing refers to off the disk. What is looked for and what is put out of use happens under one lock; removing
 * the trees, which takes long, happens after, and whoever is interrupted leaves it to the next prune.
 */
import { readdirSync, unlinkSync } from "node:fs";
import { join } from "node:path";
import type { Context } from "../../core/context.ts";
import { errnoName } from "../../core/errors.ts";
import type { HostFacts } from "../../host/facts.ts";
import { storeError } from "../../store/atomic-write.ts";
import { findGarbage, type Garbage } from "../../store/collect.ts";
import { layerBytes, moveToTrash } from "../../store/layers.ts";
import { tryLock, waitForLock } from "../../store/locks.ts";
import { blobLockPath, layerLockPath, referencesLockPath } from "../../store/paths.ts";
import type { Store } from "../../store/types.ts";
import { emptyTrash } from "../workers/trash.ts";

export interface CollectOptions {
  /** Also what was left of work that was interrupted: downloads that a pull would go on with, half layers. */
  readonly remains: boolean;
}

/** @returns bytes that were freed: blobs as they are, layers as their archives had them */
export async function collectGarbage(
  context: Context,
  store: Store,
  facts: HostFacts,
  options: CollectOptions,
): Promise<number> {
  const freed = await putOutOfUse(context, store, options);
  await emptyTrash(store, facts);
  return freed;
}

async function putOutOfUse(context: Context, store: Store, { remains }: CollectOptions): Promise<number> {
  using _references = await waitForLock(context, referencesLockPath(store), "exclusive", () =>
    context.log.info("waiting for another devbox"),
  );
  const garbage = findGarbage(store, context.now());
  let freed = 0;
  for (const { path, bytes } of garbage.blobs) {
    unlink(path);
    freed += bytes;
  }
  for (const { path, chainId } of garbage.layers) {
    freed += layerBytes(store, chainId);
    moveToTrash(path, store.layers);
  }
  return remains ? freed + removeRemains(store, garbage) : freed;
}

function removeRemains(store: Store, garbage: Garbage): number {
  let freed = 0;
  for (const { path, digest, bytes } of garbage.partials) {
    if (withLock(blobLockPath(store, digest), () => unlink(path))) freed += bytes;
  }
  for (const { path, bytes } of garbage.unfinished) {
    if (withLock(path, () => {})) freed += bytes;
  }
  for (const { path, chainId } of garbage.builds) {
    withLock(layerLockPath(store, chainId), () => moveToTrash(path, store.layers));
  }
  for (const path of garbage.temporaries) unlink(path);
  for (const name of readdirSync(store.locks)) {
    // Of processes that were killed; those in use are held.
    if (/^(?:blob|layer)-/.test(name)) withLock(join(store.locks, name), () => {});
  }
  return freed;
}

/** false: somebody is at work on it. */
function withLock(path: string, action: () => void): boolean {
  const lock = tryLock(path, "exclusive");
  if (lock === undefined) return false;
  try {
    action();
  } finally {
    lock.remove();
  }
  return true;
}

function unlink(path: string): void {
  try {
    unlinkSync(path);
  } catch (error) {
    if (errnoName(error) !== "ENOENT") throw storeError(error, `remove ${path}`);
  }
}
