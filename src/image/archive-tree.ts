/** A tar file as a file tree; a compressed one is unpacked into the store first, since members are read out of order. */
import { closeSync, openSync, readSync, statSync, writeSync } from "node:fs";
import { join } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { Context } from "../core/context.ts";
import { DevboxError, errnoName } from "../core/errors.ts";
import { sniffCompression } from "../layer/compression.ts";
import { decompressors } from "../layer/decompress.ts";
import type { Compression } from "../layer/protocol.ts";
import { randomHex, removeQuietly, storeError } from "../store/atomic-write.ts";
import type { Store } from "../store/types.ts";
import { chunkBytes, type FileTree } from "./file-tree.ts";
import { indexTar, type TarMember } from "./tar-index.ts";

/** @throws DevboxError IMAGE_NOT_FOUND when there is no such file; LAYER_INVALID when it is no archive */
export async function openArchiveTree(context: Context, store: Store, file: string, label: string): Promise<FileTree> {
  const fd = await openUncompressed(context, store, file, label);
  try {
    const members = indexTar(fd);
    return {
      label,
      sizeOf: (path) => members.get(path)?.size,
      stream: (path, offset) => readMember(fd, members.get(path), offset, `read ${path} of ${label}`),
      [Symbol.dispose]: () => closeSync(fd),
    };
  } catch (error) {
    closeSync(fd);
    throw explain(error, label);
  }
}

/** A descriptor of the plain tar. Of an unpacked one only the descriptor is left, so that nothing remains of it. */
async function openUncompressed(context: Context, store: Store, file: string, label: string): Promise<number> {
  const fd = open(file, label);
  const start = Buffer.alloc(4);
  readSync(fd, start, 0, start.length, 0);
  const compression = sniffCompression(start);
  if (compression === "none") return fd;
  try {
    return await unpack(context, store, fd, compression);
  } catch (error) {
    throw explain(error, label);
  } finally {
    closeSync(fd);
  }
}

async function unpack(context: Context, store: Store, from: number, compression: Compression): Promise<number> {
  const path = join(store.ingest, `.tmp-${randomHex(8)}`);
  const to = openSync(path, "wx+", 0o600);
  removeQuietly(path);
  try {
    const { signal } = context;
    await pipeline(
      Readable.from(chunksFrom(from, 0, Number.POSITIVE_INFINITY)),
      ...decompressors(compression),
      sink(to),
      { signal },
    );
    return to;
  } catch (error) {
    closeSync(to);
    throw error;
  }
}

function sink(fd: number): (chunks: AsyncIterable<Uint8Array>) => Promise<void> {
  return async (chunks) => {
    for await (const chunk of chunks) {
      for (let done = 0; done < chunk.byteLength; ) done += write(fd, chunk, done);
    }
  };
}

function write(fd: number, chunk: Uint8Array, offset: number): number {
  try {
    return writeSync(fd, chunk, offset);
  } catch (error) {
    throw storeError(error, "unpack the archive into the store");
  }
}

async function* readMember(
  fd: number,
  member: TarMember | undefined,
  offset: number,
  step: string,
): AsyncGenerator<Uint8Array> {
  if (member === undefined) throw new DevboxError("BAD_MANIFEST", { step, because: "the archive has no such file" });
  yield* chunksFrom(fd, member.offset + offset, member.offset + member.size);
}

function* chunksFrom(fd: number, start: number, end: number): Generator<Uint8Array> {
  for (let position = start; position < end; ) {
    const chunk = Buffer.allocUnsafe(Math.min(chunkBytes, end - position));
    const length = readSync(fd, chunk, 0, chunk.length, position);
    if (length === 0) return;
    position += length;
    yield chunk.subarray(0, length);
  }
}

function open(file: string, label: string): number {
  if (statSync(file, { throwIfNoEntry: false })?.isDirectory() === true) {
    const hint = "name an image layout in a directory oci:DIR, a root file system dir:DIR";
    throw new DevboxError("IMAGE_NOT_FOUND", { step: `open ${label}`, because: "it is a directory", hint });
  }
  try {
    return openSync(file, "r");
  } catch (error) {
    const missing = errnoName(error) === "ENOENT";
    throw new DevboxError("IMAGE_NOT_FOUND", {
      step: `open ${label}`,
      ...(missing ? { because: "there is no such file" } : {}),
      hint: "check the path",
      cause: error,
    });
  }
}

function explain(error: unknown, label: string): unknown {
  if (error instanceof DevboxError && error.code !== "LAYER_INVALID") return error;
  const hint = "the file is no image archive, or damaged; save it again";
  return new DevboxError("LAYER_INVALID", { step: `read ${label}`, cause: error, hint });
}
