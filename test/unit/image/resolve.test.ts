import { expect, test } from "bun:test";
import { resolveImage } from "../../../src/image/pull/resolve.ts";
import type { ImageSource } from "../../../src/image/sources/source.ts";
import { type Descriptor, mediaTypes } from "../../../src/oci/descriptor.ts";
import { createImageShelf, type ImageShelf } from "../../helpers/image-shelf.ts";
import { tar } from "../../helpers/tar-builder.ts";

function sourceOf(shelf: ImageShelf): ImageSource & { readonly asked: string[] } {
  const asked: string[] = [];
  const manifest = (reference: string) => {
    asked.push(reference);
    const found = shelf.findManifest("image", reference);
    if (found === undefined) throw new Error(`no manifest ${reference}`);
    return found;
  };
  return {
    asked,
    resolve: async () => manifest("latest").descriptor,
    fetchManifest: async (wanted) => manifest(wanted?.digest ?? "latest"),
    fetchSmallBlob: async ({ digest }) => {
      asked.push(digest);
      return shelf.findBlob(digest) ?? new Uint8Array();
    },
    fetchBlob: () => Promise.reject(new Error("no layer is needed to resolve")),
    [Symbol.asyncDispose]: async () => {},
  };
}

const amd64 = { os: "linux", architecture: "amd64" };
const layer = { tar: tar([{ path: "x", content: "x" }]), compression: "none" } as const;

test("a manifest alone", async () => {
  const shelf = createImageShelf();
  const { descriptor, manifest } = shelf.addImage("image", "latest", { layers: [layer] });
  const source = sourceOf(shelf);
  const image = await resolveImage(source, undefined, amd64, "image");
  expect(image).toMatchObject({ topDigest: descriptor.digest, manifestDescriptor: { digest: descriptor.digest } });
  expect(source.asked).toEqual(["latest", manifest.config.digest]);
});

function addIndex(shelf: ImageShelf, images: readonly Descriptor[]): Descriptor {
  return shelf.addManifest(
    "image",
    "latest",
    {
      schemaVersion: 2,
      mediaType: mediaTypes.ociIndex,
      manifests: images,
    },
    mediaTypes.ociIndex,
  );
}

test("through an index to the platform, keeping the index's digest, dropping its annotations", async () => {
  const shelf = createImageShelf();
  const arm = shelf.addImage("image", "arm", { layers: [layer], architecture: "arm64" }).descriptor;
  const intel = shelf.addImage("image", "intel", { layers: [layer] }).descriptor;
  const index = addIndex(shelf, [
    { ...arm, platform: { os: "linux", architecture: "arm64" } },
    { ...intel, platform: amd64, annotations: { "org.opencontainers.image.ref.name": "theirs" } },
  ]);
  const image = await resolveImage(sourceOf(shelf), undefined, amd64, "image");
  expect(image.topDigest).toBe(index.digest);
  expect(image.manifestDescriptor).toEqual({
    mediaType: mediaTypes.ociManifest,
    digest: intel.digest,
    size: intel.size,
    platform: amd64,
  });
});

test("no platform that fits; indexes without end; more layers than overlayfs stacks", async () => {
  const shelf = createImageShelf();
  const { descriptor } = shelf.addImage("image", "arm", { layers: [layer], architecture: "arm64" });
  addIndex(shelf, [{ ...descriptor, platform: { os: "linux", architecture: "arm64" } }]);
  const resolve = () => resolveImage(sourceOf(shelf), undefined, amd64, "image");
  await expect(resolve()).rejects.toMatchObject({ code: "NO_MATCHING_PLATFORM" });
  let inner = descriptor;
  for (let depth = 0; depth < 6; depth++) inner = addIndex(shelf, [{ ...inner, platform: amd64 }]);
  await expect(resolve()).rejects.toMatchObject({
    code: "BAD_MANIFEST",
    because: "indexes are nested more than 4 deep",
  });
  shelf.addImage("image", "latest", { layers: Array.from({ length: 501 }, () => layer) });
  await expect(resolve()).rejects.toMatchObject({
    code: "BAD_MANIFEST",
    because: "it has 501 layers; overlayfs stacks at most 500",
  });
});

test("a config that is embedded in the manifest is not fetched", async () => {
  const shelf = createImageShelf();
  const { manifest } = shelf.addImage("image", "latest", { layers: [layer] });
  const data = Buffer.from(shelf.findBlob(manifest.config.digest) ?? "").toString("base64");
  shelf.addManifest("image", "latest", { ...manifest, config: { ...manifest.config, data } });
  const source = sourceOf(shelf);
  await resolveImage(source, undefined, amd64, "image");
  expect(source.asked).toEqual(["latest"]);
});
