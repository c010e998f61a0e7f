/** One of skopeo's directories as a source. */
import type { Descriptor } from "../../oci/descriptor.ts";
import { digestOf } from "../../oci/digest.ts";
import { MAX_MANIFEST_BYTES, parseAnyManifest } from "../../oci/parse.ts";
import { verifyContent } from "../../oci/verify.ts";
import type { FileTree } from "./file-tree.ts";
import { requireFile } from "./read-file.ts";
import { blobName, manifestName, topName } from "./skopeo-directory.ts";
import type { FetchedManifest, ImageSource } from "./source.ts";

export function openSkopeoDirectorySource(tree: FileTree): ImageSource {
  const readVerified = async (path: string, descriptor: Descriptor, maxBytes: number): Promise<Uint8Array> => {
    const bytes = await requireFile(tree, path, maxBytes);
    verifyContent(bytes, descriptor, `read ${path} of ${tree.label}`);
    return bytes;
  };
  const top = async (): Promise<FetchedManifest> =>
    describe(await requireFile(tree, topName, MAX_MANIFEST_BYTES), tree);
  return {
    resolve: async () => (await top()).descriptor,
    async fetchManifest(wanted) {
      const path = wanted === undefined ? undefined : manifestName(wanted.digest);
      if (wanted !== undefined && path !== undefined && tree.sizeOf(path) !== undefined) {
        return { descriptor: wanted, bytes: await readVerified(path, wanted, MAX_MANIFEST_BYTES) };
      }
      const found = await top();
      if (wanted !== undefined) verifyContent(found.bytes, wanted, `read ${topName} of ${tree.label}`);
      return found;
    },
    fetchSmallBlob: (descriptor, maxBytes) => readVerified(blobName(descriptor.digest), descriptor, maxBytes),
    fetchBlob: async ({ digest }, { offset }) => ({ stream: tree.stream(blobName(digest), offset), offset }),
    [Symbol.asyncDispose]: async () => tree[Symbol.dispose](),
  };
}

/** What it is, its bytes say. */
function describe(bytes: Uint8Array, tree: FileTree): FetchedManifest {
  const document = parseAnyManifest(bytes, undefined, `read ${topName} of ${tree.label}`);
  const { mediaType } = document.kind === "index" ? document.index : document.manifest;
  return { descriptor: { mediaType, digest: digestOf(bytes), size: bytes.byteLength }, bytes };
}
