/**
 * A tar file as a file tree. Members are read out of order, so what is packed or comes through a pipe is written into the
 * store first.
 */
import { closeSync, fstatSync, openSync, readSync, writeSync } from "node:fs";
import { join } from "node:path";
import type { Context } from "../../core/context.ts";
import { DevboxError } from "../../core/errors.ts";
import { randomHex, removeQuietly, storeError } from "../../store/atomic-write.ts";
import type { Store } from "../../store/types.ts";
import { chunkBytes, type FileTree } from "./file-tree.ts";
import { type OpenInput, openInput, readInput, recognise, startBytes, unpacked } from "./input-stream.ts";
import { indexTar, type TarMember } from "./tar-index.ts";

/** @throws DevboxError IMAGE_NOT_FOUND when there is no such file; LAYER_INVALID when it is no archive */
export async function openArchiveTree(context: Context, store: Store, file: string, label: string): Promise<FileTree> {
  const hint = "name an image layout in a directory oci:DIR, a root file system dir:DIR";
  return await openInputTree(context, store, openInput({ kind: "file", path: file }, { label, directoryHint: hint }));
}

/** As `openArchiveTree`. The tree owns the input. */
export async function openInputTree(context: Context, store: Store, input: OpenInput): Promise<FileTree> {
  const { label } = input;
  const { fd, close } = await openPlain(context, store, input);
  try {
    const members = indexTar(fd);
    return {
      label,
      sizeOf: (path) => members.get(path)?.size,
      stream: (path, offset) => readMember(fd, members.get(path), offset, `read ${path} of ${label}`),
      [Symbol.dispose]: close,
    };
  } catch (error) {
    close();
    throw explain(error, label);
  }
}

interface PlainFile {
  readonly fd: number;
  readonly close: () => void;
}

async function openPlain(context: Context, store: Store, input: OpenInput): Promise<PlainFile> {
  try {
    if (isPlain(input)) return { fd: input.fd, close: () => input[Symbol.dispose]() };
    const fd = await spool(context, store, input);
    input[Symbol.dispose]();
    return { fd, close: () => closeSync(fd) };
  } catch (error) {
    input[Symbol.dispose]();
    throw error;
  }
}

/** Whether it can be read as it lies there. A file is read from its beginning, wherever its descriptor stands. */
function isPlain({ fd, label }: OpenInput): boolean {
  if (!fstatSync(fd).isFile()) return false;
  const start = Buffer.alloc(startBytes);
  const length = readSync(fd, start, 0, start.length, 0);
  return recognise(start.subarray(0, length), label) === "none";
}

/** Only the descriptor is left, so that nothing remains of it. */
async function spool({ signal }: Context, store: Store, input: OpenInput): Promise<number> {
  const path = join(store.ingest, `.tmp-${randomHex(8)}`);
  const to = openSync(path, "wx+", 0o600);
  removeQuietly(path);
  try {
    for await (const chunk of unpacked(readInput(input, signal), input.label)) {
      for (let done = 0; done < chunk.byteLength; ) done += write(to, chunk, done);
    }
    return to;
  } catch (error) {
    closeSync(to);
    throw error;
  }
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

function explain(error: unknown, label: string): unknown {
  if (error instanceof DevboxError && error.code !== "LAYER_INVALID") return error;
  const hint = "the file is no image archive, or damaged; save it again";
  return new DevboxError("LAYER_INVALID", { step: `read ${label}`, cause: error, hint });
}
