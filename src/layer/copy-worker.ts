/**
 * `devbox __copy-worker REQUEST`: one side of a copy, or both, or the changes of a box (copy/request.ts). It runs where the files are: on this
 * machine as the caller, or as root of the user namespace of a box.
 */
import { constants, openSync, readSync, writeSync } from "node:fs";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { umask } from "../../ffi/libc.ts";
import { DevboxError, describeCause, errnoName } from "../core/errors.ts";
import { packChanges } from "./changes/archive.ts";
import { listChanges } from "./changes/list.ts";
import { sniffCompression } from "./compression.ts";
import { pack } from "./copy/pack.ts";
import type { Emit } from "./copy/pack-entry.ts";
import type { ChangesRequest, CopyReply, CopyRequest } from "./copy/request.ts";
import { createUnpacker } from "./copy/unpack.ts";
import { decompressors } from "./decompress.ts";
import { createNotes, type Notes } from "./notes.ts";
import type { TarReader } from "./tar/reader.ts";

/** Whether the copy succeeded or failed is in the reply alone. */
export async function runCopyWorker(text: string): Promise<void> {
  // The program starts with a JIT that is slow to compile, for those that end at once (scripts/build).
  Bun.unsafe.setJITPolicy(1);
  const request: CopyRequest = JSON.parse(text);
  // Modes are those of the archive.
  umask(0);
  writeAll(request.reply, Buffer.from(`${JSON.stringify(await serve(request))}\n`));
}

async function serve(request: CopyRequest): Promise<CopyReply> {
  const notes = createNotes();
  try {
    if (request.changes === undefined) await copy(request, notes);
    else writeChanges(request.changes, notes);
    return { kind: "done", notes: notes.lines() };
  } catch (error) {
    const isBrokenPipe = error === brokenPipe;
    if (error instanceof DevboxError) {
      const { code, step, because, hint } = error;
      // A layer is what the archive is none of.
      if (code.startsWith("LAYER_")) return { kind: "failed", code: "COPY_FAILED", step, because, isBrokenPipe };
      return { kind: "failed", code, step, because, hint, isBrokenPipe };
    }
    return { kind: "failed", code: "COPY_FAILED", step: "copy", because: describeCause(error), isBrokenPipe };
  }
}

async function copy({ from, to }: CopyRequest, notes: Notes): Promise<void> {
  const source = rootOf(from);
  const target = rootOf(to);
  const unpacker = to === undefined ? undefined : createUnpacker(target, to, notes);
  if (from === undefined) {
    if (unpacker === undefined) return;
    // A user's archive may be compressed; that of the other worker begins with a name, which could look like anything.
    if (to?.into === "inside") await unpackCompressed(unpacker);
    else for (const chunk of inputChunks()) unpacker.push(chunk);
    unpacker.finish();
    return;
  }
  if (unpacker !== undefined) {
    pack(source, from, notes, (chunk) => unpacker.push(chunk));
    unpacker.finish();
    return;
  }
  const output = createOutput();
  pack(source, from, notes, output.emit);
  output.flush();
}

function writeChanges(changes: ChangesRequest, notes: Notes): void {
  const output = createOutput();
  if (changes.as === "list") listChanges(changes, output.emit);
  else packChanges(changes, notes, output.emit);
  output.flush();
}

async function unpackCompressed(unpacker: TarReader): Promise<void> {
  const chunks = inputChunks();
  // A pipe may bring less than a magic number at once.
  const parts: Buffer[] = [];
  for (let length = 0; length < magicBytes; ) {
    const { value } = chunks.next();
    if (value === undefined) break;
    parts.push(Buffer.from(value));
    length += value.length;
  }
  const start = Buffer.concat(parts);
  const streams = decompressors(sniffCompression(start));
  if (streams.length === 0) {
    unpacker.push(start);
    for (const chunk of chunks) unpacker.push(chunk);
    return;
  }
  const whole = function* (): Generator<Buffer> {
    yield start;
    for (const chunk of chunks) yield Buffer.from(chunk);
  };
  const sink = async (unpacked: AsyncIterable<Buffer>): Promise<void> => {
    for await (const chunk of unpacked) unpacker.push(chunk);
  };
  await pipeline([Readable.from(whole()), ...streams, sink]);
}

/** As many as `sniffCompression` looks at. */
const magicBytes = 4;

function rootOf(place: { readonly root?: number } | undefined): number {
  return place?.root ?? openSync("/", constants.O_RDONLY | constants.O_DIRECTORY);
}

const chunkBytes = 256 * 1024;

function* inputChunks(): Generator<Buffer> {
  const buffer = Buffer.allocUnsafe(chunkBytes);
  for (;;) {
    const length = retried(() => readSync(0, buffer, 0, buffer.length, null));
    if (length === 0) return;
    yield buffer.subarray(0, length);
  }
}

const brokenPipe = new DevboxError("READER_GONE", { step: "write the archive" });

/** Headers are small: they are collected, and written together. */
function createOutput(): { readonly emit: Emit; readonly flush: () => void } {
  const buffer = Buffer.allocUnsafe(chunkBytes);
  let fill = 0;
  const flush = (): void => {
    writeArchive(buffer.subarray(0, fill));
    fill = 0;
  };
  return {
    flush,
    emit(chunk) {
      if (fill + chunk.length > buffer.length) flush();
      if (chunk.length >= buffer.length) writeArchive(chunk);
      else fill += chunk.copy(buffer, fill);
    },
  };
}

function writeArchive(bytes: Buffer): void {
  try {
    writeAll(1, bytes);
  } catch (error) {
    if (errnoName(error) === "EPIPE") throw brokenPipe;
    throw new DevboxError("COPY_FAILED", { step: "write the archive", cause: error });
  }
}

function writeAll(fd: number, bytes: Buffer): void {
  for (let rest = bytes; rest.length > 0; ) {
    const chunk = rest;
    rest = rest.subarray(retried(() => writeSync(fd, chunk)));
  }
}

/** The user's pipe may have been made non-blocking by others who hold it. */
function retried(call: () => number): number {
  for (;;) {
    try {
      return call();
    } catch (error) {
      if (errnoName(error) !== "EAGAIN") throw error;
      Bun.sleepSync(1);
    }
  }
}
