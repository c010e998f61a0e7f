/** An image that is made here: config and manifest of a base, a new layer and changes, stored and named. */
import type { Context } from "../../core/context.ts";
import { DevboxError } from "../../core/errors.ts";
import { type Descriptor, type Digest, mediaTypes, type Platform } from "../../oci/descriptor.ts";
import { digestOf } from "../../oci/digest.ts";
import type { ImageConfig, ImageExecution, ImageHistory, Manifest } from "../../oci/image.ts";
import { layerFormat } from "../../oci/media-type.ts";
import { formatReference, type RegistryReference } from "../../oci/reference.ts";
import { syncDirectory } from "../../store/atomic-write.ts";
import { putBlob, syncBlobs } from "../../store/blobs.ts";
import { hasBlob } from "../../store/images.ts";
import { editEntries, withNamed } from "../../store/index-file.ts";
import { takeLease } from "../../store/leases.ts";
import type { Store, StoredImage } from "../../store/types.ts";
import type { NewLayer } from "./new-layer.ts";

export interface ImageRequest {
  /** The image that it goes on from; undefined: from nothing. */
  readonly base: Pick<StoredImage, "manifest" | "config"> | undefined;
  /** On top of the base's; undefined: nothing has changed. */
  readonly layer: Pick<NewLayer, "descriptor" | "diffId"> | undefined;
  /** How boxes of it run, wholly: what is left out here is not taken from the base. */
  readonly execution: ImageExecution;
  /** What it is made for. */
  readonly platform: Platform;
  /** When it is made: `creationTime`. */
  readonly created: Date;
  readonly author?: string;
  /** What stands in the history for this step; `empty_layer` and `created` are filled in. */
  readonly history: Pick<ImageHistory, "created_by" | "comment">;
  /** Of the manifest. */
  readonly annotations?: Readonly<Record<string, string>>;
  /** undefined: it stays nameless. */
  readonly name: RegistryReference | undefined;
}

export interface MadeImage {
  /** Digest of the config: docker's image id. */
  readonly id: Digest;
  readonly manifestDescriptor: Descriptor;
}

/**
 * Equal requests give equal bytes, on every machine.
 * @throws DevboxError IMAGE_NOT_FOUND when a blob of the base is not in the store; STORE_FULL, STORE_UNUSABLE
 */
export async function makeImage(context: Context, store: Store, request: ImageRequest): Promise<MadeImage> {
  const configBytes = encode(makeConfig(request));
  const config = { mediaType: mediaTypes.ociConfig, digest: digestOf(configBytes), size: configBytes.byteLength };
  const manifest = makeManifest(request, config);
  const manifestBytes = encode(manifest);
  const manifestDescriptor: Descriptor = {
    mediaType: mediaTypes.ociManifest,
    digest: digestOf(manifestBytes),
    size: manifestBytes.byteLength,
  };
  const blobs = [manifestDescriptor, config, ...manifest.layers].map(({ digest }) => digest);
  using _lease = await takeLease(context, store, { blobs, chainIds: [] });
  requireBlobs(store, manifest.layers);
  putBlob(store, config.digest, configBytes);
  putBlob(store, manifestDescriptor.digest, manifestBytes);
  syncBlobs(store);
  syncDirectory(store.layers);
  const name = request.name === undefined ? undefined : formatReference(request.name);
  const entry = { name, topDigest: manifestDescriptor.digest, descriptor: manifestDescriptor };
  await editEntries(context, store, (entries) => withNamed(entries, entry));
  return { id: config.digest, manifestDescriptor };
}

function makeConfig({ base, layer, execution, platform, created, author, history }: ImageRequest): ImageConfig {
  const step: ImageHistory = {
    created: created.toISOString(),
    ...(author === undefined ? {} : { author }),
    ...history,
    ...(layer === undefined ? { empty_layer: true } : {}),
  };
  return {
    created: created.toISOString(),
    ...(author === undefined ? {} : { author }),
    ...platform,
    ...(Object.keys(execution).length === 0 ? {} : { config: execution }),
    rootfs: {
      type: "layers",
      diff_ids: [...(base?.config.rootfs.diff_ids ?? []), ...(layer === undefined ? [] : [layer.diffId])],
    },
    history: [...(base === undefined ? [] : wholeHistory(base.config)), step],
  };
}

/** An entry for each layer, since docker pairs the two; images need not have any (image-spec config.md "history"). */
function wholeHistory({ history = [], rootfs }: ImageConfig): readonly ImageHistory[] {
  const told = history.filter(({ empty_layer }) => empty_layer !== true).length;
  const missing = Math.max(0, rootfs.diff_ids.length - told);
  return [...Array.from({ length: missing }, (): ImageHistory => ({})), ...history];
}

function makeManifest({ base, layer, annotations }: ImageRequest, config: Descriptor): Manifest {
  return {
    schemaVersion: 2,
    mediaType: mediaTypes.ociManifest,
    config,
    layers: [...(base?.manifest.layers ?? []).map(toOci), ...(layer === undefined ? [] : [layer.descriptor])],
    ...(annotations === undefined || Object.keys(annotations).length === 0 ? {} : { annotations }),
  };
}

const ociTypes = {
  none: [mediaTypes.ociLayer, mediaTypes.ociForeignLayer],
  gzip: [mediaTypes.ociLayerGzip, mediaTypes.ociForeignLayerGzip],
  zstd: [mediaTypes.ociLayerZstd, mediaTypes.ociForeignLayerZstd],
} as const;

/** An OCI manifest names no types of docker's (image-spec media-types.md "Compatibility Matrix": the content is the same). */
function toOci(layer: Descriptor): Descriptor {
  const { compression, foreign } = layerFormat(layer.mediaType);
  const [own, others] = ociTypes[compression];
  return { ...layer, mediaType: foreign ? others : own };
}

function requireBlobs(store: Store, layers: readonly Descriptor[]): void {
  const missing = layers.find((layer) => !hasBlob(store, layer));
  if (missing === undefined) return;
  throw new DevboxError("IMAGE_NOT_FOUND", {
    step: "make an image",
    because: `the blob ${missing.digest} of a layer below is not in the store`,
    hint: "pull the image that it goes on from again",
  });
}

/** Members of all maps sorted: docker's Go does so, and what the order was in says nothing. */
function encode(document: ImageConfig | Manifest): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(document, sortMaps));
}

const maps: ReadonlySet<string> = new Set(["annotations", "ExposedPorts", "Volumes", "Labels"]);

function sortMaps(key: string, value: unknown): unknown {
  if (!maps.has(key) || typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)));
}
