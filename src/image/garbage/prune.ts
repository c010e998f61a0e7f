/** `devbox prune`: images that have lost their name, or (all) that no box uses, and everything that nothing refers to. */
import type { Context } from "../../core/context.ts";
import type { HostFacts } from "../../host/facts.ts";
import type { Digest } from "../../oci/descriptor.ts";
import { sweepBoxes } from "../../store/boxes.ts";
import { readImageContent } from "../../store/images.ts";
import { editEntries, type ImageEntry } from "../../store/index-file.ts";
import type { Store } from "../../store/types.ts";
import { confirmLayers } from "../../store/unsynced.ts";
import { collectGarbage } from "./collect-garbage.ts";
import { boxesOf } from "./remove.ts";
import { shareFiles } from "./share-files.ts";

export interface PruneOptions {
  /** Every image that no box uses, not only the nameless. */
  readonly all: boolean;
  /** Of these, the ones that fit. Default: all of them. */
  readonly fits?: (image: PruneCandidate) => boolean;
  /** Also remains of pulls and boxes that were interrupted. Default: true. */
  readonly remains?: boolean;
}

/** What an image says of itself; one that cannot be read says nothing. */
export interface PruneCandidate {
  /** RFC 3339. */
  readonly created: string | undefined;
  readonly labels: Readonly<Record<string, string>>;
}

export interface Pruned {
  /** Names, or digests of what had none. */
  readonly images: readonly string[];
  readonly freedBytes: number;
}

/** Safe beside pulls and runs: what they are about to use is leased, or belongs to a box. */
export async function prune(context: Context, store: Store, facts: HostFacts, options: PruneOptions): Promise<Pruned> {
  const { all, fits = () => true, remains = true } = options;
  sweepBoxes(store);
  confirmLayers(context, store);
  let images: readonly string[] = [];
  await editEntries(context, store, (entries) => {
    const used = new Set<Digest | undefined>(boxesOf(context, store).map(({ manifestDigest }) => manifestDigest));
    const doomed = entries.filter(
      (entry) =>
        !used.has(entry.descriptor.digest) && (all || isNameless(entry)) && fits(describeCandidate(store, entry)),
    );
    images = doomed.map(({ name, descriptor }) => name ?? descriptor.digest);
    return doomed.length === 0 ? entries : entries.filter((entry) => !doomed.includes(entry));
  });
  const freedBytes = await collectGarbage(context, store, facts, { remains });
  // What `run` has brought shares its files now.
  await shareFiles(context, store, facts);
  return { images, freedBytes };
}

function isNameless({ name }: ImageEntry): boolean {
  return name === undefined;
}

function describeCandidate(store: Store, entry: ImageEntry): PruneCandidate {
  try {
    const config = readImageContent(store, entry)?.config;
    return { created: config?.created, labels: config?.config?.Labels ?? {} };
  } catch {
    return { created: undefined, labels: {} };
  }
}
