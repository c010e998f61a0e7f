/** Blobs of a destination as files under names that their digests give them: whole, or not there. */

import { mkdirSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { once } from "../../core/streams.ts";
import type { Descriptor, Digest } from "../../oci/descriptor.ts";
import { shortDigest } from "../../oci/digest.ts";
import { counted, verified } from "../copy/verified.ts";
import type { ImageDestination } from "./destination.ts";
import { attempt, createFile, writeAll } from "./write-file.ts";

export interface BlobFiles extends Pick<ImageDestination, "sizeOf" | "putBlob"> {
  /** What is in memory. */
  putWhole(descriptor: Descriptor, bytes: Uint8Array, path?: string): Promise<void>;
}

/** @param pathOf absolute; its directory is made */
export function openBlobFiles(label: string, pathOf: (digest: Digest) => string): BlobFiles {
  const sizeOf = (path: string): number | undefined => statSync(path, { throwIfNoEntry: false })?.size;
  const put = async (descriptor: Descriptor, chunks: AsyncIterable<Uint8Array>, path: string): Promise<void> => {
    const step = `copy blob ${shortDigest(descriptor.digest)} to ${label}`;
    attempt(step, () => mkdirSync(dirname(path), { recursive: true }));
    await using file = createFile(path);
    for await (const chunk of verified(chunks, descriptor, step)) await writeAll(file.fd, chunk, step);
    await file.commit();
  };
  return {
    sizeOf: (digest) => sizeOf(pathOf(digest)),
    async putBlob({ descriptor, open }, task) {
      const path = pathOf(descriptor.digest);
      if (sizeOf(path) === descriptor.size) return "there";
      await put(descriptor, counted((await open(0)).stream, task.update), path);
      return "copied";
    },
    async putWhole(descriptor, bytes, path = pathOf(descriptor.digest)) {
      if (sizeOf(path) !== descriptor.size) await put(descriptor, once(bytes), path);
    },
  };
}
