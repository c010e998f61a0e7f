/** Small files of a file tree, whole. */
import { DevboxError } from "../../core/errors.ts";
import type { FileTree } from "./file-tree.ts";

/** undefined: no such file. @throws DevboxError BAD_MANIFEST when it is longer than `maxBytes` */
export async function readFile(tree: FileTree, path: string, maxBytes: number): Promise<Uint8Array | undefined> {
  const size = tree.sizeOf(path);
  if (size === undefined) return undefined;
  if (size > maxBytes) {
    const because = `it has ${size} bytes; at most ${maxBytes} are accepted`;
    throw new DevboxError("BAD_MANIFEST", { step: `read ${path} of ${tree.label}`, because });
  }
  return Buffer.concat(await Array.fromAsync(tree.stream(path, 0)));
}

/** As `readFile`, for a file that must be there. @param hint what to do when it is not */
export async function requireFile(tree: FileTree, path: string, maxBytes: number, hint?: string): Promise<Uint8Array> {
  const bytes = await readFile(tree, path, maxBytes);
  if (bytes !== undefined) return bytes;
  throw new DevboxError("BAD_MANIFEST", {
    step: `read ${path} of ${tree.label}`,
    because: "there is no such file",
    ...(hint === undefined ? {} : { hint }),
  });
}
