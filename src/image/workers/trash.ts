/** Removing trees whose files belong to mapped ids: done by the workers, which live inside the user namespace. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { DevboxError } from "../../core/errors.ts";
import type { HostFacts } from "../../host/facts.ts";
import type { Digest } from "../../oci/descriptor.ts";
import { listTrash } from "../../store/collect.ts";
import { listLayers, moveToTrash } from "../../store/layers.ts";
import { tryLock } from "../../store/locks.ts";
import { layerDirectory } from "../../store/paths.ts";
import type { Store } from "../../store/types.ts";
import { openWorkerPool } from "./open-worker-pool.ts";
import type { WorkerPool } from "./worker-pool.ts";

/** Remove trees, several at a time. @throws the first failure, when all have been tried */
export async function removeTrees(pool: WorkerPool, paths: readonly string[]): Promise<void> {
  const results = await Promise.allSettled(paths.filter(existsSync).map((path) => removeInWorker(pool, path)));
  for (const result of results) if (result.status === "rejected") throw result.reason;
}

function removeInWorker(pool: WorkerPool, path: string): Promise<void> {
  return pool.use(async (worker) => {
    worker.send({ kind: "remove", path });
    const reply = await worker.reply();
    if (reply.kind === "removed") return;
    throw new DevboxError("INTERNAL", { step: `remove ${path}`, because: `the worker answered "${reply.kind}"` });
  });
}

/**
 * Remove what stands in the way of layers that are now ours to build (their locks are held): builds of processes that
 * died, and trees that a power loss may have damaged. The names are free when this returns, the trees gone when it resolves.
 */
export function removeStaleLayers(store: Store, pool: WorkerPool, chainIds: readonly Digest[]): Promise<void> {
  if (chainIds.length === 0) return Promise.resolve();
  const ours = new Set(chainIds);
  const builds = listLayers(store).builds.filter(({ chainId }) => ours.has(chainId));
  const damaged = chainIds.flatMap((chainId) => moveToTrash(layerDirectory(store, chainId), store.layers) ?? []);
  return removeTrees(pool, [...builds.map(({ path }) => path), ...damaged]);
}

/**
 * Remove what has been moved to the trash. When another devbox is at it, it is left to that one.
 * @throws DevboxError of the first tree that cannot be removed
 */
export async function emptyTrash(store: Store, facts: HostFacts): Promise<void> {
  using lock = tryLock(join(store.locks, "trash"), "exclusive");
  if (lock === undefined) return;
  const trees = listTrash(store);
  if (trees.length === 0) return;
  await using pool = openWorkerPool(facts);
  await removeTrees(pool, trees);
}
