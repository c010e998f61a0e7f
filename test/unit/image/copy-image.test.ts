/** Copies between all kinds of files: what arrives is what was there, or nothing is. */
import { afterAll, describe, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { copyBetween } from "../../../src/image/copy/copy.ts";
import { type CopyOptions, copyImage } from "../../../src/image/copy/copy-image.ts";
import { openArchiveDestination } from "../../../src/image/destinations/archive-destination.ts";
import type { ImageDestination } from "../../../src/image/destinations/destination.ts";
import { openDestination } from "../../../src/image/destinations/open-destination.ts";
import { openSource } from "../../../src/image/sources/open-source.ts";
import type { ImageSource } from "../../../src/image/sources/source.ts";
import { type Descriptor, mediaTypes } from "../../../src/oci/descriptor.ts";
import { digestOf } from "../../../src/oci/digest.ts";
import { parseReference } from "../../../src/oci/reference.ts";
import { createImageShelf } from "../../helpers/image-shelf.ts";
import { shelfSource } from "../../helpers/shelf-source.ts";
import { tar } from "../../helpers/tar-builder.ts";
import { temporaryStore } from "../../helpers/temporary-store.ts";

const base = mkdtempSync(join(tmpdir(), "devbox-copies-"));
const { context, store, ...temporary } = temporaryStore();
afterAll(() => {
  rmSync(base, { recursive: true, force: true });
  temporary[Symbol.dispose]();
});

let count = 0;
const fresh = (): string => join(base, `${count++}`);
const plain: CopyOptions = {
  platform: { os: "linux", architecture: "amd64" },
  all: false,
  packing: undefined,
  names: [],
  preserveDigests: false,
};
const between = { ...plain, sourceAccess: { tlsVerify: true }, destinationAccess: { tlsVerify: true } };
const copyTo = async (source: ImageSource, reference: string, options: Partial<CopyOptions> = {}) => {
  await using destination = await openDestination(context, parseReference(reference), { tlsVerify: true });
  const copied = await copyImage(context, store, source, destination, { ...plain, ...options });
  await destination.commit();
  return copied;
};
const copy = (from: string, to: string, options: Partial<CopyOptions> = {}) =>
  copyBetween(context, store, parseReference(from), parseReference(to), { ...between, ...options });
const manifestOf = async (reference: string) => {
  await using source = await openSource(context, store, parseReference(reference), { tlsVerify: true });
  const { descriptor, bytes } = await source.fetchManifest(undefined);
  return { descriptor, document: JSON.parse(Buffer.from(bytes).toString()) };
};

const shelf = createImageShelf();
const layers = ["one", "two"].map((name) => tar([{ path: name, content: name.repeat(5000) }]));
const image = shelf.addImage("image", "gzip", { layers: layers.map((each) => ({ tar: each, compression: "gzip" })) });
shelf.addImage("image", "zstd", { layers: layers.map((each) => ({ tar: each, compression: "zstd" })) });
const bare = shelf.addImage("image", "none", { layers: layers.map((each) => ({ tar: each, compression: "none" })) });
const config = shelf.addBlob(Buffer.from("{}"), "application/vnd.oci.empty.v1+json");
const artifact = shelf.addManifest("image", "artifact", {
  schemaVersion: 2,
  mediaType: mediaTypes.ociManifest,
  artifactType: "application/vnd.example",
  config,
  layers: [shelf.addBlob(Buffer.from("a file"), "text/plain")],
  unknown: { to: "devbox" },
});
const platforms = [
  { ...image.descriptor, platform: { os: "linux", architecture: "amd64" }, annotations: { kept: "yes" } },
  {
    ...shelf.addImage("image", "arm", {
      architecture: "arm64",
      layers: [{ tar: layers[0] ?? Buffer.alloc(0), compression: "none" }],
    }).descriptor,
    platform: { os: "linux", architecture: "arm64" },
  },
  { ...artifact, platform: { os: "unknown", architecture: "unknown" } },
];
shelf.addManifest(
  "image",
  "index",
  { schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests: platforms, annotations: { of: "the index" } },
  mediaTypes.ociIndex,
);
const from = (tag: string, change?: (bytes: Uint8Array) => Uint8Array) => shelfSource(shelf, "image", tag, change);

const kinds = ["oci", "oci-archive", "dir"] as const;

test("there and back over any places that hold OCI manifests: the same digests, and the same bytes again in an archive", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.constantFrom(...kinds), { minLength: 1, maxLength: 3 }),
      fc.constantFrom("gzip", "zstd", "none", "artifact", "index"),
      async (path, tag) => {
        const [first, second] = [fresh(), fresh()];
        const all = { all: true, names: ["n"] };
        const wanted = await copyTo(from(tag), `oci-archive:${first}`, all);
        let place = `oci-archive:${first}:n`;
        for (const kind of path) {
          const next = kind === "dir" ? `dir:${fresh()}` : `${kind}:${fresh()}:n`;
          expect(await copy(place, next, all)).toEqual(wanted);
          place = next;
        }
        await copy(place, `oci-archive:${second}:n`, all);
        expect(digestOf(readFileSync(second))).toBe(digestOf(readFileSync(first)));
        expect(wanted.digest).toBe(shelf.findManifest("image", tag)?.descriptor.digest ?? digestOf(""));
      },
    ),
    { numRuns: 25 },
  );
});

describe("docker's archives", () => {
  test("hold plain layers under their diffIDs; what comes back has the config that it had", async () => {
    for (const tag of ["gzip", "zstd", "none"]) {
      const file = fresh();
      await copyTo(from(tag), `docker-archive:${file}`, { names: ["docker.io/library/x:1"] });
      const { document } = await manifestOf(`docker-archive:${file}:x:1`);
      expect(document.layers.map(({ digest }: { digest: string }) => digest)).toEqual(
        layers.map((each) => digestOf(each)),
      );
      expect(document.config.digest).toBe(image.manifest.config.digest);
    }
  });

  test("several images: a layer that they share is in it once, a name moves to the last", async () => {
    const file = fresh();
    await using destination = openArchiveDestination("docker-archive", { kind: "file", path: file }, "saved");
    await copyImage(context, store, from("gzip"), destination, { ...plain, names: ["x:1", "y:1"] });
    await copyImage(context, store, from("arm"), destination, { ...plain, platform: undefined, names: ["x:1"] });
    await destination.commit();
    const [first, second] = JSON.parse((await Bun.$`tar xOf ${file} manifest.json`.text()) || "[]");
    expect([first.RepoTags, second.RepoTags]).toEqual([["y:1"], ["x:1"]]);
    const members = (await Bun.$`tar tf ${file}`.text()).trim().split("\n");
    expect(members.filter((name) => name.endsWith(".tar"))).toHaveLength(2);
    expect(first.Layers).toContain(second.Layers[0]);
  });

  test("hold no index, no artifact, and no name without a tag", async () => {
    const target = `docker-archive:${fresh()}`;
    await expect(copyTo(from("index"), target, { all: true })).rejects.toMatchObject({
      code: "UNSUPPORTED_MEDIA_TYPE",
    });
    await expect(copyTo(from("artifact"), target)).rejects.toMatchObject({ code: "UNSUPPORTED_MEDIA_TYPE" });
    await expect(copyTo(from("gzip"), target, { names: ["x"] })).rejects.toMatchObject({ code: "USAGE" });
    expect(readdirSync(base).filter((name) => name.startsWith("."))).toEqual([]);
  });
});

describe("what must change is changed, and nothing else", () => {
  test.each([
    ["gzip", "zstd"],
    ["zstd", "gzip"],
    ["none", "gzip"],
    ["gzip", "none"],
  ] as const)("layers of %s packed with %s unpack to the same", async (tag, compression) => {
    const place = `oci:${fresh()}:n`;
    const copied = await copyTo(from(tag), place, { names: ["n"], packing: { compression } });
    const { descriptor, document } = await manifestOf(place);
    expect(descriptor.digest).toBe(copied.digest);
    expect(document.config).toEqual(image.manifest.config);
    const again = await copyTo(
      await openSource(context, store, parseReference(place), { tlsVerify: true }),
      `oci:${fresh()}`,
      {
        packing: { compression: "none" },
      },
    );
    expect(again.digest).toBe(bare.descriptor.digest);
  });

  test("with a level, what is packed so already is packed again; without one it stays", async () => {
    const stays = await copyTo(from("gzip"), `oci:${fresh()}`, { packing: { compression: "gzip" } });
    expect(stays.digest).toBe(image.descriptor.digest);
    const again = await copyTo(from("gzip"), `oci:${fresh()}`, { packing: { compression: "gzip", level: 9 } });
    expect(again.digest).not.toBe(image.descriptor.digest);
  });

  test("an index lists what was packed anew, with platform and annotations, and artifacts as they were", async () => {
    const place = `oci:${fresh()}:n`;
    await copyTo(from("index"), place, { all: true, names: ["n"], packing: { compression: "zstd" } });
    const { document } = await manifestOf(place);
    expect(document.annotations).toEqual({ of: "the index" });
    const [first, second, third] = document.manifests;
    expect(first).toMatchObject({ platform: { architecture: "amd64" }, annotations: { kept: "yes" } });
    expect(first.digest).not.toBe(platforms[0]?.digest);
    expect(second.digest).not.toBe(platforms[1]?.digest);
    expect(third).toEqual(platforms[2]);
  });

  test("docker's form where it is asked for; a layout holds OCI's only", async () => {
    const [docker, layout] = [`dir:${fresh()}`, `oci:${fresh()}:n`];
    const copied = await copyTo(from("gzip"), docker, { form: "docker" });
    expect(copied.mediaType).toBe(mediaTypes.dockerManifest);
    expect((await copy(docker, layout)).digest).toBe(image.descriptor.digest);
    await expect(copyTo(from("zstd"), `dir:${fresh()}`, { form: "docker" })).rejects.toMatchObject({
      code: "UNSUPPORTED_MEDIA_TYPE",
    });
  });

  test("or, with digests preserved, refused before anything is written", async () => {
    const directory = fresh();
    const options = { preserveDigests: true, packing: { compression: "zstd" } } as const;
    await expect(copyTo(from("gzip"), `dir:${directory}`, options)).rejects.toMatchObject({ code: "USAGE" });
    expect(readdirSync(base)).not.toContain(directory.slice(base.length + 1));
    expect((await copyTo(from("zstd"), `dir:${fresh()}`, options)).digest).toBe(
      shelf.findManifest("image", "zstd")?.descriptor.digest ?? digestOf(""),
    );
  });
});

test("indexes that list indexes again and again are copied once", async () => {
  let inner: Descriptor = artifact;
  for (let level = 0; level < 4; level++) {
    const manifests = Array.from({ length: 100 }, () => inner);
    inner = shelf.addManifest("image", `level-${level}`, { schemaVersion: 2, manifests }, mediaTypes.ociIndex);
  }
  let fetched = 0;
  const source = from("level-3");
  const counting: ImageSource = {
    ...source,
    fetchManifest: async (wanted) => {
      fetched += 1;
      return await source.fetchManifest(wanted);
    },
  };
  await copyTo(counting, `oci:${fresh()}`, { all: true });
  expect(fetched).toBe(5);
});

describe("one platform of an index", () => {
  test("is that which was asked for, and no other", async () => {
    const arm = { platform: { os: "linux", architecture: "arm64" } };
    expect((await copyTo(from("index"), `oci:${fresh()}`, arm)).digest).toBe(platforms[1]?.digest ?? digestOf(""));
    await expect(copyTo(from("gzip"), `oci:${fresh()}`, arm)).rejects.toMatchObject({ code: "NO_MATCHING_PLATFORM" });
  });
});

describe("wrong content", () => {
  const flip = (bytes: Uint8Array) => Buffer.concat([bytes.subarray(0, -1), Buffer.of((bytes.at(-1) ?? 0) ^ 1)]);
  const cases = [
    ["a changed byte", flip, "DIGEST_MISMATCH"],
    ["a missing byte", (bytes: Uint8Array) => bytes.subarray(0, -1), "SIZE_MISMATCH"],
    ["one more byte", (bytes: Uint8Array) => Buffer.concat([bytes, Buffer.of(0)]), "SIZE_MISMATCH"],
  ] as const;

  test.each(["oci", "oci-archive", "docker-archive", "dir"])("leaves nothing in %s", async (kind) => {
    for (const [, change, code] of cases) {
      const before = readdirSync(base);
      await expect(copyTo(from("none", change), `${kind}:${fresh()}`)).rejects.toMatchObject({ code });
      expect(readdirSync(base)).toEqual(before);
    }
    expect(readdirSync(store.ingest)).toEqual([]);
  });

  test("is noticed where layers are packed anew, also when only the config lies", async () => {
    await expect(
      copyTo(from("gzip", flip), `oci:${fresh()}`, { packing: { compression: "zstd" } }),
    ).rejects.toMatchObject({
      code: expect.stringMatching(/DIGEST_MISMATCH|LAYER_INVALID/),
    });
    const lying = shelf.addBlob(
      Buffer.from(
        JSON.stringify({
          os: "linux",
          architecture: "amd64",
          rootfs: { type: "layers", diff_ids: [digestOf("else")] },
        }),
      ),
      mediaTypes.ociConfig,
    );
    const [layer] = image.manifest.layers;
    shelf.addManifest("image", "lying", { ...image.manifest, config: lying, layers: [layer] });
    await expect(copyTo(from("lying"), `docker-archive:${fresh()}`)).rejects.toMatchObject({ code: "DIGEST_MISMATCH" });
    expect(readdirSync(store.ingest)).toEqual([]);
  });
});

describe("what is there already", () => {
  test("a layout is added to: other images stay, a name moves, blobs are not written again", async () => {
    const directory = fresh();
    await copyTo(from("gzip"), `oci:${directory}`, { names: ["a"] });
    await copyTo(from("zstd"), `oci:${directory}`, { names: ["b"] });
    const file = join(directory, "index.json");
    const foreign = JSON.parse(readFileSync(file, "utf8"));
    foreign.manifests[1].unknown = { to: "devbox" };
    writeFileSync(file, JSON.stringify(foreign));
    await copyTo(from("none"), `oci:${directory}`, { names: ["a"] });
    const { manifests } = JSON.parse(readFileSync(file, "utf8"));
    expect(manifests).toMatchObject([
      { annotations: { "org.opencontainers.image.ref.name": "b" }, unknown: { to: "devbox" } },
      { annotations: { "org.opencontainers.image.ref.name": "a" }, digest: bare.descriptor.digest },
    ]);
  });

  test("one of skopeo's directories holds the new image only", async () => {
    const directory = fresh();
    await copyTo(from("gzip"), `dir:${directory}`);
    writeFileSync(join(directory, "signature-1"), "not ours");
    await copyTo(from("zstd"), `dir:${directory}`);
    expect(readdirSync(directory).filter((name) => /^[0-9a-f]{64}$/.test(name))).toHaveLength(3);
    expect(readdirSync(directory)).toContain("signature-1");
  });

  test.each(["oci", "dir"])("%s: a directory of something else is left alone", async (kind) => {
    const directory = fresh();
    mkdirSync(directory);
    writeFileSync(join(directory, "thesis.tex"), "years of work");
    await expect(copyTo(from("gzip"), `${kind}:${directory}`)).rejects.toMatchObject({ code: "USAGE" });
    expect(readdirSync(directory)).toEqual(["thesis.tex"]);
  });

  test.each(["oci-archive", "docker-archive"])(
    "%s: a file is replaced when the new one is whole, and not before",
    async (kind) => {
      const file = fresh();
      writeFileSync(file, "what was there");
      await expect(
        copyTo(
          from("none", (bytes) => bytes.subarray(1)),
          `${kind}:${file}`,
        ),
      ).rejects.toThrow();
      expect(readFileSync(file, "utf8")).toBe("what was there");
      await copyTo(from("none"), `${kind}:${file}`);
      expect((await manifestOf(`${kind}:${file}`)).document.layers).toHaveLength(2);
    },
  );
});

test("a cancelled copy ends as one, and leaves nothing", async () => {
  const controller = new AbortController();
  const cancelled = { ...context, signal: controller.signal };
  const file = fresh();
  const before = readdirSync(base);
  const source = from("none", (bytes) => {
    controller.abort();
    return bytes;
  });
  const run = async () => {
    await using destination: ImageDestination = openArchiveDestination(
      "oci-archive",
      { kind: "file", path: file },
      "x",
    );
    await copyImage(cancelled, store, source, destination, plain);
  };
  await expect(run()).rejects.toMatchObject({ code: "INTERRUPTED" });
  expect(readdirSync(base)).toEqual(before);
});
