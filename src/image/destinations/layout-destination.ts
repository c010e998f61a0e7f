/**
 * An OCI image layout in a directory as a destination (image-spec image-layout.md): made, or added to. What is there stays;
 * a name moves to the new image. Blobs get their names when they are whole, `index.json` is replaced at last, so readers
 * and a process that dies never see a half image.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import type { Context } from "../../core/context.ts";
import { DevboxError } from "../../core/errors.ts";
import type { Descriptor } from "../../oci/descriptor.ts";
import { digestAlgorithm, digestHex } from "../../oci/digest.ts";
import { parseIndex } from "../../oci/parse.ts";
import { syncDirectory } from "../../store/atomic-write.ts";
import { openBlobFiles } from "./blob-files.ts";
import type { ImageDestination } from "./destination.ts";
import { encodeIndex, indexEntries, layoutForm, layoutMarker, mergeEntries } from "./layout-index.ts";
import { attempt, lockPlace, writeWhole } from "./write-file.ts";

/**
 * @param directory absolute
 * @throws DevboxError COPY_FAILED where it cannot be written; USAGE where something else is in the directory
 */
export async function openLayoutDestination(
  context: Context,
  directory: string,
  label: string,
): Promise<ImageDestination> {
  const isNew = makeDirectory(directory, label);
  const blobs = openBlobFiles(label, (digest) => join(directory, "blobs", digestAlgorithm(digest), digestHex(digest)));
  let entries: readonly Descriptor[] = [];
  let isCommitted = false;
  if (isNew) {
    // First, so that what a killed process leaves is known for a layout, and added to.
    await writeWhole(join(directory, layoutMarker.path), layoutMarker.content);
    attempt(`write ${label}`, () => mkdirSync(join(directory, "blobs/sha256"), { recursive: true }));
  }
  return {
    label,
    form: { ...layoutForm, blobsAtOnce: 4 },
    ...blobs,
    async putManifest({ descriptor, bytes }, names) {
      await blobs.putWhole(descriptor, bytes);
      if (names !== undefined) entries = mergeEntries(entries, indexEntries(descriptor, names));
    },
    async commit() {
      using _lock = await lockPlace(context, join(directory, layoutMarker.path), label);
      const path = join(directory, "index.json");
      for (const algorithm of readdirSync(join(directory, "blobs"))) syncDirectory(join(directory, "blobs", algorithm));
      await writeWhole(path, encodeIndex(mergeEntries(readIndex(path, label), entries)));
      isCommitted = true;
    },
    async [Symbol.asyncDispose]() {
      // Of a layout that others may have added to, blobs stay that nothing names: they may count on them already.
      if (isNew && !isCommitted && !existsSync(join(directory, "index.json"))) {
        rmSync(directory, { recursive: true, force: true });
      }
    },
  };
}

/** @returns whether it is a new layout */
function makeDirectory(directory: string, label: string): boolean {
  const step = `write ${label}`;
  const found = attempt(step, () => statSync(directory, { throwIfNoEntry: false }));
  if (found?.isDirectory() === false) throw occupied(step, "there is a file of this name");
  if (existsSync(join(directory, layoutMarker.path))) return false;
  if (found !== undefined && readdirSync(directory).length > 0)
    throw occupied(step, "the directory has other things in it");
  attempt(step, () => mkdirSync(directory, { recursive: true }));
  return true;
}

function occupied(step: string, because: string): DevboxError {
  return new DevboxError("USAGE", { step, because, hint: "name a new directory, or an image layout to add to" });
}

/** Entries as they stand there, with members that devbox does not know. */
function readIndex(path: string, label: string): readonly Partial<Descriptor>[] {
  if (!existsSync(path)) return [];
  const bytes = attempt(`read ${path}`, () => readFileSync(path));
  parseIndex(bytes, undefined, `read index.json of ${label}`);
  return JSON.parse(bytes.toString()).manifests;
}
