/** An OCI image layout as a source (image-spec image-layout.md): a directory, or the members of an archive. */
import { DevboxError } from "../../core/errors.ts";
import { type Descriptor, nameAnnotations } from "../../oci/descriptor.ts";
import { digestAlgorithm, digestHex } from "../../oci/digest.ts";
import { MAX_MANIFEST_BYTES, parseIndex } from "../../oci/parse.ts";
import { verifyContent } from "../../oci/verify.ts";
import type { FileTree } from "./file-tree.ts";
import { requireFile } from "./read-file.ts";
import type { ImageSource } from "./source.ts";

/** @param name of the image in the layout; undefined: the only one */
export function openLayoutSource(tree: FileTree, name: string | undefined): ImageSource {
  const resolve = async (): Promise<Descriptor> => {
    const isDockerArchive = tree.sizeOf("index.json") === undefined && tree.sizeOf("manifest.json") !== undefined;
    const hint = isDockerArchive ? "it was made by docker save: use docker-archive:FILE" : undefined;
    const bytes = await requireFile(tree, "index.json", MAX_MANIFEST_BYTES, hint);
    return chooseImage(parseIndex(bytes, undefined, `read index.json of ${tree.label}`).manifests, name, tree.label);
  };
  return openLayoutBlobs(tree, resolve);
}

/** As `openLayoutSource`, where the image is known otherwise than by its name in `index.json`. */
export function openLayoutBlobs(tree: FileTree, resolve: () => Promise<Descriptor>): ImageSource {
  const readBlob = async (descriptor: Descriptor, maxBytes: number): Promise<Uint8Array> => {
    const bytes = await requireFile(tree, blobName(descriptor), maxBytes);
    verifyContent(bytes, descriptor, `read ${blobName(descriptor)} of ${tree.label}`);
    return bytes;
  };
  return {
    resolve,
    fetchManifest: async (wanted) => {
      const descriptor = wanted ?? (await resolve());
      return { descriptor, bytes: await readBlob(descriptor, MAX_MANIFEST_BYTES) };
    },
    fetchSmallBlob: readBlob,
    fetchBlob: async (descriptor, { offset }) => ({ stream: tree.stream(blobName(descriptor), offset), offset }),
    [Symbol.asyncDispose]: async () => tree[Symbol.dispose](),
  };
}

function blobName({ digest }: Descriptor): string {
  return `blobs/${digestAlgorithm(digest)}/${digestHex(digest)}`;
}

/**
 * The image of this name; without one, the only image there is.
 * @throws DevboxError IMAGE_NOT_FOUND listing the names
 */
export function chooseImage(images: readonly Descriptor[], name: string | undefined, label: string): Descriptor {
  const namesOf = (image: Descriptor): string[] =>
    Object.values(nameAnnotations).flatMap((key) => image.annotations?.[key] ?? []);
  const found = name === undefined ? images : images.filter((image) => namesOf(image).includes(name));
  const [only] = found;
  // The same image may be listed under several names.
  if (only !== undefined && found.every(({ digest }) => digest === only.digest)) return only;
  const names = [...new Set(images.flatMap(namesOf))];
  const because = only === undefined ? "no image has this name" : `${found.length} images are there`;
  throw new DevboxError("IMAGE_NOT_FOUND", {
    step: `find ${name === undefined ? "the image" : JSON.stringify(name)} in ${label}`,
    because: `${because}; names: ${names.length === 0 ? "none" : names.join(", ")}`,
    hint: "name the image after a colon: oci:DIR:NAME",
  });
}
