/** A directory as a file tree. */
import { closeSync, openSync, readSync, statSync } from "node:fs";
import { join } from "node:path";
import { DevboxError } from "../../core/errors.ts";
import { chunkBytes, type FileTree } from "./file-tree.ts";

/** @throws DevboxError IMAGE_NOT_FOUND when there is no such directory */
export function openDirectoryTree(directory: string, label: string): FileTree {
  const found = statSync(directory, { throwIfNoEntry: false });
  if (found?.isDirectory() !== true) {
    const [because, hint] =
      found === undefined
        ? ["there is no such directory", "check the path"]
        : ["it is no directory", "name a file oci-archive:FILE, or docker-archive:FILE if docker save made it"];
    throw new DevboxError("IMAGE_NOT_FOUND", { step: `open ${label}`, because, hint });
  }
  const full = (path: string): string => join(directory, path);
  return {
    label,
    sizeOf: (path) => statSync(full(path), { throwIfNoEntry: false })?.size,
    stream: (path, offset) => readFileChunks(full(path), offset, `read ${path} of ${label}`),
    [Symbol.dispose]: () => {},
  };
}

/** From `offset` to the end, in memory of their own. */
export async function* readFileChunks(path: string, offset: number, step: string): AsyncGenerator<Uint8Array> {
  const fd = open(path, step);
  try {
    for (let position = offset; ; ) {
      const chunk = Buffer.allocUnsafe(chunkBytes);
      const length = readSync(fd, chunk, 0, chunk.length, position);
      if (length === 0) return;
      position += length;
      yield chunk.subarray(0, length);
    }
  } finally {
    closeSync(fd);
  }
}

function open(path: string, step: string): number {
  try {
    return openSync(path, "r");
  } catch (error) {
    throw new DevboxError("BAD_MANIFEST", { step, cause: error, hint: "the image is not complete; make it again" });
  }
}
