/** The content of regular files, holes kept. */
import { closeSync, constants, ftruncateSync, openSync, writeSync } from "node:fs";
import type { TarEntry } from "../tar/entry.ts";

export interface OpenFile {
  readonly fd: number;
  readonly path: string | Buffer;
  readonly entry: TarEntry;
  /** Of sparse files: the segment under way, and how much of it is written. */
  segment: number;
  done: number;
}

/** O_EXCL: nothing that stands there is written to or followed. */
const openFlags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;

/** Throws EEXIST if something is at `path`. */
export function openFile(path: string | Buffer, entry: TarEntry): OpenFile {
  return { fd: openSync(path, openFlags, entry.mode & 0o777), path, entry, segment: 0, done: 0 };
}

export function writeFile(file: OpenFile, chunk: Buffer, start: number, end: number): void {
  const { sparse } = file.entry;
  if (sparse === undefined) {
    writeAll(file.fd, chunk, start, end, null);
    return;
  }
  let at = start;
  while (at < end) {
    const segment = sparse.segments[file.segment];
    if (segment === undefined) return;
    const length = Math.min(end - at, segment.length - file.done);
    writeAll(file.fd, chunk, at, at + length, segment.offset + file.done);
    at += length;
    file.done += length;
    if (file.done === segment.length) {
      file.segment++;
      file.done = 0;
    }
  }
}

function writeAll(fd: number, chunk: Buffer, start: number, end: number, position: number | null): void {
  let at = start;
  while (at < end) at += writeSync(fd, chunk, at, end - at, position === null ? null : position + at - start);
}

export function closeFile(file: OpenFile): void {
  try {
    if (file.entry.sparse !== undefined) ftruncateSync(file.fd, file.entry.sparse.realSize);
  } finally {
    closeSync(file.fd);
  }
}
