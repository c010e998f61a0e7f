import { describe, expect, test } from "bun:test";
import { mediaTypes } from "../../../src/oci/descriptor.ts";
import { digestOf } from "../../../src/oci/digest.ts";
import { parseDescriptor, parseIndex, parseManifest, parseManifestDocument } from "../../../src/oci/parse.ts";
import { failureOf } from "../../helpers/failure.ts";

const digest = digestOf("x");
const bytes = (value: unknown): Uint8Array =>
  new TextEncoder().encode(typeof value === "string" ? value : JSON.stringify(value));
const layer = { mediaType: mediaTypes.ociLayerGzip, digest, size: 1 };
const manifest = {
  schemaVersion: 2,
  mediaType: mediaTypes.ociManifest,
  config: { mediaType: mediaTypes.ociConfig, digest, size: 2 },
  layers: [layer, { ...layer, mediaType: mediaTypes.ociLayerZstd }],
};
const index = {
  schemaVersion: 2,
  mediaType: mediaTypes.ociIndex,
  manifests: [{ mediaType: mediaTypes.ociManifest, digest, size: 3 }],
};

describe("the four kinds of documents", () => {
  test("OCI manifest, with and without its mediaType member", () => {
    expect(parseManifest(bytes(manifest))).toEqual(parseManifest(bytes({ ...manifest, mediaType: undefined })));
    expect(parseManifest(bytes(manifest)).layers).toHaveLength(2);
  });

  test("docker schema 2 manifest", () => {
    const docker = {
      schemaVersion: 2,
      mediaType: mediaTypes.dockerManifest,
      config: { mediaType: mediaTypes.dockerConfig, digest, size: 2 },
      layers: [{ ...layer, mediaType: mediaTypes.dockerLayerGzip }],
    };
    expect(parseManifest(bytes(docker), `${mediaTypes.dockerManifest}; charset=utf-8`).mediaType).toBe(
      mediaTypes.dockerManifest,
    );
  });

  test("index and docker manifest list", () => {
    expect(parseIndex(bytes(index)).manifests).toHaveLength(1);
    const list = { ...index, mediaType: mediaTypes.dockerManifestList };
    expect(parseManifestDocument(bytes(list), "application/json").kind).toBe("index");
  });

  test("null where Go writes nothing", () => {
    expect(
      parseManifest(bytes({ ...manifest, layers: [], annotations: null, subject: null })).annotations,
    ).toBeUndefined();
  });

  test("a member __proto__ is a member", () => {
    const text = JSON.stringify(manifest).replace("{", '{"annotations":{"__proto__":"x"},');
    expect(Object.entries(parseManifest(bytes(text)).annotations ?? {})).toEqual([["__proto__", "x"]]);
  });
});

describe("place and reason", () => {
  const broken = (changes: object): unknown => ({ ...manifest, ...changes });
  test.each<[unknown, string]>([
    [broken({ layers: [layer, layer, { ...layer, size: "12" }] }), 'layers[2].size: expected an integer ≥ 0, got "12"'],
    [broken({ layers: [{ ...layer, size: -1 }] }), "layers[0].size: expected an integer ≥ 0, got -1"],
    [broken({ layers: [{ ...layer, size: 1.5 }] }), "layers[0].size: expected an integer ≥ 0, got 1.5"],
    [broken({ layers: [{ ...layer, size: 2 ** 60 }] }), "layers[0].size: expected an integer ≥ 0"],
    [broken({ layers: {} }), "layers: expected a list, got an object"],
    [broken({ layers: undefined }), "layers: expected a list, got nothing"],
    [broken({ layers: Array(1001).fill(layer) }), "layers: it has 1001 items; at most 1000"],
    [broken({ config: null }), "config: expected an object, got null"],
    [broken({ config: { ...manifest.config, digest: "sha256:12" } }), "config.digest: a sha256 digest has 64"],
    [broken({ annotations: { a: 1 } }), "annotations.a: expected a string, got 1"],
    [broken({ schemaVersion: 3 }), "schemaVersion: expected 2, got 3"],
    [broken({ manifests: [] }), "manifests: not allowed"],
    [broken({ layers: [{ ...layer, urls: ["a\0b"] }] }), "urls[0]: expected a string without NUL"],
    [[], "expected an object, got a list"],
    ["{", "not valid JSON"],
    ["", "not valid JSON"],
  ])("case %#", (document, reason) => {
    const error = failureOf(() => parseManifest(bytes(document)));
    expect(error.code).toBe("BAD_MANIFEST");
    expect(error.because).toContain(reason);
  });

  test("more than 4 MiB", () => {
    expect(failureOf(() => parseManifest(new Uint8Array(4 * 1024 * 1024 + 1))).because).toContain("at most 4194304");
  });

  test("invalid UTF-8", () => {
    expect(failureOf(() => parseManifest(new Uint8Array([0x22, 0xff, 0x22]))).because).toContain("not valid JSON");
  });

  test("one where the other is expected", () => {
    expect(failureOf(() => parseManifest(bytes(index))).because).toBe("it is an image index");
    expect(failureOf(() => parseIndex(bytes(manifest))).because).toBe("it is an image manifest");
    expect(failureOf(() => parseIndex(new TextEncoder().encode("{"))).step).toBe("read image index");
  });
});

describe("one document has one meaning (CVE-2021-41190)", () => {
  test("header and member differ", () => {
    const error = failureOf(() => parseManifestDocument(bytes(manifest), mediaTypes.dockerManifest));
    expect(error.because).toContain(`mediaType: expected ${mediaTypes.dockerManifest}`);
  });

  test("an index with layers", () => {
    expect(failureOf(() => parseIndex(bytes({ ...index, layers: [layer] }))).because).toContain("layers: not allowed");
  });

  test("a manifest that the header calls an index", () => {
    const untyped = { ...manifest, mediaType: undefined };
    expect(failureOf(() => parseManifestDocument(bytes(untyped), mediaTypes.ociIndex)).because).toContain(
      "config: not allowed",
    );
  });
});

describe("unknown media types are refused by name", () => {
  test.each<[object, string | undefined, string]>([
    [{ schemaVersion: 1, fsLayers: [] }, undefined, "docker schema 1"],
    [{ schemaVersion: 1 }, "application/vnd.docker.distribution.manifest.v1+prettyjws", "manifest.v1+prettyjws"],
    [{ ...manifest, mediaType: "application/x-odd" }, undefined, "application/x-odd"],
    [manifest, "application/x-other", ""],
    [
      { ...manifest, config: { ...manifest.config, mediaType: "application/vnd.cncf.helm.config.v1+json" } },
      undefined,
      "helm.config",
    ],
    [{ ...manifest, layers: [{ ...layer, mediaType: "application/x-layer" }] }, undefined, "application/x-layer"],
  ])("%#", (document, header, name) => {
    const error = failureOf(() => parseManifest(bytes(document), header));
    expect(error.code).toBe(header === "application/x-other" ? "BAD_MANIFEST" : "UNSUPPORTED_MEDIA_TYPE");
    expect(error.because).toContain(name);
  });
});

test("a descriptor alone, with all it may have", () => {
  const full = {
    ...layer,
    urls: ["https://example.org/x"],
    annotations: { a: "b" },
    data: "eA==",
    artifactType: "application/x",
    platform: { os: "linux", architecture: "arm", variant: "v7", "os.version": "1", "os.features": ["f"] },
  };
  expect(parseDescriptor(full)).toEqual(full);
  expect(parseDescriptor({ ...full, unknown: 1 })).toEqual(full);
});
