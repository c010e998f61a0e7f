/** Images in files: layouts, `docker save`, plain and compressed. */
import { afterAll, describe, expect, test } from "bun:test";
import { closeSync, mkdirSync, mkdtempSync, openSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { openSource } from "../../../src/image/sources/open-source.ts";
import { indexTar } from "../../../src/image/sources/tar-index.ts";
import { mediaTypes } from "../../../src/oci/descriptor.ts";
import { digestOf } from "../../../src/oci/digest.ts";
import { parseReference } from "../../../src/oci/reference.ts";
import { createImageShelf } from "../../helpers/image-shelf.ts";
import { extension, paxRecords, type TarItem, tar } from "../../helpers/tar-builder.ts";
import { temporaryStore } from "../../helpers/temporary-store.ts";

const base = mkdtempSync(join(tmpdir(), "devbox-archives-"));
const temporary = temporaryStore();
afterAll(() => {
  rmSync(base, { recursive: true, force: true });
  temporary[Symbol.dispose]();
});

const open = (reference: string) =>
  openSource(temporary.context, temporary.store, parseReference(reference), { tlsVerify: true });
const put = (name: string, bytes: Uint8Array): string => {
  writeFileSync(join(base, name), bytes);
  return join(base, name);
};
const text = async (stream: AsyncIterable<Uint8Array>) => Buffer.concat(await Array.fromAsync(stream)).toString();

const layer = tar([{ path: "hello", content: "hello" }]);
const shelf = createImageShelf();
const { descriptor, manifest } = shelf.addImage("image", "latest", { layers: [{ tar: layer, compression: "gzip" }] });
const other = shelf.addImage("image", "other", { layers: [] }).descriptor;

function layoutFiles(...images: readonly object[]): TarItem[] {
  const contents = [shelf.findManifest("image", "latest")?.bytes, shelf.findManifest("image", "other")?.bytes];
  const blobs = [...contents, ...[manifest.config, ...manifest.layers].map(({ digest }) => shelf.findBlob(digest))];
  return [
    { path: "oci-layout", content: '{"imageLayoutVersion":"1.0.0"}' },
    { path: "index.json", content: JSON.stringify({ schemaVersion: 2, manifests: images }) },
    ...blobs.flatMap((content) =>
      content === undefined ? [] : [{ path: `blobs/sha256/${digestOf(content).slice(7)}`, content }],
    ),
  ];
}

const named = (image: object, name: string, key = "org.opencontainers.image.ref.name") => ({
  ...image,
  annotations: { [key]: name },
});

describe.each(["directory", "archive", "compressed archive"])("a layout in a %s", (kind) => {
  function place(label: string, ...images: readonly object[]): string {
    const name = `${kind.replace(" ", "-")}-${label}`;
    const files = layoutFiles(...images);
    if (kind === "archive") return `oci-archive:${put(name, tar(files))}`;
    if (kind === "compressed archive") return `oci-archive:${put(name, gzipSync(tar(files)))}`;
    for (const { path, content } of files) {
      mkdirSync(join(base, name, String(path), ".."), { recursive: true });
      writeFileSync(join(base, name, String(path)), content ?? "");
    }
    return `oci:${join(base, name)}`;
  }

  test("gives out manifest, config and layers, from any offset", async () => {
    await using source = await open(place("one", descriptor));
    expect(await source.resolve()).toMatchObject({ digest: descriptor.digest });
    expect((await source.fetchManifest(undefined)).bytes).toEqual(
      Buffer.from(shelf.findManifest("image", "latest")?.bytes ?? ""),
    );
    expect(digestOf(await source.fetchSmallBlob(manifest.config, 10_000))).toBe(manifest.config.digest);
    const [blob] = manifest.layers;
    if (blob === undefined) throw new Error("no layer");
    const { stream, offset } = await source.fetchBlob(blob, { offset: 5 });
    const rest = Buffer.concat(await Array.fromAsync(stream));
    expect(offset).toBe(5);
    expect(rest).toEqual(Buffer.from(shelf.findBlob(blob.digest) ?? "").subarray(5));
  });

  test("finds an image by its name, and asks for one where there are several", async () => {
    const both = place("two", named(descriptor, "a"), named(other, "docker.io/x:1", "io.containerd.image.name"));
    await using a = await open(`${both}:a`);
    expect(await a.resolve()).toMatchObject({ digest: descriptor.digest });
    await using x = await open(`${both}:docker.io/x:1`);
    expect(await x.resolve()).toMatchObject({ digest: other.digest });
    await using none = await open(both);
    await expect(none.resolve()).rejects.toMatchObject({
      code: "IMAGE_NOT_FOUND",
      because: "2 images are there; names: a, docker.io/x:1",
    });
  });

  test("refuses content that is not what its name says", async () => {
    await using source = await open(place("bad", { ...descriptor, digest: digestOf("else"), size: 4 }));
    await expect(source.fetchManifest(undefined)).rejects.toMatchObject({ code: "BAD_MANIFEST" });
    await using small = await open(place("small", { ...descriptor, size: 3 }));
    await expect(small.fetchManifest(undefined)).rejects.toMatchObject({ code: "SIZE_MISMATCH" });
  });
});

test("nothing of an unpacked archive stays in the store", () => {
  expect(readdirSync(temporary.store.ingest)).toEqual([]);
});

describe("docker save", () => {
  const config = JSON.stringify({
    os: "linux",
    architecture: "amd64",
    rootfs: { type: "layers", diff_ids: [digestOf(layer), digestOf(layer)] },
  });
  const saved = (layers: readonly string[], tags: readonly string[] | null = ["debian:12"]) =>
    JSON.stringify([{ Config: "config.json", RepoTags: tags, Layers: layers }]);
  const packed = gzipSync(layer);
  const archive = tar([
    { path: "manifest.json", content: saved(["one/layer.tar", "two/layer.tar"]) },
    { path: "config.json", content: config },
    { path: "one/layer.tar", content: layer },
    { path: "two/layer.tar", type: "2", link: "../one/layer.tar" },
  ]);

  test("plain layers, the second a link to the first", async () => {
    await using source = await open(`docker-archive:${put("saved.tar", archive)}`);
    const { bytes, descriptor: made } = await source.fetchManifest(undefined);
    expect(digestOf(bytes)).toBe(made.digest);
    const translated = JSON.parse(Buffer.from(bytes).toString());
    const plain = { mediaType: mediaTypes.ociLayer, digest: digestOf(layer), size: layer.length };
    expect(translated.layers).toEqual([plain, plain]);
    expect(Buffer.from(await source.fetchSmallBlob(translated.config, 10_000)).toString()).toBe(config);
    expect(digestOf(await text((await source.fetchBlob(plain, { offset: 0 })).stream))).toBe(digestOf(layer));
  });

  test("a compressed layer has the digest of its file", async () => {
    const file = put(
      "packed.tar",
      tar([
        { path: "manifest.json", content: saved(["l"]) },
        { path: "config.json", content: config },
        { path: "l", content: packed },
      ]),
    );
    await using source = await open(`docker-archive:${file}`);
    const { bytes } = await source.fetchManifest(undefined);
    expect(JSON.parse(Buffer.from(bytes).toString()).layers).toEqual([
      { mediaType: mediaTypes.ociLayerGzip, digest: digestOf(packed), size: packed.length },
    ]);
  });

  test("an image is found by any spelling of its name", async () => {
    const file = put("named.tar", archive);
    for (const name of ["debian:12", "docker.io/library/debian:12"]) {
      await using source = await open(`docker-archive:${file}:${name}`);
      expect((await source.resolve()).mediaType).toBe(mediaTypes.ociManifest);
    }
    await using source = await open(`docker-archive:${file}:debian:13`);
    await expect(source.resolve()).rejects.toMatchObject({ code: "IMAGE_NOT_FOUND" });
  });

  test("a layer that is not there is named", async () => {
    const file = put(
      "short.tar",
      tar([
        { path: "manifest.json", content: saved(["gone"], null) },
        { path: "config.json", content: config },
      ]),
    );
    await using source = await open(`docker-archive:${file}`);
    await expect(source.resolve()).rejects.toMatchObject({
      code: "BAD_MANIFEST",
      step: `read gone of docker-archive:${file}`,
    });
  });
});

describe("what is no image", () => {
  test("is refused by what it is", async () => {
    const garbage = put("garbage", Buffer.from("#!/bin/sh\n".repeat(100)));
    await expect(open(`oci-archive:${garbage}`)).rejects.toMatchObject({ code: "LAYER_INVALID" });
    await expect(open(`oci-archive:${put("cut.gz", gzipSync(layer).subarray(0, 30))}`)).rejects.toMatchObject({
      code: "LAYER_INVALID",
    });
    await expect(open(`docker-archive:${join(base, "nothing")}`)).rejects.toMatchObject({ code: "IMAGE_NOT_FOUND" });
    await expect(open(`oci:${join(base, "nothing")}`)).rejects.toMatchObject({ code: "IMAGE_NOT_FOUND" });
    await expect(open(`dir:${base}`)).rejects.toMatchObject({ code: "USAGE" });
    await using empty = await open(`oci-archive:${put("empty.tar", tar([]))}`);
    await expect(empty.resolve()).rejects.toMatchObject({ code: "BAD_MANIFEST" });
  });
});

describe("an image of another kind says which", () => {
  const layout = put("other-layout.tar", tar([{ path: "index.json", content: "{}" }]));
  const saved = put("other-saved.tar", tar([{ path: "manifest.json", content: "[]" }]));
  test.each([
    [`docker-archive:${layout}`, "BAD_MANIFEST", "oci-archive:"],
    [`oci-archive:${saved}`, "BAD_MANIFEST", "docker-archive:"],
    [`docker-archive:${base}`, "IMAGE_NOT_FOUND", "oci:DIR"],
    [`oci-archive:${base}`, "IMAGE_NOT_FOUND", "oci:DIR"],
    [`oci:${saved}`, "IMAGE_NOT_FOUND", "docker-archive:"],
  ] as const)("%s", async (reference, code, hint) => {
    const resolve = async () => await (await open(reference)).resolve();
    await expect(resolve()).rejects.toMatchObject({ code, hint: expect.stringContaining(hint) });
  });

  test("an index that cannot be read is named", async () => {
    await using source = await open(`oci-archive:${layout}`);
    await expect(source.resolve()).rejects.toMatchObject({
      step: expect.stringContaining(`index.json of oci-archive:${layout}`),
    });
  });
});

test("the index of a tar knows long names of both kinds, and where each member lies", () => {
  const long = `${"d".repeat(120)}/file`;
  const bytes = Buffer.concat([
    tar([{ path: "x", content: "pax", pax: { path: `./${long}1` } }], false),
    extension("L", `${long}2\0`),
    tar([{ path: "x", content: "gnu" }], false),
    extension("g", paxRecords([["comment", "no member"]])),
    tar([
      { path: "dir/" },
      { path: "same", content: "first" },
      { path: "same", content: "second" },
      { path: "hard", type: "1", link: "./same" },
      { path: "a b/soft", type: "2", link: "../%73ame/../same" },
      { path: "a b/out", type: "2", link: "../../../etc/passwd" },
      { path: "odd", type: "2", link: "http://[::" },
    ]),
  ]);
  const fd = openSync(put("index.tar", bytes), "r");
  const members = indexTar(fd);
  closeSync(fd);
  const contents = [...members].map(([name, { offset, size }]) => [
    name,
    bytes.toString("latin1", offset, offset + size),
  ]);
  expect(contents).toEqual([
    [`${long}1`, "pax"],
    [`${long}2`, "gnu"],
    ["same", "second"],
    ["hard", "second"],
    ["a b/soft", "second"],
  ]);
});
