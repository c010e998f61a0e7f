/** Archives as destinations: one tar file or stream of several images. Layers that they share are in it once. */
import { once } from "../../core/streams.ts";
import type { Descriptor, Digest } from "../../oci/descriptor.ts";
import { digestAlgorithm, digestHex, shortDigest } from "../../oci/digest.ts";
import { counted, verified } from "../copy/verified.ts";
import type { ImageDestination } from "./destination.ts";
import { describeSaved, encodeSaved, type SavedImage, savedName } from "./docker-archive-manifest.ts";
import { encodeIndex, indexEntries, layoutForm, layoutMarker, mergeEntries } from "./layout-index.ts";
import { type ArchiveOutput, openTarOutput, type TarOutput } from "./tar-output.ts";

export type { ArchiveOutput } from "./tar-output.ts";
export type ArchiveKind = "oci-archive" | "docker-archive";

/**
 * An existing file is replaced, at `commit`.
 * @param label for error texts
 * @throws DevboxError COPY_FAILED where it cannot be written
 */
export function openArchiveDestination(kind: ArchiveKind, output: ArchiveOutput, label: string): ImageDestination {
  const tar = openTarOutput(output, label);
  return kind === "oci-archive" ? layoutArchive(tar, label) : dockerArchive(tar, label);
}

/** An image layout, as a tar (containers-transports(5) "oci-archive"). */
function layoutArchive(tar: TarOutput, label: string): ImageDestination {
  const members = openMembers(tar, label);
  let entries: readonly Descriptor[] = [];
  const begin = async (): Promise<void> => {
    if (members.isEmpty()) {
      await members.put(layoutMarker.path, layoutMarker.content);
      for (const directory of ["blobs", "blobs/sha256"]) await tar.directory(directory);
    }
  };
  return {
    label,
    form: { ...layoutForm, blobsAtOnce: 1 },
    sizeOf: members.sizeOf,
    async putBlob({ descriptor, open }, task) {
      await begin();
      return await members.putBlob(blobPath(descriptor), descriptor, async () =>
        counted((await open(0)).stream, task.update),
      );
    },
    async putManifest({ descriptor, bytes }, names) {
      await begin();
      await members.putBlob(blobPath(descriptor), descriptor, () => once(bytes));
      if (names !== undefined) entries = mergeEntries(entries, indexEntries(descriptor, names));
    },
    async commit() {
      await begin();
      await members.put("index.json", encodeIndex(entries));
      await tar.finish();
    },
    [Symbol.asyncDispose]: () => tar[Symbol.asyncDispose](),
  };
}

function blobPath({ digest }: Descriptor): string {
  return `blobs/${digestAlgorithm(digest)}/${digestHex(digest)}`;
}

/** What `docker save` and skopeo write: plain layers under their diffIDs, the configs, and a list of what belongs together. */
function dockerArchive(tar: TarOutput, label: string): ImageDestination {
  const members = openMembers(tar, label);
  let saved: readonly SavedImage[] = [];
  return {
    label,
    form: {
      manifests: "any",
      layers: "plain",
      packsPlainLayers: false,
      leavesForeignLayers: false,
      indexes: false,
      blobsAtOnce: 1,
    },
    sizeOf: members.sizeOf,
    putBlob: ({ descriptor, open }, task) =>
      members.putBlob(savedName(descriptor), descriptor, async () => counted((await open(0)).stream, task.update)),
    async putManifest({ descriptor, bytes }, names) {
      saved = describeSaved(saved, descriptor, bytes, names ?? [], label);
    },
    async commit() {
      await members.put("manifest.json", encodeSaved(saved));
      await tar.finish();
    },
    [Symbol.asyncDispose]: () => tar[Symbol.asyncDispose](),
  };
}

interface Members {
  isEmpty(): boolean;
  sizeOf(digest: Digest): number | undefined;
  /** Once, verified on the way. */
  putBlob(
    path: string,
    descriptor: Descriptor,
    open: () => Promise<AsyncIterable<Uint8Array>> | AsyncIterable<Uint8Array>,
  ): Promise<"copied" | "there">;
  put(path: string, content: string): Promise<void>;
}

function openMembers(tar: TarOutput, label: string): Members {
  const sizes = new Map<Digest, number>();
  let isEmpty = true;
  return {
    isEmpty: () => isEmpty,
    sizeOf: (digest) => sizes.get(digest),
    async putBlob(path, descriptor, open) {
      if (sizes.has(descriptor.digest)) return "there";
      isEmpty = false;
      const step = `copy blob ${shortDigest(descriptor.digest)} to ${label}`;
      await tar.file(path, descriptor.size, verified(await open(), descriptor, step));
      sizes.set(descriptor.digest, descriptor.size);
      return "copied";
    },
    async put(path, content) {
      isEmpty = false;
      const bytes = Buffer.from(content);
      await tar.file(path, bytes.byteLength, once(bytes));
    },
  };
}
