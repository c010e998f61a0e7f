/** A tar archive that is written member after member, the same bytes for the same members: nobody's, of no time. */
import { closeSync, openSync, realpathSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { byteString } from "../../layer/byte-string.ts";
import type { EntryType } from "../../layer/tar/entry.ts";
import { archiveEnd, entryHeader, paddingOf } from "../../layer/tar/write.ts";
import { syncDirectory } from "../../store/atomic-write.ts";
import { attempt, createFile, type NewFile, writeAll } from "./write-file.ts";

/** file: absolute path; written beside and renamed at `finish`. fd: a stream, which is not closed. */
export type ArchiveOutput =
  | { readonly kind: "file"; readonly path: string }
  | { readonly kind: "fd"; readonly fd: number };

export interface TarOutput extends AsyncDisposable {
  directory(path: string): Promise<void>;
  /** One at a time. @param chunks `size` bytes in all: the caller has them verified */
  file(path: string, size: number, chunks: AsyncIterable<Uint8Array>): Promise<void>;
  /** All is there: end the archive, bring it to disk under its name. */
  finish(): Promise<void>;
}

/** @throws DevboxError COPY_FAILED where it cannot be written, also by each function */
export function openTarOutput(output: ArchiveOutput, label: string): TarOutput {
  const step = `write ${label}`;
  const { fd, finish, close } = openOutput(output, step);
  const put = (bytes: Uint8Array): Promise<void> => writeAll(fd, bytes, step);
  return {
    directory: (path) => put(header("directory", path, 0)),
    async file(path, size, chunks) {
      await put(header("file", path, size));
      for await (const chunk of chunks) await put(chunk);
      await put(paddingOf(size));
    },
    async finish() {
      await put(archiveEnd);
      await finish();
    },
    [Symbol.asyncDispose]: close,
  };
}

interface Output {
  readonly fd: number;
  readonly finish: () => Promise<void>;
  readonly close: () => Promise<void>;
}

const nothing = async (): Promise<void> => {};

function openOutput(output: ArchiveOutput, step: string): Output {
  if (output.kind === "fd") return { fd: output.fd, finish: nothing, close: nothing };
  const found = attempt(step, () => statSync(output.path, { throwIfNoEntry: false }));
  // A pipe or /dev/null is written to, never replaced.
  if (found !== undefined && !found.isFile()) {
    const fd = attempt(step, () => openSync(output.path, "w"));
    return { fd, finish: nothing, close: async () => closeSync(fd) };
  }
  // Where a symbolic link leads, as shells and docker have it.
  const path = found === undefined ? output.path : realpathSync(output.path);
  const file: NewFile = createFile(path);
  const finish = async (): Promise<void> => {
    await file.commit();
    syncDirectory(dirname(path));
  };
  return { fd: file.fd, finish, close: async () => await file[Symbol.asyncDispose]() };
}

function header(type: EntryType, path: string, size: number): Buffer {
  return entryHeader({
    type,
    path: byteString(Buffer.from(path)),
    linkTarget: "",
    mode: type === "directory" ? 0o755 : 0o644,
    uid: 0,
    gid: 0,
    mtime: { seconds: 0, nanoseconds: 0 },
    deviceMajor: 0,
    deviceMinor: 0,
    dataSize: size,
    sparse: undefined,
    xattrs: new Map(),
  });
}
