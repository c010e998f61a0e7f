/** Layers applied and settled one over another, as a pull does it, and the tree that a box would see. */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import type { WorkerReply } from "../../src/layer/protocol.ts";
import { type LayerWorker, namespaceOf, startWorker } from "./layer-worker.ts";
import { type Listing, listTree } from "./listing.ts";
import type { Person, TemporaryDirectory } from "./machine.ts";
import { type TarItem, tar } from "./tar-builder.ts";

export type Failed = Extract<WorkerReply, { readonly kind: "failed" }>;

export interface AppliedItems {
  readonly listing: Listing;
  readonly notes: readonly string[];
  readonly target: string;
}

export interface Laboratory extends AsyncDisposable {
  readonly worker: LayerWorker;
  /** A new empty directory that belongs to the person. */
  newTarget(): Promise<string>;
  /** Apply these entries as one layer; throws what fails as JSON. */
  applied(items: readonly TarItem[]): Promise<AppliedItems>;
  /** Apply an archive that must be refused; throws the reply as JSON when it is not. */
  failed(archive: Buffer, options?: Parameters<LayerWorker["apply"]>[2]): Promise<Failed>;
  /** The layer's own tree, owners as in the box. */
  list(directory: string): Promise<Listing>;
  /** What overlayfs shows; `layers` base first. */
  listMerged(layers: readonly string[]): Promise<Listing>;
  /** Apply and settle archives, base first; throws what fails as JSON. Returns the trees, base first. */
  stack(archives: readonly Buffer[]): Promise<readonly string[]>;
  run(...command: string[]): Promise<string>;
}

export async function openLaboratory(person: Person, temporary: TemporaryDirectory): Promise<Laboratory> {
  const room = await temporary.own(`layers-${person.name}-${crypto.randomUUID().slice(0, 8)}`, person);
  const prefix = namespaceOf(person);
  const worker = await startWorker(person, temporary.path);
  let targets = 0;
  const newTarget = async (): Promise<string> => {
    const target = join(room, `layer-${targets++}`);
    mkdirSync(target);
    await changeOwner(target, person);
    return target;
  };
  const list = (directory: string): Promise<Listing> => listTree(directory, prefix);
  return {
    worker,
    newTarget,
    list,
    async applied(items) {
      const target = await newTarget();
      const reply = await worker.apply(tar(items), target);
      if (reply.kind !== "applied") throw new Error(JSON.stringify(reply));
      return { listing: await list(target), notes: reply.notes, target };
    },
    async failed(archive, options = {}) {
      const reply = await worker.apply(archive, await newTarget(), options);
      if (reply.kind !== "failed") throw new Error(JSON.stringify(reply));
      return reply;
    },
    listMerged: async (layers) => {
      const mountPoint = await newTarget();
      // overlayfs needs two lower directories where there is no upper one.
      const lowers = [...layers].reverse().concat(layers.length === 1 ? [await newTarget()] : []);
      const mount = `mount -t overlay overlay -o userxattr,lowerdir=${lowers.join(":")} ${mountPoint}`;
      return await listTree(mountPoint, prefix, mount);
    },
    stack: (archives) => applyStack(worker, newTarget, archives),
    run: (...command) => capture([...prefix, ...command]),
    [Symbol.asyncDispose]: () => worker[Symbol.asyncDispose](),
  };
}

async function applyStack(
  worker: LayerWorker,
  newTarget: () => Promise<string>,
  archives: readonly Buffer[],
): Promise<readonly string[]> {
  const trees: string[] = [];
  for (const archive of archives) {
    const target = await newTarget();
    const applied = await worker.apply(archive, target);
    if (applied.kind !== "applied") throw new Error(JSON.stringify(applied));
    worker.send({ kind: "settle", label: "layer", target, lowers: [...trees].reverse(), pending: applied.pending });
    const settled = await worker.reply();
    if (settled.kind !== "settled") throw new Error(JSON.stringify(settled));
    trees.push(target);
  }
  return trees;
}

async function changeOwner(path: string, person: Person): Promise<void> {
  const owner = `${person.uid}:${person.gid}`;
  if (process.getuid?.() !== person.uid) await capture(["chown", owner, path]);
}

async function capture(command: readonly string[]): Promise<string> {
  const child = Bun.spawn([...command], { stdout: "pipe", stderr: "pipe" });
  const [output, errors] = await Promise.all([child.stdout.text(), child.stderr.text()]);
  if ((await child.exited) !== 0) throw new Error(`${command.join(" ")}: ${errors}`);
  return output;
}
