/** Layers as they lie in the store, `DIRECTORY/fs`, that share files with one another (src/layer/share.ts). */
import type { SharedWith } from "../../src/layer/protocol.ts";
import { type Laboratory, openLaboratory } from "./layer-stack.ts";
import type { Listing } from "./listing.ts";
import type { Person, TemporaryDirectory } from "./machine.ts";
import { type TarItem, tar } from "./tar-builder.ts";

export interface ShareLaboratory extends AsyncDisposable {
  readonly lab: Laboratory;
  /** A layer out of these entries, without layers below; undefined when it is refused. */
  layer(items: readonly TarItem[], directory?: string): Promise<string | undefined>;
  /** Throws the reply as JSON when it fails. */
  share(layer: string, ...others: readonly string[]): Promise<readonly SharedWith[]>;
  /** A path in several layers: how many files there are. */
  inodes(path: string, ...layers: readonly string[]): Promise<number>;
  /** The layer's own tree. */
  list(layer: string): Promise<Listing>;
  /** What a box sees of them, base first. */
  listMerged(...layers: readonly string[]): Promise<Listing>;
}

export async function openShareLaboratory(person: Person, temporary: TemporaryDirectory): Promise<ShareLaboratory> {
  const lab = await openLaboratory(person, temporary);
  return {
    lab,
    async layer(items, directory) {
      const at = directory ?? (await lab.newTarget());
      const target = `${at}/fs`;
      await lab.run("mkdir", target);
      const applied = await lab.worker.apply(tar(items), target);
      if (applied.kind !== "applied") return undefined;
      lab.worker.send({ kind: "settle", label: "layer", target, lowers: [], pending: applied.pending });
      return (await lab.worker.reply()).kind === "settled" ? at : undefined;
    },
    async share(layer, ...others) {
      lab.worker.send({ kind: "share", label: "layer", layer, others });
      const reply = await lab.worker.reply();
      if (reply.kind !== "shared") throw new Error(JSON.stringify(reply));
      return reply.shared;
    },
    async inodes(path, ...layers) {
      const files = layers.map((layer) => `${layer}/fs/${path}`);
      return new Set((await lab.run("stat", "-c", "%i", ...files)).trim().split("\n")).size;
    },
    list: async (layer) => withoutOutsideLinks(await lab.list(`${layer}/fs`)),
    listMerged: async (...layers) => withoutOutsideLinks(await lab.listMerged(layers.map((layer) => `${layer}/fs`))),
    [Symbol.asyncDispose]: () => lab[Symbol.asyncDispose](),
  };
}

/** Of a file whose other names are all in other trees: it is the same as itself only. */
function withoutOutsideLinks(listing: Listing): Listing {
  return new Map([...listing].map(([path, line]) => [path, line.replace(` same-as=${path} `, " same-as= ")]));
}
