/**
 * Manifests made anew: between docker's schema 2 and OCI's (image-spec media-types.md "Compatibility Matrix": they differ in
 * media types and in that docker's have no annotations), and with other layers. Configs have one form under two names.
 */
import { DevboxError } from "../core/errors.ts";
import { type Descriptor, mediaTypes } from "./descriptor.ts";
import type { Index, Manifest } from "./image.ts";
import { checkConfigMediaType, layerFormat } from "./media-type.ts";

export type ManifestForm = "oci" | "docker";
type LayerCompression = "none" | "gzip" | "zstd";

const layerTypes: Readonly<Record<ManifestForm, Readonly<Record<LayerCompression, string>>>> = {
  oci: { none: mediaTypes.ociLayer, gzip: mediaTypes.ociLayerGzip, zstd: mediaTypes.ociLayerZstd },
  docker: { none: mediaTypes.dockerLayer, gzip: mediaTypes.dockerLayerGzip, zstd: mediaTypes.dockerLayerZstd },
};

const ociForeignTypes: Readonly<Record<LayerCompression, string>> = {
  none: mediaTypes.ociForeignLayer,
  gzip: mediaTypes.ociForeignLayerGzip,
  zstd: mediaTypes.ociForeignLayerZstd,
};

/** Which of the two a manifest or index is. */
export function formOf(mediaType: string): ManifestForm {
  const isDocker = mediaType === mediaTypes.dockerManifest || mediaType === mediaTypes.dockerManifestList;
  return isDocker ? "docker" : "oci";
}

/** Whether it is an image, that is, one that devbox can change: of known config and layers. */
export function isImage({ config, layers }: Pick<Manifest, "config" | "layers">): boolean {
  try {
    checkConfigMediaType(config.mediaType);
    for (const { mediaType } of layers) layerFormat(mediaType);
    return true;
  } catch {
    return false;
  }
}

/** The media type of a layer that is packed so. */
export function layerMediaType(form: ManifestForm, compression: LayerCompression): string {
  return layerTypes[form][compression];
}

/**
 * The same image in the other form; to docker's, what that has no place for is left out: annotations, a subject.
 * @throws DevboxError as `layerTypeIn`
 */
export function convertManifest(manifest: Manifest, form: ManifestForm): Manifest {
  if (formOf(manifest.mediaType) === form) return manifest;
  const { config, layers } = manifest;
  if (form === "docker") {
    return {
      schemaVersion: 2,
      mediaType: mediaTypes.dockerManifest,
      config: plainDescriptor(config, mediaTypes.dockerConfig),
      layers: layers.map((layer) => plainDescriptor(layer, layerTypeIn(form, layer.mediaType))),
    };
  }
  return {
    ...manifest,
    mediaType: mediaTypes.ociManifest,
    config: { ...config, mediaType: mediaTypes.ociConfig },
    layers: layers.map((layer) => ({ ...layer, mediaType: layerTypeIn(form, layer.mediaType) })),
  };
}

function plainDescriptor({ digest, size, urls }: Descriptor, mediaType: string): Descriptor {
  return { mediaType, size, digest, ...(urls === undefined ? {} : { urls }) };
}

/**
 * What a layer of this type is called in a form.
 * @throws DevboxError UNSUPPORTED_MEDIA_TYPE docker knows neither layers packed with zstd nor other foreign layers than gzip
 */
export function layerTypeIn(form: ManifestForm, mediaType: string): string {
  const { compression, foreign } = layerFormat(mediaType);
  if (form === "oci") return foreign ? ociForeignTypes[compression] : layerTypes.oci[compression];
  if (compression === "gzip" && foreign) return mediaTypes.dockerForeignLayerGzip;
  if (compression !== "zstd" && !foreign) return layerTypes.docker[compression];
  throw new DevboxError("UNSUPPORTED_MEDIA_TYPE", {
    step: "make a docker manifest",
    because: `it cannot name a layer of type ${mediaType}`,
    hint: "pack the layers with gzip: --compression gzip",
  });
}

/** An index in the other form, for manifests that are listed anew; docker's has no annotations, of its entries either. */
export function convertIndex(index: Index, form: ManifestForm, manifests: readonly Descriptor[]): Index {
  if (formOf(index.mediaType) === form) return { ...index, manifests };
  if (form === "oci") return { ...index, mediaType: mediaTypes.ociIndex, manifests };
  const entries = manifests.map((entry) => ({
    ...plainDescriptor(entry, entry.mediaType),
    ...(entry.platform === undefined ? {} : { platform: entry.platform }),
  }));
  return { schemaVersion: 2, mediaType: mediaTypes.dockerManifestList, manifests: entries };
}

/**
 * Annotations that describe the bytes of a blob, not what is in it: tables of contents for reading parts of it. Those of
 * zstd:chunked had a shorter name at first (containers/storage pkg/chunked).
 */
const ofBytes = /^(?:io\.(?:github\.)?containers\.zstd-chunked\.|containerd\.io\/snapshot\/(?:stargz|nydus))/;

/** The descriptor of a layer that is packed otherwise. */
export function repackedLayer(
  layer: Descriptor,
  form: ManifestForm,
  compression: LayerCompression,
  blob: Pick<Descriptor, "digest" | "size">,
): Descriptor {
  const annotations = Object.entries(layer.annotations ?? {}).filter(([key]) => !ofBytes.test(key));
  return {
    mediaType: layerMediaType(form, compression),
    digest: blob.digest,
    size: blob.size,
    ...(annotations.length === 0 ? {} : { annotations: Object.fromEntries(annotations) }),
  };
}

/** The bytes of a manifest or index that is made here: equal ones for equal values. */
export function encodeManifest(document: Manifest | Index): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(document));
}
