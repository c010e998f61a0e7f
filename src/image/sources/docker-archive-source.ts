/**
 * What `docker save` writes as a source: `manifest.json` names a config and layers, plain or compressed tar files. There is
 * no OCI manifest, so one is made; the digest of a plain layer is its diffID, which the config tells, others are computed.
 */
import { DevboxError } from "../../core/errors.ts";
import { sniffCompression } from "../../layer/compression.ts";
import { type Descriptor, type Digest, mediaTypes } from "../../oci/descriptor.ts";
import { digestOf, sha256Digest } from "../../oci/digest.ts";
import type { Manifest } from "../../oci/image.ts";
import { type JsonPlace, member, optional, parseJson, readArray, readString, readStrings } from "../../oci/json.ts";
import { MAX_MANIFEST_BYTES } from "../../oci/parse.ts";
import { MAX_CONFIG_BYTES, parseImageConfig } from "../../oci/parse-config.ts";
import { formatReference, referenceOrNothing } from "../../oci/reference.ts";
import type { FileTree } from "./file-tree.ts";
import { requireFile } from "./read-file.ts";
import type { ImageSource } from "./source.ts";

/** An item of `manifest.json` (docker image save, moby image/tarexport). */
export interface SavedItem {
  readonly config: string;
  readonly repoTags: readonly string[];
  /** Base first. */
  readonly layers: readonly string[];
}

interface TranslatedImage {
  readonly descriptor: Descriptor;
  readonly manifestBytes: Uint8Array;
  readonly configBytes: Uint8Array;
  /** Where the content of a digest lies. */
  readonly files: ReadonlyMap<Digest, string>;
}

/** @param name `repository:tag` of the image in the archive; undefined: the only one */
export function openDockerArchiveSource(tree: FileTree, name: string | undefined): ImageSource {
  return openSaved(tree, async () => chooseSaved(await readSavedItems(tree), name, tree));
}

/** One image of an archive. Disposing disposes the tree. */
export function openSavedItem(tree: FileTree, item: SavedItem): ImageSource {
  return openSaved(tree, async () => item);
}

function openSaved(tree: FileTree, choose: () => Promise<SavedItem>): ImageSource {
  let translated: Promise<TranslatedImage> | undefined;
  const image = (): Promise<TranslatedImage> => {
    translated ??= choose().then((item) => translate(tree, item));
    return translated;
  };
  return {
    resolve: async () => (await image()).descriptor,
    fetchManifest: async () => {
      const { descriptor, manifestBytes } = await image();
      return { descriptor, bytes: manifestBytes };
    },
    fetchSmallBlob: async () => (await image()).configBytes,
    fetchBlob: async ({ digest }, { offset }) => {
      const file = (await image()).files.get(digest);
      if (file !== undefined) return { stream: tree.stream(file, offset), offset };
      throw new DevboxError("INTERNAL", {
        step: `read ${digest} of ${tree.label}`,
        because: "no file has this digest",
      });
    },
    [Symbol.asyncDispose]: async () => tree[Symbol.dispose](),
  };
}

async function translate(tree: FileTree, saved: SavedItem): Promise<TranslatedImage> {
  const configBytes = await requireFile(tree, saved.config, MAX_CONFIG_BYTES);
  const diffIds = parseImageConfig(configBytes).rootfs.diff_ids;
  const files = new Map<Digest, string>();
  const layers: Descriptor[] = [];
  for (const [index, file] of saved.layers.entries()) {
    const layer = await describeLayer(tree, file, diffIds[index]);
    files.set(layer.digest, file);
    layers.push(layer);
  }
  const config = { mediaType: mediaTypes.ociConfig, digest: digestOf(configBytes), size: configBytes.byteLength };
  const manifest: Manifest = { schemaVersion: 2, mediaType: mediaTypes.ociManifest, config, layers };
  const manifestBytes = new TextEncoder().encode(JSON.stringify(manifest));
  const descriptor = {
    mediaType: mediaTypes.ociManifest,
    digest: digestOf(manifestBytes),
    size: manifestBytes.byteLength,
  };
  return { descriptor, manifestBytes, configBytes, files };
}

const layerTypes = {
  none: mediaTypes.ociLayer,
  gzip: mediaTypes.ociLayerGzip,
  zstd: mediaTypes.ociLayerZstd,
} as const;

async function describeLayer(tree: FileTree, file: string, diffId: Digest | undefined): Promise<Descriptor> {
  const size = tree.sizeOf(file);
  if (size === undefined) {
    throw new DevboxError("BAD_MANIFEST", { step: `read ${file} of ${tree.label}`, because: "there is no such file" });
  }
  const compression = sniffCompression(await firstBytes(tree, file));
  const digest = compression === "none" && diffId !== undefined ? diffId : await hashFile(tree, file);
  return { mediaType: layerTypes[compression], digest, size };
}

async function firstBytes(tree: FileTree, file: string): Promise<Uint8Array> {
  for await (const chunk of tree.stream(file, 0)) return chunk.subarray(0, 4);
  return new Uint8Array();
}

async function hashFile(tree: FileTree, file: string): Promise<Digest> {
  const hasher = new Bun.CryptoHasher("sha256");
  for await (const chunk of tree.stream(file, 0)) hasher.update(chunk);
  return sha256Digest(hasher.digest("hex"));
}

/** All images of the archive. @throws DevboxError BAD_MANIFEST when it has no such list, or an unreadable one */
export async function readSavedItems(tree: FileTree): Promise<readonly SavedItem[]> {
  const bytes = await requireFile(tree, "manifest.json", MAX_MANIFEST_BYTES, hintOf(tree));
  const document = { code: "BAD_MANIFEST", step: `read manifest.json of ${tree.label}` } as const;
  return readArray(parseJson(bytes, document, MAX_MANIFEST_BYTES), readItem);
}

function hintOf(tree: FileTree): string | undefined {
  if (tree.sizeOf("index.json") !== undefined) return "it is an OCI image layout: use oci-archive:FILE";
  // Moby image/tarexport: `manifest.json` came with content addresses, in docker 1.10.
  return tree.sizeOf("repositories") === undefined
    ? undefined
    : "it was made before docker 1.10 (2016): load it into a docker of that time or the next years, and save it again";
}

function readItem(place: JsonPlace): SavedItem {
  return {
    config: readString(member(place, "Config")),
    repoTags: optional(place, "RepoTags", readStrings).RepoTags ?? [],
    layers: optional(place, "Layers", readStrings).Layers ?? [],
  };
}

function chooseSaved(images: readonly SavedItem[], name: string | undefined, tree: FileTree): SavedItem {
  const wanted = name === undefined ? undefined : canonical(name);
  const found = images.filter(
    ({ repoTags }) => wanted === undefined || repoTags.some((tag) => canonical(tag) === wanted),
  );
  const [only] = found;
  if (only !== undefined && found.length === 1) return only;
  const because = only === undefined ? "no image has this name" : `${found.length} images are there`;
  throw new DevboxError("IMAGE_NOT_FOUND", {
    step: `find ${name === undefined ? "the image" : JSON.stringify(name)} in ${tree.label}`,
    because: `${because}; names: ${images.flatMap(({ repoTags }) => repoTags).join(", ") || "none"}`,
    hint: "name the image after a colon: docker-archive:FILE:NAME:TAG",
  });
}

/** `debian:12` and `docker.io/library/debian:12` are one name. */
function canonical(name: string): string {
  const reference = referenceOrNothing(name);
  return reference === undefined ? name : formatReference(reference);
}
