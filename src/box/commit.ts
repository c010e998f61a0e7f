/** `devbox commit`: a box as a new image: that of the box, with what it has changed as a layer on top. */
import { existsSync, readFileSync } from "node:fs";
import type { Context } from "../core/context.ts";
import { DevboxError } from "../core/errors.ts";
import type { HostFacts } from "../host/facts.ts";
import { applyChanges } from "../image/make/changes-to-config.ts";
import { creationTime, sourceDate } from "../image/make/creation-time.ts";
import { type MadeImage, makeImage } from "../image/make/make-image.ts";
import { makeLayer, type NewLayer } from "../image/make/new-layer.ts";
import type { Packing } from "../image/make/packing.ts";
import { isOnlyId } from "../image/names/find-by-id.ts";
import { readReference } from "../image/names/read-reference.ts";
import { openWorkerPool } from "../image/workers/open-worker-pool.ts";
import type { Digest } from "../oci/descriptor.ts";
import type { ImageConfig, Manifest } from "../oci/image.ts";
import { parseManifest } from "../oci/parse.ts";
import { formatReference, type RegistryReference } from "../oci/reference.ts";
import { findBox } from "../store/boxes.ts";
import { readImageContent, storedLayers } from "../store/images.ts";
import { blobPath } from "../store/paths.ts";
import type { Store } from "../store/types.ts";
import { type BoxFiles, findBoxFiles, namespaceCopier, outputOf } from "./changed-files.ts";
import { committedExecution, seenOptions } from "./committed-config.ts";
import { readBoxConfig } from "./config-file.ts";
import { readSettings } from "./settings.ts";
import { type FoundBox, openSettled } from "./settled.ts";
import { keepStill } from "./still.ts";
import { requireThere } from "./there.ts";

export interface CommitOptions {
  /** undefined: the image stays nameless. */
  readonly name: RegistryReference | undefined;
  readonly author: string | undefined;
  readonly message: string | undefined;
  /** Instructions of a Dockerfile. */
  readonly changes: readonly string[];
  /** Freeze a box that runs, as long as its files are read. */
  readonly pause: boolean;
  readonly packing: Packing;
  /** Of the manifest, over those that name the base. */
  readonly annotations: Readonly<Record<string, string>>;
}

export interface CommittedImage extends MadeImage {
  /** undefined: the box has changed no file. */
  readonly layer: Digest | undefined;
  /** What could not be put into the layer, in words. */
  readonly notes: readonly string[];
}

interface Committing {
  readonly context: Context;
  readonly store: Store;
  readonly facts: HostFacts;
  readonly box: FoundBox;
  readonly files: BoxFiles;
  readonly base: { readonly manifest: Manifest; readonly config: ImageConfig };
  readonly options: CommitOptions;
}

/**
 * Nothing but the new image is changed, and nothing is left of it when it fails; a box that was frozen goes on.
 * @throws DevboxError BOX_NOT_FOUND; BOX_STATE of a box on a directory; IMAGE_NOT_FOUND when its image is gone; USAGE for a
 *   change that is none; COPY_FAILED; what `makeLayer` throws
 */
export async function commitBox(context: Context, name: string, options: CommitOptions): Promise<CommittedImage> {
  const { store, facts } = openSettled(context);
  const box = findBox(store, name);
  const { record, paths } = box;
  const files = findBoxFiles(store, box, "commit");
  const base = readBase(store, box);
  const settings = readSettings(paths);
  const image = base.config.config ?? {};
  const asked = settings?.options ?? seenOptions(record, readBoxConfig(paths), image);
  const own = committedExecution(image, asked, settings?.health);
  const execution = applyChanges(own, options.changes);
  const created = creationTime(context);
  const notes: string[] = [];
  using layer = await layerOf({ context, store, facts, box, files, base, options }, notes).catch((error: unknown) => {
    requireThere(box, "commit", error);
    throw error;
  });
  const { author, message, annotations } = options;
  const { os, architecture, variant } = base.config;
  const made = await makeImage(context, store, {
    base,
    layer,
    execution,
    platform: { os, architecture, ...(variant === undefined ? {} : { variant }) },
    created,
    ...(author === undefined ? {} : { author }),
    history: {
      created_by: [...(own.Entrypoint ?? []), ...(own.Cmd ?? [])].join(" "),
      ...(message === undefined ? {} : { comment: message }),
    },
    annotations: { ...(await baseAnnotations(box, context.env)), ...annotations },
    name: options.name,
  });
  return { ...made, layer: layer?.descriptor.digest, notes };
}

/** image-spec annotations.md "Pre-Defined Annotation Keys". */
async function baseAnnotations(
  { record: { image, manifestDigest } }: FoundBox,
  env: Context["env"],
): Promise<Readonly<Record<string, string>>> {
  const reference = await readReference(image, env);
  const isName = reference.kind === "registry" && !isOnlyId(image);
  return {
    ...(isName ? { "org.opencontainers.image.base.name": formatReference(reference) } : {}),
    ...(manifestDigest === undefined ? {} : { "org.opencontainers.image.base.digest": manifestDigest }),
  };
}

/** The image that the box was made of, whatever its name means by now. */
function readBase(store: Store, { record }: FoundBox): Committing["base"] {
  const { manifestDigest: digest } = record;
  const path = digest === undefined ? undefined : blobPath(store, digest);
  if (digest !== undefined && path !== undefined && existsSync(path)) {
    const bytes = readFileSync(path);
    const { mediaType } = parseManifest(bytes);
    const descriptor = { mediaType, digest, size: bytes.byteLength };
    const content = readImageContent(store, { name: undefined, topDigest: digest, descriptor });
    if (content !== undefined) return content;
  }
  throw new DevboxError("IMAGE_NOT_FOUND", {
    step: `commit the box ${record.name}`,
    because: "its image was removed",
    hint: `pull it again: devbox pull ${record.image}`,
  });
}

/** undefined: no file has changed. */
async function layerOf(committing: Committing, notes: string[]): Promise<(NewLayer & Disposable) | undefined> {
  const { context, store, facts, box, files, base, options } = committing;
  if (!existsSync(files.upper)) {
    requireThere(box, "commit");
    return undefined;
  }
  const latest = sourceDate(context.env);
  const task = {
    changes: {
      as: "archive",
      ...files,
      ...(latest === undefined ? {} : { latest: latest.getTime() / 1000 }),
    },
  } as const;
  await using pool = openWorkerPool(facts);
  // Beside the worker that packs: starting one takes as long as a thousand files.
  pool.warm();
  await using still = await keepStill(context, { store, facts }, box, { freeze: options.pause });
  const output = outputOf(namespaceCopier(facts), task, context.signal, (told) => notes.push(...told));
  const archive = wholly(output, box);
  const first = await archive.next();
  if (first.done === true) return undefined;
  async function* tar(): AsyncGenerator<Uint8Array> {
    if (first.value !== undefined) yield first.value;
    yield* archive;
    await still.release();
  }
  return await makeLayer(
    { context, store, pool },
    {
      label: `the layer of ${box.record.name}`,
      tar,
      packing: options.packing,
      below: storedLayers(base.config.rootfs.diff_ids),
    },
  );
}

/** What is read of a box that is removed meanwhile is not all of it. */
async function* wholly(output: AsyncIterable<Uint8Array>, box: FoundBox): AsyncGenerator<Uint8Array> {
  yield* output;
  requireThere(box, "commit");
}
