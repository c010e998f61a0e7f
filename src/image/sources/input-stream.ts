/** Bytes of a file, or of a stream such as stdin, one chunk after another, and unpacked. */
import { closeSync, fstatSync, openSync, read as readWithCallback } from "node:fs";
import { pipeline, Readable } from "node:stream";
import { promisify } from "node:util";
import { DevboxError } from "../../core/errors.ts";
import { sniffCompression } from "../../layer/compression.ts";
import { decompressors } from "../../layer/decompress.ts";
import { uncompressedLimit } from "../../layer/limits.ts";
import type { Compression } from "../../layer/protocol.ts";
import { chunkBytes } from "./file-tree.ts";

/** Where an archive is read from. fd: from where it stands on, and not closed. */
export type ArchiveInput =
  | { readonly kind: "file"; readonly path: string }
  | { readonly kind: "fd"; readonly fd: number };

export interface OpenInput extends Disposable {
  readonly fd: number;
  /** For error texts: the path, or `stdin`. */
  readonly label: string;
}

interface InputWords {
  /** Default: the path. */
  readonly label?: string;
  /** What to do where it is a directory. */
  readonly directoryHint: string;
}

/** @throws DevboxError IMAGE_NOT_FOUND when there is no such file, or it is a directory */
export function openInput(input: ArchiveInput, { label, directoryHint }: InputWords): OpenInput {
  if (input.kind === "fd") return { fd: input.fd, label: label ?? "stdin", [Symbol.dispose]: () => {} };
  const { path } = input;
  const name = label ?? path;
  const fd = open(path, name);
  if (!fstatSync(fd).isDirectory()) return { fd, label: name, [Symbol.dispose]: () => closeSync(fd) };
  closeSync(fd);
  throw new DevboxError("IMAGE_NOT_FOUND", {
    step: `open ${name}`,
    because: "it is a directory",
    hint: directoryHint,
  });
}

function open(path: string, label: string): number {
  try {
    return openSync(path, "r");
  } catch (cause) {
    throw new DevboxError("IMAGE_NOT_FOUND", { step: `open ${label}`, cause, hint: "check the path" });
  }
}

/** Chunks of their own memory. Ends with the reason of the signal, also while it waits for a writer. */
export async function* readInput({ fd, label }: OpenInput, signal: AbortSignal): AsyncGenerator<Uint8Array> {
  try {
    yield* fstatSync(fd).isFile() ? readFileOn(fd, signal) : readPipe(fd, signal);
  } catch (cause) {
    signal.throwIfAborted();
    if (cause instanceof DevboxError) throw cause;
    throw new DevboxError("LAYER_IO", { step: `read ${label}`, cause, hint: "check the file and its disk" });
  }
}

const read = promisify(readWithCallback);

async function* readFileOn(fd: number, signal: AbortSignal): AsyncGenerator<Uint8Array> {
  for (;;) {
    signal.throwIfAborted();
    const { bytesRead, buffer } = await read(fd, Buffer.allocUnsafe(chunkBytes), 0, chunkBytes, null);
    if (bytesRead === 0) return;
    yield buffer.subarray(0, bytesRead);
  }
}

async function* readPipe(fd: number, signal: AbortSignal): AsyncGenerator<Uint8Array> {
  const reader = Bun.file(fd).stream().getReader();
  const cancel = (): void => {
    reader.cancel().catch(() => {});
  };
  signal.addEventListener("abort", cancel);
  try {
    for (;;) {
      const { done, value } = await reader.read();
      signal.throwIfAborted();
      if (done) return;
      yield value;
    }
  } finally {
    signal.removeEventListener("abort", cancel);
    cancel();
  }
}

/**
 * What the chunks unpack to, whatever they are packed with.
 * @throws DevboxError LAYER_INVALID for what devbox does not read, or is damaged; LAYER_TOO_LARGE for a bomb
 */
export async function* unpacked(chunks: AsyncIterable<Uint8Array>, label: string): AsyncGenerator<Uint8Array> {
  const source = chunks[Symbol.asyncIterator]();
  const start = await readStart(source);
  const compression = recognise(start, label);
  const all = startingWith(start, source);
  yield* compression === "none" ? all : decompressed(all, compression, label);
}

/** So many bytes tell how content is packed. */
export const startBytes = 8;

async function readStart(source: AsyncIterator<Uint8Array>): Promise<Uint8Array> {
  let start: Uint8Array = new Uint8Array();
  while (start.byteLength < startBytes) {
    const { done, value } = await source.next();
    if (done === true) break;
    start = start.byteLength === 0 ? value : Buffer.concat([start, value]);
  }
  return start;
}

async function* startingWith(start: Uint8Array, source: AsyncIterator<Uint8Array>): AsyncGenerator<Uint8Array> {
  try {
    yield start;
    for (let next = await source.next(); next.done !== true; next = await source.next()) yield next.value;
  } finally {
    await source.return?.();
  }
}

/** By their first bytes, which no tar begins with: they would be a file's name. */
const foreign: Readonly<Record<string, RegExp>> = {
  xz: /^\xfd7zXZ\0/,
  bzip2: /^BZh[1-9]1AY&/,
};

/**
 * How content is packed, by its first `startBytes`.
 * @throws DevboxError LAYER_INVALID naming the program that unpacks what devbox does not
 */
export function recognise(start: Uint8Array, label: string): Compression {
  if (start.byteLength === 0) {
    const hint = "see whether what was to write it has failed";
    throw new DevboxError("LAYER_INVALID", { step: `read ${label}`, because: "it is empty", hint });
  }
  const text = Buffer.from(start).toString("latin1");
  const program = Object.keys(foreign).find((name) => foreign[name]?.test(text));
  if (program === undefined) return sniffCompression(start);
  throw new DevboxError("LAYER_INVALID", {
    step: `read ${label}`,
    because: `it is packed with ${program}; devbox reads gzip and zstd`,
    hint: `unpack it first: ${program} -dc FILE`,
  });
}

async function* decompressed(
  chunks: AsyncIterable<Uint8Array>,
  compression: Compression,
  label: string,
): AsyncGenerator<Uint8Array> {
  const stages = decompressors(compression);
  const last = stages.at(-1);
  if (last === undefined) return;
  let taken = 0;
  const counted = async function* () {
    for await (const chunk of chunks) {
      taken += chunk.byteLength;
      yield chunk;
    }
  };
  // Its error destroys the last stage with the same one, which is read below.
  pipeline([Readable.from(counted(), { objectMode: false }), ...stages], () => {});
  let given = 0;
  try {
    for await (const chunk of last) {
      given += chunk.byteLength;
      if (given > uncompressedLimit(taken, Number.POSITIVE_INFINITY)) throw bomb(label, given, taken);
      yield chunk;
    }
  } catch (cause) {
    if (cause instanceof DevboxError) throw cause;
    const hint = "the file is damaged; make it again";
    throw new DevboxError("LAYER_INVALID", { step: `unpack ${label}`, cause, hint });
  }
}

function bomb(label: string, given: number, taken: number): DevboxError {
  const because = `it unpacks to more than ${given} bytes, from ${taken}`;
  return new DevboxError("LAYER_TOO_LARGE", { step: `unpack ${label}`, because, hint: "do not use this file" });
}
