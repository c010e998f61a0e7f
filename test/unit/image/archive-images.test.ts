/** What is in an archive of several images, and what hostile ones come to. */
import { afterAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type ArchiveImage, listArchive } from "../../../src/image/sources/archive-images.ts";
import { openArchiveTree } from "../../../src/image/sources/archive-tree.ts";
import { digestOf } from "../../../src/oci/digest.ts";
import { createImageShelf } from "../../helpers/image-shelf.ts";
import { type TarItem, tar } from "../../helpers/tar-builder.ts";
import { temporaryStore } from "../../helpers/temporary-store.ts";

const base = mkdtempSync(join(tmpdir(), "devbox-archive-images-"));
const temporary = temporaryStore();
afterAll(() => {
  rmSync(base, { recursive: true, force: true });
  temporary[Symbol.dispose]();
});

async function list(bytes: Uint8Array): Promise<readonly ArchiveImage[]> {
  const file = join(base, "archive.tar");
  writeFileSync(file, bytes);
  using tree = await openArchiveTree(temporary.context, temporary.store, file, "archive.tar");
  return await listArchive(tree);
}

const json = (path: string, value: unknown): TarItem => ({ path, content: JSON.stringify(value) });
const layer = tar([{ path: "hello", content: "hello" }]);
const config = { os: "linux", architecture: "amd64", rootfs: { type: "layers", diff_ids: [digestOf(layer)] } };
const item = (tags: readonly string[] | null) => ({ Config: "c.json", RepoTags: tags, Layers: ["l/layer.tar"] });
const shelf = createImageShelf();
const { descriptor } = shelf.addImage("image", "latest", { layers: [{ tar: layer, compression: "gzip" }] });
const named = (annotations: Readonly<Record<string, string>>) => ({ ...descriptor, annotations });
const index = (...manifests: readonly object[]) => json("index.json", { schemaVersion: 2, manifests });

test("docker's older archives: each item with its names", async () => {
  const images = await list(
    tar([
      json("c.json", config),
      json("manifest.json", [item(["a:1", "b:2"]), item(null)]),
      // Ignored, as docker does where there is a manifest.json.
      json("repositories", { evil: { latest: "x" } }),
      { path: "l/layer.tar", content: layer },
    ]),
  );
  expect(images.map(({ names, hasManifest }) => ({ names, hasManifest }))).toEqual([
    { names: ["a:1", "b:2"], hasManifest: false },
    { names: [], hasManifest: false },
  ]);
});

test("docker's newer archives are read as layouts: whole names of containerd's key, an image once", async () => {
  const key = "io.containerd.image.name";
  const images = await list(
    tar([
      index(
        named({ [key]: "docker.io/library/a:1", "org.opencontainers.image.ref.name": "1" }),
        named({ [key]: "docker.io/library/b:2", "org.opencontainers.image.ref.name": "2" }),
      ),
      json("manifest.json", [item(["other:1"])]),
    ]),
  );
  expect(images.map(({ names }) => names)).toEqual([["docker.io/library/a:1", "docker.io/library/b:2"]]);
  expect(await images[0]?.source.resolve()).toMatchObject({ digest: descriptor.digest });
  expect(images[0]?.hasManifest).toBe(true);
});

describe("refused in words", () => {
  test.each<[string, Uint8Array, object]>([
    [
      "a root file system",
      tar([{ path: "etc/passwd", content: "root" }]),
      { hint: expect.stringContaining("devbox import") },
    ],
    ["docker before 1.10", tar([json("repositories", {})]), { hint: expect.stringContaining("1.10") }],
    ["manifest.json that is no list", tar([json("manifest.json", {})]), { code: "BAD_MANIFEST" }],
    [
      "index.json that is a manifest",
      tar([json("index.json", { schemaVersion: 2, config: {}, layers: [] })]),
      { code: "BAD_MANIFEST" },
    ],
    [
      "a list that is too large",
      tar([{ path: "manifest.json", content: " ".repeat(5 * 1024 * 1024) }]),
      { code: "BAD_MANIFEST" },
    ],
    [
      "a member that ends behind the file",
      tar([{ path: "manifest.json", size: 2 ** 32, content: "[]" }]),
      { code: "LAYER_INVALID" },
    ],
  ])("%s", async (_, bytes, error) => {
    await expect(list(bytes)).rejects.toMatchObject({ code: "BAD_MANIFEST", ...error });
  });

  test("a config or layer that is a link out of the archive, or one to itself, is not there", async () => {
    for (const link of ["/etc/passwd", "../../../../etc/passwd", "c.json"]) {
      const archive = tar([
        { path: "c.json", type: "2", link },
        json("manifest.json", [
          { ...item(null), Config: "c.json" },
          { ...item(null), Config: "/etc/passwd" },
        ]),
      ]);
      const images = await list(archive);
      for (const { source } of images) await expect(source.resolve()).rejects.toMatchObject({ code: "BAD_MANIFEST" });
    }
  });

  test("xz and bzip2 are named", async () => {
    const xz = Buffer.concat([Buffer.from([0xfd, 0x37, 0x7a, 0x58, 0x5a, 0]), Buffer.alloc(100)]);
    await expect(list(xz)).rejects.toMatchObject({ code: "LAYER_INVALID", because: expect.stringContaining("xz") });
    const bzip2 = Buffer.from(`BZh91AY&SY${"x".repeat(100)}`, "latin1");
    await expect(list(bzip2)).rejects.toMatchObject({ because: expect.stringContaining("bzip2") });
  });
});
