/** What stands on a shelf, as a source of copies. */
import type { ImageSource } from "../../src/image/sources/source.ts";
import type { ImageShelf } from "./image-shelf.ts";

/** @param change of a blob's bytes on their way; default: none */
export function shelfSource(
  shelf: ImageShelf,
  repository: string,
  tag: string,
  change: (bytes: Uint8Array) => Uint8Array = (bytes) => bytes,
): ImageSource {
  const manifest = (reference: string) => {
    const found = shelf.findManifest(repository, reference);
    if (found === undefined) throw new Error(`no manifest ${reference}`);
    return found;
  };
  const blob = (digest: string): Uint8Array => {
    const found = shelf.findBlob(digest);
    if (found === undefined) throw new Error(`no blob ${digest}`);
    return found;
  };
  return {
    resolve: async () => manifest(tag).descriptor,
    fetchManifest: async (wanted) => manifest(wanted?.digest ?? tag),
    fetchSmallBlob: async ({ digest }) => blob(digest),
    fetchBlob: async ({ digest }, { offset }) => ({ stream: pieces(change(blob(digest)).subarray(offset)), offset }),
    async [Symbol.asyncDispose]() {},
  };
}

async function* pieces(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.byteLength; at += 1000) yield bytes.subarray(at, at + 1000);
}
