/** One layer on disk against its blob: made anew, compared, and replaced if it is to be mended. */
import { join } from "node:path";
import type { ProgressTask } from "../../core/context.ts";
import { DevboxError, describeCause, type ErrorCode } from "../../core/errors.ts";
import type { TreeDifference } from "../../layer/protocol.ts";
import type { Descriptor, Digest } from "../../oci/descriptor.ts";
import { shortDigest } from "../../oci/digest.ts";
import { layerFormat } from "../../oci/media-type.ts";
import { beginLayer, hasLayer, type LayerBuild, type LayerRecord, readLayerRecord } from "../../store/layers.ts";
import { blobPath } from "../../store/paths.ts";
import type { Store, StoredLayer } from "../../store/types.ts";
import { openFeed } from "../pull/blob-feed.ts";
import { type Applied, applyLayer } from "../workers/apply-layer.ts";
import { settleLayer } from "../workers/settle-layer.ts";
import type { WorkerPool } from "../workers/worker-pool.ts";
import type { Damage, Repair, VerifyWork } from "./damage.ts";
import { mendRecord, replaceTree } from "./repair-layer.ts";

/** How many paths of a damaged layer are told. */
const toldDifferences = 20;

export interface TreeWork extends VerifyWork {
  readonly pool: WorkerPool;
  /** Directories that are to be removed when all is done. */
  readonly leftovers: string[];
  /** Of layers that are verified, or will be: the tree that is right; undefined: there is none. */
  readonly trees: ReadonlyMap<Digest, Promise<string | undefined>>;
}

export interface TreeSubject {
  readonly stored: StoredLayer;
  readonly below: readonly StoredLayer[];
  /** A blob that is whole; undefined: there is none to compare with. */
  readonly descriptor: Descriptor | undefined;
}

export interface TreeVerdict {
  readonly damages: readonly Damage[];
  /** What layers above are to be settled on; undefined: nobody knows what is right. */
  readonly tree: string | undefined;
}

/** The lock of the layer is held. */
export async function verifyTree(work: TreeWork, subject: TreeSubject, task: ProgressTask): Promise<TreeVerdict> {
  const { store, leftovers } = work;
  const { chainId, path } = subject.stored;
  if (subject.descriptor === undefined) return unknown(work, chainId, "its blob is not whole");
  const build = beginLayer(store, chainId);
  leftovers.push(build.directory);
  const applied = await applyAnew(work, { ...subject, descriptor: subject.descriptor }, build, task);
  if (applied === undefined) return unknown(work, chainId, "a layer below is not whole");
  if ("part" in applied) return { damages: [applied], tree: undefined };
  const tree = join(store.root, path);
  task.phase("comparing");
  const record = { ...recordOf(subject.stored, applied), created: work.context.now().toISOString() };
  const fault = await findFault(work, subject.stored, build);
  if (fault === undefined) return { damages: checkRecord(work, record), tree };
  const repair = work.repair ? await mend(work, () => replaceTree(work, build, record)) : ({ kind: "none" } as const);
  const damage: Damage = { part: "layer", digest: chainId, ...fault, repair };
  return { damages: [damage], tree: repair.kind === "mended" ? tree : build.tree };
}

/** There is nothing that the layer could be compared with, or made of. */
function unknown({ store, repair }: TreeWork, chainId: Digest, because: string): TreeVerdict {
  const missing: Damage = {
    part: "layer",
    digest: chainId,
    because: "missing",
    repair: repair ? { kind: "failed", because } : { kind: "none" },
  };
  return { damages: hasLayer(store, chainId) ? [] : [missing], tree: undefined };
}

/** These are the fault of the layer itself: its bytes are as they should be, and were never good. */
const ownFaults: readonly ErrorCode[] = [
  "DIGEST_MISMATCH",
  "LAYER_ESCAPE",
  "LAYER_INVALID",
  "LAYER_TRUNCATED",
  "LAYER_TOO_LARGE",
  "UNSUPPORTED_MEDIA_TYPE",
];

/** undefined: it needs a layer below that cannot be had. */
async function applyAnew(
  work: TreeWork,
  { stored, below, descriptor }: TreeSubject & { readonly descriptor: Descriptor },
  build: LayerBuild,
  task: ProgressTask,
): Promise<Applied | Damage | undefined> {
  const { context, store, pool } = work;
  const label = `layer ${below.length + 1} (${shortDigest(descriptor.digest)})`;
  const path = blobPath(store, descriptor.digest);
  const { feed } = openFeed(path, descriptor.size, descriptor.size, Promise.resolve());
  task.phase("applying");
  try {
    const { compression } = layerFormat(descriptor.mediaType);
    const request = { label, feed, compression, diffId: stored.diffId, target: build.tree };
    const applied = await applyLayer(context, pool, request);
    const lowers = await lowersOf(work, below, applied);
    if (lowers === undefined) return undefined;
    await settleLayer(pool, { label, target: build.tree, lowers, pending: applied.pending });
    return applied;
  } catch (error) {
    if (!(error instanceof DevboxError) || !ownFaults.includes(error.code)) throw error;
    const because = `it cannot be made of its blob: ${error.because ?? error.step}`;
    const repair: Repair = work.repair ? { kind: "failed", because: "it never was whole" } : { kind: "none" };
    return { part: "layer", digest: stored.chainId, because, repair };
  }
}

/** Topmost first; waited for only where the layer needs them. */
async function lowersOf(
  { store, trees }: TreeWork,
  below: readonly StoredLayer[],
  { pending }: Applied,
): Promise<readonly string[] | undefined> {
  if (pending.parents.length + pending.links.length + pending.whiteouts.length === 0) return [];
  const found = below.map(({ chainId, path }) => trees.get(chainId) ?? Promise.resolve(join(store.root, path)));
  const lowers = (await Promise.all(found)).flatMap((tree) => tree ?? []);
  return lowers.length === below.length ? lowers.reverse() : undefined;
}

interface Fault {
  readonly because: string;
  readonly differences?: readonly TreeDifference[];
  readonly count?: number;
}

/** What of the layer on disk is not as in the one made anew. */
async function findFault(
  { store, pool }: TreeWork,
  stored: StoredLayer,
  build: LayerBuild,
): Promise<Fault | undefined> {
  if (!hasLayer(store, stored.chainId)) return { because: "missing" };
  const label = `layer ${shortDigest(stored.chainId)}`;
  const actual = join(store.root, stored.path);
  const { differences, count } = await pool.use(async (worker) => {
    worker.send({ kind: "compare", label, actual, expected: build.tree, most: toldDifferences });
    const reply = await worker.reply();
    if (reply.kind === "compared") return reply;
    throw new DevboxError("INTERNAL", { step: `compare ${label}`, because: `the worker answered "${reply.kind}"` });
  });
  if (count === 0) return undefined;
  return {
    because: count === 1 ? "1 path is not as it was" : `${count} paths are not as they were`,
    differences,
    count,
  };
}

function recordOf({ chainId, diffId }: StoredLayer, { bytes, entries }: Applied): Omit<LayerRecord, "created"> {
  return { chainId, diffId, bytes, entries };
}

/** `layer.json` of a layer that is whole. */
function checkRecord(work: TreeWork, record: LayerRecord): readonly Damage[] {
  const because = recordFault(work.store, record);
  if (because === undefined) return [];
  const repair: Repair = work.repair ? { kind: "mended" } : { kind: "none" };
  if (work.repair) mendRecord(work.store, record);
  return [{ part: "record", digest: record.chainId, because, repair }];
}

function recordFault(store: Store, wanted: LayerRecord): string | undefined {
  let record: LayerRecord;
  try {
    record = readLayerRecord(store, wanted.chainId);
  } catch (error) {
    return describeCause(error);
  }
  const keys = ["chainId", "diffId", "bytes", "entries"] as const;
  const wrong = keys.find((key) => record[key] !== wanted[key]);
  return wrong === undefined ? undefined : `${wrong} is ${record[wrong]}, not ${wanted[wrong]}`;
}

async function mend(work: TreeWork, action: () => Promise<void>): Promise<Repair> {
  try {
    await action();
    return { kind: "mended" };
  } catch (error) {
    work.context.signal.throwIfAborted();
    if (!(error instanceof DevboxError) || error.code !== "IMAGE_IN_USE") throw error;
    return { kind: "failed", because: error.because ?? error.step };
  }
}
