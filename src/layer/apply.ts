/**
 * Apply one layer: file → decompress → sha256 (the diffID) → tar → files below the target directory.
 *
 * The process must be root in a user namespace of its own. It is chrooted into the target while entries are made, so nothing
 * that an archive says can reach outside; the caller's root is restored whatever happens. Nothing else may use paths meanwhile.
 * What a failed layer leaves behind is the caller's to remove.
 */
import { closeSync, constants, openSync } from "node:fs";
import { pipeline } from "node:stream/promises";
import { chroot, fchdir } from "../../ffi/libc.ts";
import { DevboxError } from "../core/errors.ts";
import type { Digest } from "../oci/descriptor.ts";
import { type Gate, readBlob } from "./blob-source.ts";
import { decompressors } from "./decompress.ts";
import { inEntry } from "./failure.ts";
import { maxEntries, uncompressedLimit } from "./limits.ts";
import { createNotes } from "./notes.ts";
import type { Pending, WorkerRequest } from "./protocol.ts";
import type { TarEntry } from "./tar/entry.ts";
import { createTarReader } from "./tar/reader.ts";
import type { TarSink } from "./tar/state.ts";
import { createLayerTree } from "./tree/directory.ts";
import { finishTree, prepareRoot } from "./tree/finish.ts";
import { createTreeWriter } from "./tree/writer.ts";

export type ApplyRequest = Extract<WorkerRequest, { readonly kind: "apply" }>;

export interface AppliedLayer {
  readonly diffId: Digest;
  readonly entries: number;
  /** Of the uncompressed archive. */
  readonly bytes: number;
  readonly pending: Pending;
  readonly notes: readonly string[];
}

/** `realRoot`: descriptor of the root to come back to. Throws DevboxError naming the layer and, where there is one, the entry. */
export async function applyLayer(request: ApplyRequest, gate: Gate, realRoot: number): Promise<AppliedLayer> {
  let blob: number | undefined;
  try {
    blob = openSync(request.blob, constants.O_RDONLY);
    chroot(request.target);
    process.chdir("/");
    return await unpack(request, blob, gate);
  } finally {
    fchdir(realRoot);
    chroot(".");
    if (blob !== undefined) closeSync(blob);
  }
}

async function unpack(request: ApplyRequest, blob: number, gate: Gate): Promise<AppliedLayer> {
  prepareRoot();
  const tree = createLayerTree();
  const notes = createNotes();
  const writer = createTreeWriter(tree, notes);
  const counter = countEntries(writer);
  const reader = createTarReader(counter.sink);
  try {
    const stream = await readStream(request, blob, gate, (chunk) => reader.push(chunk));
    reader.finish();
    checkDiffId(request.diffId, stream.diffId);
    return { ...stream, entries: counter.count(), pending: finishTree(tree, notes), notes: notes.lines() };
  } finally {
    writer.abandon();
  }
}

/** Collect garbage after so many bytes: chunks are freed late otherwise, and the process grows by 15 MB for nothing. */
const collectEvery = 32 * 1024 * 1024;

/** Decompress and hash the whole blob, also what follows the archive's end: the diffID is of all of it. */
async function readStream(
  request: ApplyRequest,
  blob: number,
  gate: Gate,
  onChunk: (chunk: Buffer) => void,
): Promise<{ readonly diffId: Digest; readonly bytes: number }> {
  const hash = new Bun.CryptoHasher("sha256");
  const { sizeBytes, maxBytes } = request;
  // Of what is made here, nothing is known yet but that it is no stranger's.
  const limit = sizeBytes === undefined ? maxBytes : uncompressedLimit(sizeBytes, maxBytes);
  let bytes = 0;
  let collected = 0;
  const source = readBlob(blob, sizeBytes, gate);
  await pipeline(source, ...decompressors(request.compression), async (chunks: AsyncIterable<Buffer>) => {
    for await (const chunk of chunks) {
      bytes += chunk.length;
      if (bytes > limit) throw tooLarge(`it unpacks to more than ${limit} bytes, from ${sizeBytes}`);
      hash.update(chunk);
      onChunk(chunk);
      if (bytes - collected < collectEvery) continue;
      collected = bytes;
      Bun.gc(true);
    }
  });
  return { diffId: `sha256:${hash.digest("hex")}`, bytes };
}

function checkDiffId(expected: Digest | undefined, actual: Digest): void {
  if (expected === undefined || expected === actual) return;
  const because = `the uncompressed archive is ${actual}, the image says ${expected}`;
  throw new DevboxError("DIGEST_MISMATCH", { step: "verify the diffID", because });
}

function tooLarge(because: string): DevboxError {
  return new DevboxError("LAYER_TOO_LARGE", { step: "unpack", because });
}

/** The writer behind a sink that counts entries and names the one that fails. */
function countEntries(writer: TarSink): { readonly sink: TarSink; count(): number } {
  let count = 0;
  let current: TarEntry | undefined;
  const sink: TarSink = {
    begin: (entry) => {
      current = entry;
      if (++count > maxEntries) throw tooLarge(`it has more than ${maxEntries} entries`);
      inEntry(entry, () => writer.begin(entry));
    },
    data: (chunk, start, end) => inEntry(current, () => writer.data(chunk, start, end)),
    end: () => inEntry(current, () => writer.end()),
  };
  return { sink, count: () => count };
}
