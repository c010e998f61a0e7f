/** `devbox import`: a tar of a root file system becomes an image of one layer. */
import type { Context } from "../../core/context.ts";
import { DevboxError } from "../../core/errors.ts";
import type { HostFacts } from "../../host/facts.ts";
import { defaultIdMap } from "../../host/id-map.ts";
import type { Packing } from "../../layer/compress.ts";
import type { Platform } from "../../oci/descriptor.ts";
import type { RegistryReference } from "../../oci/reference.ts";
import type { Store } from "../../store/types.ts";
import { type ArchiveInput, openInput, readInput, unpacked } from "../sources/input-stream.ts";
import { openWorkerPool } from "../workers/open-worker-pool.ts";
import { applyChanges } from "./changes-to-config.ts";
import { creationTime } from "./creation-time.ts";
import { type MadeImage, makeImage } from "./make-image.ts";
import { makeLayer } from "./new-layer.ts";

export interface ImportOptions {
  /** undefined: nameless. */
  readonly name: RegistryReference | undefined;
  /** Instructions of a Dockerfile. */
  readonly changes: readonly string[];
  readonly message: string | undefined;
  readonly author: string | undefined;
  readonly platform: Platform;
  readonly packing: Packing;
}

/**
 * @param input a tar, plain or packed with gzip or zstd
 * @throws DevboxError USAGE for a change that is none; LAYER_* for what is no archive; what making a layer throws
 */
export async function importImage(
  context: Context,
  store: Store,
  facts: HostFacts,
  input: ArchiveInput,
  options: ImportOptions,
): Promise<MadeImage> {
  // What can be wrong without reading anything is found out first.
  const execution = applyChanges({}, options.changes);
  const created = creationTime(context);
  defaultIdMap(facts);
  using file = openInput(input, { directoryHint: "pack it on its way: tar -C DIR -c . | devbox import -" });
  await using pool = openWorkerPool(facts);
  const request = {
    label: `the layer of ${file.label}`,
    tar: (signal: AbortSignal) => unpacked(readInput(file, signal), file.label),
    packing: options.packing,
    below: [],
  };
  using layer = await makeLayer({ context, store, pool }, request).catch((error: unknown) => {
    throw explain(error, file.label);
  });
  for (const note of layer.notes) context.log.debug(note);
  const { author, message, name, platform } = options;
  return await makeImage(context, store, {
    base: undefined,
    layer,
    execution,
    platform,
    created,
    ...(author === undefined ? {} : { author }),
    history: { comment: message ?? `Imported from ${input.kind === "fd" ? "-" : input.path}` },
    name,
  });
}

/** What the worker says of a layer, in words for who has made it; what cannot be unpacked says so itself. */
function explain(error: unknown, label: string): unknown {
  if (!(error instanceof DevboxError) || !["LAYER_INVALID", "LAYER_TRUNCATED"].includes(error.code)) return error;
  if (!error.step.includes(`the layer of ${label}`)) return error;
  const hint = "give a whole tar archive of a root file system";
  return new DevboxError(error.code, { step: `import ${label}`, cause: error, hint });
}
