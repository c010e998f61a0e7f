/** Blobs, manifests and whole images in memory: what a test registry serves, what a test layout is written from. */
import { type Descriptor, type Digest, mediaTypes } from "../../src/oci/descriptor.ts";
import { digestOf } from "../../src/oci/digest.ts";
import type { ImageExecution, Manifest } from "../../src/oci/image.ts";

export interface ShelfLayer {
  /** An uncompressed tar. */
  readonly tar: Uint8Array;
  readonly compression: "none" | "gzip" | "zstd";
}

export interface ShelfImage {
  /** Base first. */
  readonly layers: readonly ShelfLayer[];
  readonly config?: ImageExecution;
  /** linux/amd64 unless given. */
  readonly architecture?: string;
}

export interface StoredManifest {
  readonly descriptor: Descriptor;
  readonly bytes: Uint8Array;
}

export interface ImageShelf {
  addBlob(bytes: Uint8Array, mediaType?: string): Descriptor;
  /** `document`: an object, or bytes as they are to be served. */
  addManifest(repository: string, tag: string, document: object | Uint8Array, mediaType?: string): Descriptor;
  /** Compresses the layers, makes config and manifest. Answers the manifest's descriptor and content. */
  addImage(repository: string, tag: string, image: ShelfImage): { descriptor: Descriptor; manifest: Manifest };
  findBlob(digest: string): Uint8Array | undefined;
  findManifest(repository: string, reference: string): StoredManifest | undefined;
}

const layerTypes = {
  none: mediaTypes.ociLayer,
  gzip: mediaTypes.ociLayerGzip,
  zstd: mediaTypes.ociLayerZstd,
} as const;

export function createImageShelf(): ImageShelf {
  const blobs = new Map<string, Uint8Array>();
  const manifests = new Map<string, StoredManifest>();
  const addBlob = (bytes: Uint8Array, mediaType = "application/octet-stream"): Descriptor => {
    const digest = digestOf(bytes);
    blobs.set(digest, bytes);
    return { mediaType, digest, size: bytes.byteLength };
  };
  const addManifest = (
    repository: string,
    tag: string,
    document: object | Uint8Array,
    mediaType: string = mediaTypes.ociManifest,
  ): Descriptor => {
    const bytes = document instanceof Uint8Array ? document : encodeJson(document);
    const descriptor = { mediaType, digest: digestOf(bytes), size: bytes.byteLength };
    for (const reference of [tag, descriptor.digest])
      manifests.set(`${repository} ${reference}`, { descriptor, bytes });
    return descriptor;
  };
  const addImage = (repository: string, tag: string, image: ShelfImage) => {
    const layers = image.layers.map((layer) => addBlob(compress(layer), layerTypes[layer.compression]));
    const config = addBlob(encodeJson(describeImage(image)), mediaTypes.ociConfig);
    const manifest: Manifest = { schemaVersion: 2, mediaType: mediaTypes.ociManifest, config, layers };
    return { descriptor: addManifest(repository, tag, manifest), manifest };
  };
  return {
    addBlob,
    addManifest,
    addImage,
    findBlob: (digest) => blobs.get(digest),
    findManifest: (repository, reference) => manifests.get(`${repository} ${reference}`),
  };
}

function compress({ tar, compression }: ShelfLayer): Uint8Array {
  if (compression === "none") return tar;
  return compression === "gzip" ? Bun.gzipSync(new Uint8Array(tar)) : Bun.zstdCompressSync(tar);
}

function describeImage(image: ShelfImage): object {
  const diffIds: Digest[] = image.layers.map(({ tar }) => digestOf(tar));
  return {
    os: "linux",
    architecture: image.architecture ?? "amd64",
    config: image.config ?? {},
    rootfs: { type: "layers", diff_ids: diffIds },
  };
}

function encodeJson(document: object): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(document));
}
