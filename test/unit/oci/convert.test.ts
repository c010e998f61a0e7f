import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import {
  convertIndex,
  convertManifest,
  encodeManifest,
  isImage,
  layerTypeIn,
  repackedLayer,
} from "../../../src/oci/convert.ts";
import { type Descriptor, mediaTypes } from "../../../src/oci/descriptor.ts";
import { digestOf } from "../../../src/oci/digest.ts";
import type { Manifest } from "../../../src/oci/image.ts";
import { parseManifest } from "../../../src/oci/parse.ts";

const descriptor = (mediaType: string, text = "x"): Descriptor => ({
  mediaType,
  digest: digestOf(text),
  size: text.length,
});

const dockerLayers = fc.array(
  fc.record({
    mediaType: fc.constantFrom(mediaTypes.dockerLayer, mediaTypes.dockerLayerGzip, mediaTypes.dockerForeignLayerGzip),
    text: fc.string(),
  }),
);

const dockerManifest = (layers: readonly Descriptor[]): Manifest => ({
  schemaVersion: 2,
  mediaType: mediaTypes.dockerManifest,
  config: descriptor(mediaTypes.dockerConfig),
  layers,
});

describe("between docker's form and OCI's", () => {
  test("there and back is the same, by its bytes, and OCI's reader reads what is between", () => {
    fc.assert(
      fc.property(dockerLayers, (layers) => {
        const docker = convertManifest(
          dockerManifest(layers.map(({ mediaType, text }) => descriptor(mediaType, text))),
          "docker",
        );
        const oci = convertManifest(docker, "oci");
        expect(parseManifest(encodeManifest(oci), mediaTypes.ociManifest)).toEqual(oci);
        const back = convertManifest(oci, "docker");
        expect(back).toEqual(docker);
      }),
    );
  });

  test("what is of the form already stays what it is", () => {
    const manifest = { ...dockerManifest([]), annotations: { a: "b" } };
    expect(convertManifest(manifest, "docker")).toBe(manifest);
  });

  test("docker's has no place for annotations, a subject, embedded content", () => {
    const layer = { ...descriptor(mediaTypes.ociLayerGzip), annotations: { a: "b" }, data: "eA==" };
    const oci: Manifest = {
      schemaVersion: 2,
      mediaType: mediaTypes.ociManifest,
      config: descriptor(mediaTypes.ociConfig),
      layers: [layer],
      subject: descriptor(mediaTypes.ociManifest),
      annotations: { a: "b" },
    };
    expect(convertManifest(oci, "docker")).toEqual(dockerManifest([descriptor(mediaTypes.dockerLayerGzip)]));
  });

  test.each([mediaTypes.ociLayerZstd, mediaTypes.ociForeignLayer, mediaTypes.dockerLayerZstd])(
    "docker cannot name %s",
    (type) => {
      expect(() => layerTypeIn("docker", type)).toThrow(type);
    },
  );

  test("an index lists what it is given, and keeps what else it says", () => {
    const listed = [{ ...descriptor(mediaTypes.ociManifest), platform: { os: "linux", architecture: "arm64" } }];
    const index = { schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests: [], annotations: { a: "b" } } as const;
    expect(convertIndex(index, "oci", listed)).toEqual({ ...index, manifests: listed });
    const annotated = listed.map((entry) => ({ ...entry, annotations: { c: "d" }, artifactType: "e/f" }));
    expect(convertIndex(index, "docker", annotated)).toEqual({
      schemaVersion: 2,
      mediaType: mediaTypes.dockerManifestList,
      manifests: listed,
    });
  });
});

test("a layer that is packed otherwise loses what described its bytes, and no more", () => {
  const annotations = {
    "io.github.containers.zstd-chunked.manifest-checksum": "x",
    "io.containers.zstd-chunked.manifest-position": "1:2:3:1",
    "com.example.note": "stays",
  };
  const layer = { ...descriptor(mediaTypes.ociLayerZstd), annotations, data: "eA==" };
  expect(repackedLayer(layer, "oci", "gzip", { digest: digestOf("new"), size: 3 })).toEqual({
    mediaType: mediaTypes.ociLayerGzip,
    digest: digestOf("new"),
    size: 3,
    annotations: { "com.example.note": "stays" },
  });
});

test("an image has the config and the layers of one", () => {
  expect(isImage(dockerManifest([descriptor(mediaTypes.ociLayer)]))).toBe(true);
  expect(isImage(dockerManifest([descriptor("application/vnd.cncf.helm.chart.content.v1.tar+gzip")]))).toBe(false);
  expect(isImage({ ...dockerManifest([]), config: descriptor("application/vnd.oci.empty.v1+json") })).toBe(false);
});
