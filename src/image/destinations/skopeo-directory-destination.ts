/**
 * One of skopeo's directories as a destination. It holds one image: of another one that was there, what the new one has not
 * is removed when the new one is whole.
 */
import { mkdirSync, readdirSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import type { Context } from "../../core/context.ts";
import { DevboxError } from "../../core/errors.ts";
import { syncDirectory } from "../../store/atomic-write.ts";
import { blobName, isSkopeoDirectory, manifestName, topName, versionFile } from "../sources/skopeo-directory.ts";
import { openBlobFiles } from "./blob-files.ts";
import type { ImageDestination, ManifestContent } from "./destination.ts";
import { attempt, lockPlace, writeWhole } from "./write-file.ts";

/**
 * @param directory absolute
 * @throws DevboxError COPY_FAILED where it cannot be written; USAGE where something else is in the directory
 */
export async function openSkopeoDirectoryDestination(
  context: Context,
  directory: string,
  label: string,
): Promise<ImageDestination> {
  const isNew = makeDirectory(directory, label);
  // First, so that what a killed process leaves is known for what it is, and copied over.
  if (isNew) await writeWhole(join(directory, versionFile.path), versionFile.content);
  // It holds one image: of two that were copied at once, the files of the one would be removed by the other.
  const lock = await lockPlace(context, join(directory, versionFile.path), label);
  const blobs = openBlobFiles(label, (digest) => join(directory, blobName(digest)));
  const kept = new Set<string>([versionFile.path, topName]);
  let top: ManifestContent | undefined;
  let isCommitted = false;
  return {
    label,
    form: {
      manifests: "any",
      layers: "any",
      packsPlainLayers: false,
      leavesForeignLayers: false,
      indexes: true,
      blobsAtOnce: 4,
    },
    sizeOf: blobs.sizeOf,
    putBlob(content, task) {
      kept.add(blobName(content.descriptor.digest));
      return blobs.putBlob(content, task);
    },
    async putManifest(content, names) {
      const { descriptor, bytes } = content;
      if (names !== undefined) top = content;
      else {
        kept.add(manifestName(descriptor.digest));
        await blobs.putWhole(descriptor, bytes, join(directory, manifestName(descriptor.digest)));
      }
    },
    async commit() {
      if (top === undefined)
        throw new DevboxError("INTERNAL", { step: `write ${label}`, because: "nothing was copied" });
      syncDirectory(directory);
      await writeWhole(join(directory, topName), top.bytes);
      isCommitted = true;
      if (!isNew) removeOthers(directory, kept);
    },
    async [Symbol.asyncDispose]() {
      if (isNew && !isCommitted) rmSync(directory, { recursive: true, force: true });
      lock[Symbol.dispose]();
    },
  };
}

/** @returns whether it is new */
function makeDirectory(directory: string, label: string): boolean {
  const step = `write ${label}`;
  const found = attempt(step, () => statSync(directory, { throwIfNoEntry: false }));
  if (found?.isDirectory() === true && isSkopeoDirectory(directory)) return false;
  if (found !== undefined && (!found.isDirectory() || readdirSync(directory).length > 0)) {
    const because = "something else is there: neither an empty directory nor one that skopeo copied to";
    throw new DevboxError("USAGE", { step, because, hint: "name a new directory" });
  }
  attempt(step, () => mkdirSync(directory, { recursive: true }));
  return true;
}

/** Blobs and manifests of the image that was there; files of any other name are not ours. */
function removeOthers(directory: string, kept: ReadonlySet<string>): void {
  for (const name of readdirSync(directory)) {
    if (/^(?:[0-9a-f]{64}|[0-9a-f]{128})(?:\.manifest\.json)?$/.test(name) && !kept.has(name)) {
      rmSync(join(directory, name), { force: true });
    }
  }
}
