/** `devbox prune`: images that have lost their name, or (all) that no box uses, and everything that nothing refers to. */
import type { Context } from "../core/context.ts";
import type { HostFacts } from "../host/facts.ts";
import type { Digest } from "../oci/descriptor.ts";
import { sweepBoxes } from "../store/boxes.ts";
import { editEntries, type ImageEntry } from "../store/index-file.ts";
import type { Store } from "../store/types.ts";
import { confirmLayers } from "../store/unsynced.ts";
import { collectGarbage } from "./collect-garbage.ts";
import { boxesOf } from "./remove.ts";
import { shareFiles } from "./share-files.ts";

export interface PruneOptions {
  /** Every image that no box uses, not only the nameless. */
  readonly all: boolean;
}

export interface Pruned {
  /** Names, or digests of what had none. */
  readonly images: readonly string[];
  readonly freedBytes: number;
}

/** Safe beside pulls and runs: what they are about to use is leased, or belongs to a box. */
export async function prune(context: Context, store: Store, facts: HostFacts, options: PruneOptions): Promise<Pruned> {
  sweepBoxes(store);
  confirmLayers(context, store);
  let images: readonly string[] = [];
  await editEntries(context, store, (entries) => {
    const used = new Set<Digest | undefined>(boxesOf(context, store).map(({ manifestDigest }) => manifestDigest));
    const doomed = entries.filter((entry) => !used.has(entry.descriptor.digest) && (options.all || isNameless(entry)));
    images = doomed.map(({ name, descriptor }) => name ?? descriptor.digest);
    return doomed.length === 0 ? entries : entries.filter((entry) => !doomed.includes(entry));
  });
  const freedBytes = await collectGarbage(context, store, facts, { remains: true });
  // What `run` has brought shares its files now.
  await shareFiles(context, store, facts);
  return { images, freedBytes };
}

function isNameless({ name }: ImageEntry): boolean {
  return name === undefined;
}
