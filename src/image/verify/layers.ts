/**
 * The layers of images: each blob hashed, applied anew beside the layer that is there, and the two trees compared, as many at
 * a time as there are processors.
 *
 * Locks. All layers are locked before the first is looked at, those nearer to the base first: a pull locks what it is to
 * make in the same order, so neither waits for the other in a circle. A lock is given back with its layer's verdict.
 */
import type { ProgressTask } from "../../core/context.ts";
import type { Descriptor, Digest } from "../../oci/descriptor.ts";
import { shortDigest } from "../../oci/digest.ts";
import { type Lock, waitForLock } from "../../store/locks.ts";
import { layerLockPath } from "../../store/paths.ts";
import { openWorkerPool } from "../workers/open-worker-pool.ts";
import { createSemaphore } from "../workers/semaphore.ts";
import { removeTrees } from "../workers/trash.ts";
import type { BlobCheck } from "./blob.ts";
import type { Damage, VerifyWork } from "./damage.ts";
import type { NamedLayer, VerifiedDocuments } from "./documents.ts";
import { verifyTree } from "./tree.ts";

export interface LayerVerdicts {
  /** By the digest of the compressed blob. */
  readonly blobs: ReadonlyMap<Digest, readonly Damage[]>;
  /** By chainID. */
  readonly layers: ReadonlyMap<Digest, readonly Damage[]>;
}

/** A layer of any number of images: one tree, and blobs that it can be made of. */
interface LayerSubject extends NamedLayer {
  /** Images may have packed the same layer differently. */
  readonly blobs: readonly Descriptor[];
  readonly names: readonly string[];
}

/** @throws what keeps layers from being made anew that are no layer's fault */
export async function verifyLayers(
  work: VerifyWork,
  checkBlob: BlobCheck,
  documents: readonly VerifiedDocuments[],
): Promise<LayerVerdicts> {
  const subjects = collectSubjects(documents);
  const verdicts = { blobs: new Map<Digest, readonly Damage[]>(), layers: new Map<Digest, readonly Damage[]>() };
  await using pool = openWorkerPool(work.facts);
  if (subjects.length > 0) pool.warm();
  using held = new DisposableStack();
  const locks = await lockAll(work, subjects, held);
  const slots = createSemaphore(navigator.hardwareConcurrency + 1);
  /** Made anew, or damaged and replaced: removed at the end, since layers above are settled on some of them. */
  const leftovers: string[] = [];
  const trees = new Map<Digest, Promise<string | undefined>>();
  const tasks = subjects.map((subject) => {
    const { promise, resolve, reject } = Promise.withResolvers<string | undefined>();
    trees.set(subject.stored.chainId, promise);
    promise.catch(() => {});
    return slots.run(async () => {
      try {
        const { tree, damages } = await verifySubject(
          { ...work, pool, leftovers, trees },
          checkBlob,
          subject,
          verdicts,
        );
        verdicts.layers.set(subject.stored.chainId, damages);
        resolve(tree);
      } catch (error) {
        work.cancel(error);
        reject(error);
        throw error;
      }
      locks.get(subject.stored.chainId)?.remove();
    });
  });
  const results = await Promise.allSettled(tasks);
  await removeTrees(pool, leftovers);
  for (const result of results) if (result.status === "rejected") throw result.reason;
  return verdicts;
}

type Around = Parameters<typeof verifyTree>[0];

async function verifySubject(
  around: Around,
  checkBlob: BlobCheck,
  subject: LayerSubject,
  verdicts: { readonly blobs: Map<Digest, readonly Damage[]> },
) {
  around.context.signal.throwIfAborted();
  const [{ digest, size } = subject.descriptor] = subject.blobs;
  const task = around.context.progress.task(shortDigest(digest), size);
  const usable: Descriptor[] = [];
  const damaged: Damage[] = [];
  for (const descriptor of subject.blobs) {
    const { damage, isUsable } = await checkBlob({ part: "blob", descriptor, names: subject.names }, task);
    verdicts.blobs.set(descriptor.digest, damage === undefined ? [] : [damage]);
    if (isUsable) usable.push(descriptor);
    if (damage !== undefined) damaged.push(damage);
  }
  const verdict = await verifyTree(around, { ...subject, descriptor: usable[0] }, task);
  finish(task, [...damaged, ...verdict.damages]);
  return verdict;
}

function finish(task: ProgressTask, damages: readonly Damage[]): void {
  const isMended = damages.every(({ repair }) => repair.kind === "mended");
  task.done(damages.length === 0 ? "whole" : isMended ? "repaired" : "damaged");
}

/** Nearest to the base first, and the same order for everybody. */
function collectSubjects(documents: readonly VerifiedDocuments[]): readonly LayerSubject[] {
  const subjects = new Map<Digest, LayerSubject>();
  for (const { entries, layers } of documents) {
    const names = entries.flatMap(({ name }) => name ?? []);
    for (const layer of layers) {
      const { chainId } = layer.stored;
      const known = subjects.get(chainId);
      const blobs = (known?.blobs ?? []).filter(({ digest }) => digest !== layer.descriptor.digest);
      subjects.set(chainId, {
        ...layer,
        blobs: [...blobs, layer.descriptor],
        names: [...new Set([...(known?.names ?? []), ...names])],
      });
    }
  }
  return [...subjects.values()].sort(
    (a, b) => a.below.length - b.below.length || (a.stored.chainId < b.stored.chainId ? -1 : 1),
  );
}

async function lockAll(
  { context, store }: VerifyWork,
  subjects: readonly LayerSubject[],
  held: DisposableStack,
): Promise<ReadonlyMap<Digest, Lock>> {
  const locks = new Map<Digest, Lock>();
  for (const { stored } of subjects) {
    const lock = await waitForLock(context, layerLockPath(store, stored.chainId), "exclusive", () =>
      context.log.info("waiting for another devbox"),
    );
    held.defer(() => lock.remove());
    locks.set(stored.chainId, lock);
  }
  return locks;
}
