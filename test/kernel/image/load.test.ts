/** Archives of several images: all of them get their names, or none. */
import { afterAll, afterEach, expect, test } from "bun:test";
import { readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { readHostFacts } from "../../../src/host/read-facts.ts";
import { loadImages } from "../../../src/image/pull/load.ts";
import { digestOf } from "../../../src/oci/digest.ts";
import { editEntries, readEntries } from "../../../src/store/index-file.ts";
import { createImageShelf } from "../../helpers/image-shelf.ts";
import { pullHere, temporaryPullStore } from "../../helpers/pulling.ts";
import { type TarItem, tar } from "../../helpers/tar-builder.ts";

const temporary = temporaryPullStore();
const { store, context } = temporary;
afterAll(() => temporary[Symbol.asyncDispose]());
afterEach(async () => {
  temporary.warnings.length = 0;
  await editEntries(context, store, () => []);
});

function load(bytes: Uint8Array) {
  const path = join(store.root, "archive.tar");
  writeFileSync(path, bytes);
  const options = { platform: undefined };
  return loadImages(context, store, readHostFacts(process.env), { kind: "file", path }, options);
}

const json = (path: string, value: unknown): TarItem => ({ path, content: JSON.stringify(value) });
const layers = ["one", "two"].map((content) => tar([{ path: content, content }]));
const configOf = (layer: Uint8Array) => ({
  os: "linux",
  architecture: process.arch === "arm64" ? "arm64" : "amd64",
  rootfs: { type: "layers", diff_ids: [digestOf(layer)] },
});

/** @param content what lies where the declared layers should */
function dockerArchive(
  tags: readonly (readonly string[])[],
  declared: readonly Uint8Array[] = layers,
  content = declared,
): Buffer {
  return tar([
    json(
      "manifest.json",
      tags.map((RepoTags, at) => ({ Config: `${at}.json`, RepoTags, Layers: [`${at}/layer.tar`] })),
    ),
    ...declared.map((layer, at) => json(`${at}.json`, configOf(layer))),
    ...content.map((bytes, at) => ({ path: `${at}/layer.tar`, content: bytes })),
  ]);
}

const names = () => readEntries(store).map(({ name }) => name);

test("each image under all its names, nameless ones by their id", async () => {
  const loaded = await load(dockerArchive([["a:1", "reg.example/b"], []]));
  expect(loaded.map((image) => image.names)).toEqual([["docker.io/library/a:1", "reg.example/b:latest"], []]);
  expect(loaded.map(({ id }) => id)).toEqual(layers.map((layer) => digestOf(JSON.stringify(configOf(layer)))));
  expect(names()).toEqual(["docker.io/library/a:1", "reg.example/b:latest", undefined]);
});

test("when the second is damaged, the first gets no name, and names stay where they are", async () => {
  await load(dockerArchive([["keeps:1"]]));
  const fresh = ["three", "four", "five"].map((content) => tar([{ path: content, content }]));
  const [three = Buffer.alloc(0), four = three, five = three] = fresh;
  const damaged = dockerArchive([["keeps:1"], ["b:1"]], [three, four], [three, five]);
  const before = readEntries(store);
  await expect(load(damaged)).rejects.toMatchObject({ code: "DIGEST_MISMATCH" });
  expect(readEntries(store)).toEqual(before);
  expect(readdirSync(store.layers).filter((name) => name.startsWith("."))).toEqual([]);
  expect(readdirSync(store.locks).filter((name) => name.startsWith("lease-"))).toEqual([]);
});

test("names that are no references are left out, with a warning", async () => {
  const [{ names: given } = { names: [] }] = await load(dockerArchive([["Bad Name", "dir:/etc", "good:1"]]));
  expect(given).toEqual(["docker.io/library/good:1"]);
  expect(temporary.warnings).toEqual([
    expect.stringContaining('"Bad Name" is left out'),
    expect.stringContaining('"dir:/etc" is left out'),
  ]);
});

test("an image that is here with its manifest and compressed layers keeps them", async () => {
  const shelf = createImageShelf();
  const [layer = Buffer.alloc(0)] = layers;
  const { descriptor, manifest } = shelf.addImage("image", "1", { layers: [{ tar: layer, compression: "gzip" }] });
  const blob = (digest: string) => ({ path: `blobs/sha256/${digest.slice(7)}`, content: shelf.findBlob(digest) ?? "" });
  const layout = tar([
    json("index.json", { schemaVersion: 2, manifests: [descriptor] }),
    { path: `blobs/sha256/${descriptor.digest.slice(7)}`, content: shelf.findManifest("image", "1")?.bytes ?? "" },
    ...[manifest.config, ...manifest.layers].map(({ digest }) => blob(digest)),
  ]);
  const path = join(store.root, "layout.tar");
  writeFileSync(path, layout);
  await pullHere(context, store, `oci-archive:${path}`);
  const archive = tar([
    json("manifest.json", [{ Config: "c.json", RepoTags: ["a:1"], Layers: ["l.tar"] }]),
    { path: "c.json", content: shelf.findBlob(manifest.config.digest) ?? "" },
    { path: "l.tar", content: layer },
  ]);
  const [loaded] = await load(archive);
  expect(loaded).toMatchObject({ id: manifest.config.digest, manifest: descriptor.digest });
});
