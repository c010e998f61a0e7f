/** One manifest of a copy: what must be made of its layers, the blobs, and the manifest as it is then. */

import { DevboxError } from "../../core/errors.ts";
import type { Compression } from "../../layer/protocol.ts";
import {
  convertManifest,
  encodeManifest,
  formOf,
  isImage,
  layerMediaType,
  layerTypeIn,
  type ManifestForm,
  repackedLayer,
} from "../../oci/convert.ts";
import type { Descriptor, Digest } from "../../oci/descriptor.ts";
import { digestOf, shortDigest } from "../../oci/digest.ts";
import type { Manifest } from "../../oci/image.ts";
import { layerFormat } from "../../oci/media-type.ts";
import { checkLayerCount, parseImageConfig } from "../../oci/parse-config.ts";
import { fetchConfig } from "../sources/config.ts";
import { readFileChunks } from "../sources/directory-tree.ts";
import type { FetchedManifest } from "../sources/source.ts";
import { type MadeBlob, untilAborted } from "./blob.ts";
import { repackLayer } from "./repack-layer.ts";
import { counted } from "./verified.ts";
import { type Copied, type CopyWork, refuseChange } from "./work.ts";

/** How a layer is to be packed; "leave": as it is; "omit": it stays where its `urls` say. */
type LayerPlan = Compression | "leave" | "omit";

export async function copyManifest(
  work: CopyWork,
  { descriptor, bytes }: FetchedManifest,
  manifest: Manifest,
  names: readonly string[] | undefined,
): Promise<Copied> {
  const { destination } = work;
  const image = isImage(manifest);
  if (!image && destination.form.layers === "plain") throw noImage(work, manifest);
  const plans = manifest.layers.map((layer): LayerPlan => (image ? planLayer(work, layer) : "leave"));
  const form = image ? chooseForm(work, manifest, plans) : formOf(manifest.mediaType);
  const repacks = plans.some((plan) => plan !== "leave" && plan !== "omit");
  // What the form has no place for is found out before anything is copied.
  for (const [index, { mediaType }] of manifest.layers.entries()) {
    const plan = plans[index] ?? "leave";
    const type = plan === "leave" || plan === "omit" ? mediaType : layerMediaType("oci", plan);
    if (type !== mediaType || form !== formOf(manifest.mediaType)) layerTypeIn(form, type);
  }
  if (repacks) refuseChange(work, descriptor, "layers are packed otherwise there");
  if (form !== formOf(manifest.mediaType)) refuseChange(work, descriptor, "its media type is another one there");
  const layers = await copyBlobs(work, manifest, plans, form, repacks ? await readDiffIds(work, manifest) : []);
  if (layers === undefined && form === formOf(manifest.mediaType)) {
    await destination.putManifest({ descriptor, bytes }, names);
    return descriptor;
  }
  const made = convertManifest({ ...manifest, layers: layers ?? manifest.layers }, form);
  const madeBytes = encodeManifest(made);
  const madeDescriptor = { mediaType: made.mediaType, digest: digestOf(madeBytes), size: madeBytes.byteLength };
  // What docker's archives hold is no manifest, so nobody looks for the digest of one in them.
  if (destination.form.layers !== "plain") sayWhy(work, descriptor.digest, madeDescriptor.digest, repacks);
  await destination.putManifest({ descriptor: madeDescriptor, bytes: madeBytes }, names);
  return madeDescriptor;
}

function planLayer({ destination, options }: CopyWork, layer: Descriptor): LayerPlan {
  const { compression, foreign } = layerFormat(layer.mediaType);
  const { layers, leavesForeignLayers, packsPlainLayers } = destination.form;
  if (foreign && leavesForeignLayers && (layer.urls ?? []).length > 0) return "omit";
  if (layers === "plain") return compression === "none" ? "leave" : "none";
  if (foreign) return "leave";
  const { packing } = options;
  if (packing !== undefined) {
    return packing.compression === compression && packing.level === undefined ? "leave" : packing.compression;
  }
  return packsPlainLayers && compression === "none" ? "gzip" : "leave";
}

/** docker has no media type for layers packed with zstd, so a manifest that gets them becomes OCI's. */
function chooseForm(
  { destination, options }: CopyWork,
  { mediaType }: Manifest,
  plans: readonly LayerPlan[],
): ManifestForm {
  if (options.form !== undefined) return options.form;
  return destination.form.manifests === "oci" || plans.includes("zstd") ? "oci" : formOf(mediaType);
}

/** @returns the layers as they are there; undefined: as they were */
async function copyBlobs(
  work: CopyWork,
  manifest: Manifest,
  plans: readonly LayerPlan[],
  form: ManifestForm,
  diffIds: readonly Digest[],
): Promise<readonly Descriptor[] | undefined> {
  const { blobs, destination } = work;
  const { config, layers } = manifest;
  const copies = layers.map((layer, index) => {
    const plan = plans[index] ?? "leave";
    const copy = async (): Promise<Descriptor> => {
      if (plan === "omit") return layer;
      const diffId = diffIds[index];
      if (plan === "leave" || diffId === undefined) {
        await blobs.copy(layer);
        return layer;
      }
      const label = `layer ${index + 1} of ${layers.length} (${shortDigest(layer.digest)})`;
      return await repack(work, layer, diffId, plan, form, label);
    };
    return { index, size: layer.size, copy };
  });
  // The largest first: one that starts last would keep all others waiting.
  const order = destination.form.blobsAtOnce === 1 ? copies : copies.toSorted((a, b) => b.size - a.size);
  const started = order.map(async ({ index, copy }) => ({ index, descriptor: await copy() }));
  await allOrFirstFailure([...started, blobs.copy(config, isImage(manifest) ? "whole" : undefined)]);
  const copied = (await Promise.all(started)).sort((a, b) => a.index - b.index);
  const isSame = copied.every(({ index, descriptor }) => descriptor.digest === layers[index]?.digest);
  return isSame ? undefined : copied.map(({ descriptor }) => descriptor);
}

/** The first failure, once all are done: what they use is not closed under them. */
async function allOrFirstFailure(tasks: readonly Promise<unknown>[]): Promise<void> {
  try {
    await Promise.all(tasks);
  } catch (error) {
    await Promise.allSettled(tasks);
    throw error;
  }
}

async function repack(
  work: CopyWork,
  layer: Descriptor,
  diffId: Digest,
  compression: Compression,
  form: ManifestForm,
  label: string,
): Promise<Descriptor> {
  const { blobs, context, destination, options, source, store } = work;
  // Another image may have brought it: what it unpacks to has a name that is known beforehand.
  const size = compression === "none" ? destination.sizeOf(diffId) : undefined;
  if (size !== undefined) return repackedLayer(layer, form, compression, { digest: diffId, size });
  const level = options.packing?.level;
  const packing = { compression, ...(level === undefined || compression === "none" ? {} : { level }) };
  const blob = await blobs.make(layer, async (task): Promise<MadeBlob> => {
    task.phase(compression === "none" ? "unpacking" : `packing with ${compression}`);
    const { stream } = await source.fetchBlob(layer, { offset: 0 });
    const read = counted(untilAborted(context.signal, stream), task.update);
    const made = await repackLayer(context, store, layer, read, diffId, packing, label);
    return {
      descriptor: repackedLayer(layer, form, compression, made),
      open: async (offset) => ({ stream: readFileChunks(made.path, offset, `read ${label}`), offset }),
      [Symbol.dispose]: () => made[Symbol.dispose](),
    };
  });
  // Another manifest of the index may have brought it, one of the other form.
  return repackedLayer(layer, form, compression, blob);
}

async function readDiffIds({ source }: CopyWork, manifest: Manifest): Promise<readonly Digest[]> {
  const config = parseImageConfig(await fetchConfig(source, manifest.config));
  checkLayerCount(manifest, config);
  return config.rootfs.diff_ids;
}

function sayWhy({ context, destination }: CopyWork, before: Digest, after: Digest, repacks: boolean): void {
  const why = repacks ? "layers are packed otherwise" : "its media types are others";
  context.log.info(`${destination.label}: the manifest is made anew (${why}): ${after} instead of ${before}`);
}

function noImage({ destination }: CopyWork, { artifactType, config, layers }: Manifest): DevboxError {
  // Of an image it is a layer that cannot be unpacked, and that says why.
  if (artifactType === undefined && isImage({ config, layers: [] })) {
    for (const { mediaType } of layers) layerFormat(mediaType);
  }
  return new DevboxError("UNSUPPORTED_MEDIA_TYPE", {
    step: `copy to ${destination.label}`,
    because: `it is no image but of type ${artifactType ?? config.mediaType}, and docker's archives hold images only`,
    hint: "copy it to oci-archive:FILE or oci:DIR",
  });
}
