/**
 * The files of a log: `log`, and before it `log.1`, `log.2` …, rotated by the monitor while they are read. A file is known by
 * its inode: its name changes under the reader.
 */
import { closeSync, fstatSync, openSync, readdirSync, readSync, statSync } from "node:fs";
import { join } from "node:path";
import { logFrameHeaderBytes } from "../../ffi/launcher/wire.ts";
import { errnoName } from "../core/errors.ts";
import { storeError } from "../store/atomic-write.ts";
import type { BoxPaths } from "../store/types.ts";
import { afterLines, countLines, type LogFrame, parseFrames } from "./log-frames.ts";

/** Directory of the log of a box. */
export function logDirectory(paths: BoxPaths): string {
  return join(paths.directory, "log");
}

export interface LogReader extends Disposable {
  readonly directory: string;
  /** What comes next; none: that is all for now. */
  read(): readonly LogFrame[];
}

/** Where reading begins. */
export type LogStart = "oldest" | "end" | { readonly lastLines: number };

const chunkBytes = 256 * 1024;

/** Reads a log from `start` on, through rotations. A log that is not there is empty. @throws DevboxError STORE_UNUSABLE */
export function openLog(directory: string, start: LogStart): LogReader {
  let at: Position | undefined = findStart(directory, start);
  const close = (): void => {
    if (at !== undefined) closeSync(at.file.fd);
    at = undefined;
  };
  return {
    directory,
    read() {
      try {
        at ??= openAt(oldestFile(directory));
        for (;;) {
          if (at === undefined) return [];
          const frames = readOn(at);
          if (frames.length > 0) return frames;
          const next = newerFile(directory, at.file);
          if (next === undefined) return [];
          // Written in between: after it was renamed nothing is added to it.
          const last = readOn(at);
          if (last.length > 0) return last;
          close();
          at = next;
        }
      } catch (error) {
        throw storeError(error, `read the log in ${directory}`);
      }
    },
    [Symbol.dispose]: close,
  };
}

interface OpenFile {
  readonly fd: number;
  readonly inode: number;
}

interface Position {
  readonly file: OpenFile;
  offset: number;
  /** Lines to leave out of the first frame. */
  skipLines: number;
}

function openAt(file: OpenFile | undefined, offset = 0): Position | undefined {
  return file === undefined ? undefined : { file, offset, skipLines: 0 };
}

function readOn(at: Position): readonly LogFrame[] {
  let size = chunkBytes;
  for (;;) {
    const bytes = new Uint8Array(size);
    const length = readSync(at.file.fd, bytes, 0, size, at.offset);
    const { frames, consumed } = parseFrames(bytes.subarray(0, length));
    // A frame larger than the chunk.
    if (consumed === 0 && length === size) {
      size *= 2;
      continue;
    }
    at.offset += consumed;
    if (at.skipLines === 0) return frames;
    const [first, ...rest] = frames;
    if (first === undefined) return frames;
    const left = { ...first, bytes: afterLines(first.bytes, at.skipLines) };
    at.skipLines = 0;
    return left.bytes.length === 0 && rest.length > 0 ? rest : [left, ...rest];
  }
}

/** Names of the files, oldest first. */
function fileNames(directory: string): readonly string[] {
  try {
    const numbered = readdirSync(directory).flatMap((name) => {
      const match = /^log(?:\.(\d+))?$/.exec(name);
      return match === null ? [] : [{ name, age: Number(match[1] ?? 0) }];
    });
    return numbered.sort((a, b) => b.age - a.age).map(({ name }) => join(directory, name));
  } catch (error) {
    if (errnoName(error) === "ENOENT") return [];
    throw error;
  }
}

/** Opened; undefined: there is no log. */
function oldestFile(directory: string): OpenFile | undefined {
  for (const path of fileNames(directory)) {
    const file = openFile(path);
    if (file !== undefined) return file;
  }
  return undefined;
}

/** undefined: it was renamed or removed just now. */
function openFile(path: string): OpenFile | undefined {
  try {
    const fd = openSync(path, "r");
    return { fd, inode: fstatSync(fd).ino };
  } catch (error) {
    if (errnoName(error) === "ENOENT") return undefined;
    throw error;
  }
}

/** The file that follows `file`; where `file` was removed, the oldest that is left. undefined: it is the newest. */
function newerFile(directory: string, file: OpenFile): Position | undefined {
  for (;;) {
    const files = fileNames(directory).map((path) => ({ path, inode: inodeOf(path) }));
    const next = files[files.findIndex(({ inode }) => inode === file.inode) + 1];
    if (next === undefined) return undefined;
    const opened = openFile(next.path);
    if (opened?.inode === next.inode) return openAt(opened);
    // Rotated between the two: look again.
    if (opened !== undefined) closeSync(opened.fd);
  }
}

function inodeOf(path: string): number | undefined {
  return statSync(path, { throwIfNoEntry: false })?.ino;
}

function findStart(directory: string, start: LogStart): Position | undefined {
  if (start === "oldest") return undefined;
  if (start === "end") {
    const path = fileNames(directory).at(-1);
    const file = path === undefined ? undefined : openFile(path);
    return openAt(file, file === undefined ? 0 : fstatSync(file.fd).size);
  }
  let wanted = start.lastLines;
  for (const path of fileNames(directory).toReversed()) {
    const file = openFile(path);
    if (file === undefined) continue;
    const lines = countFile(file);
    if (lines >= wanted) return skipInFile(file, lines - wanted);
    wanted -= lines;
    closeSync(file.fd);
  }
  return undefined;
}

/** Lines of a file; the last one may lack its end. */
function countFile(file: OpenFile): number {
  let lines = 0;
  let last = newline;
  for (const { bytes } of wholeFile(file)) {
    lines += countLines(bytes);
    last = bytes.at(-1) ?? last;
  }
  return last === newline ? lines : lines + 1;
}

const newline = 10;

function skipInFile(file: OpenFile, lines: number): Position {
  const at: Position = { file, offset: 0, skipLines: 0 };
  let left = lines;
  let frameStart = 0;
  if (left === 0) return at;
  for (const frame of wholeFile(file)) {
    const count = countLines(frame.bytes);
    if (count >= left) return { file, offset: frameStart, skipLines: left };
    left -= count;
    frameStart += logFrameHeaderBytes + frame.bytes.length;
  }
  return { file, offset: frameStart, skipLines: 0 };
}

function* wholeFile(file: OpenFile): Generator<LogFrame> {
  const at: Position = { file, offset: 0, skipLines: 0 };
  for (let frames = readOn(at); frames.length > 0; frames = readOn(at)) yield* frames;
}
