import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import {
  artifactFiles,
  artifactTypeOf,
  buildArtifact,
  isMediaType,
  referrerOf,
  titled,
} from "../../../src/oci/artifact.ts";
import { type Descriptor, mediaTypes } from "../../../src/oci/descriptor.ts";
import { digestOf } from "../../../src/oci/digest.ts";
import type { Manifest } from "../../../src/oci/image.ts";
import { parseAnyManifest } from "../../../src/oci/parse.ts";
import { failureOf } from "../../helpers/failure.ts";

const blob = (text: string, mediaType = "text/plain"): Descriptor => ({
  mediaType,
  digest: digestOf(text),
  size: text.length,
});
const contents = { artifactType: "application/x.test", config: undefined, subject: undefined, annotations: {} };
const of = (...files: Descriptor[]): Manifest => buildArtifact({ ...contents, files }).manifest;
const pathsOf = (manifest: Manifest): string[] => artifactFiles(manifest).map(({ path }) => path);

describe("the files", () => {
  test("are named by their titles, in their order, directories allowed", () => {
    expect(pathsOf(of(titled(blob("1"), "b.txt"), titled(blob("2"), "a/b/c d.json")))).toEqual([
      "b.txt",
      "a/b/c d.json",
    ]);
  });

  test("the same content under two titles is two files", () => {
    expect(pathsOf(of(titled(blob("1"), "one"), titled(blob("1"), "two")))).toEqual(["one", "two"]);
  });

  test("without a title: named by the digest, and once", () => {
    expect(pathsOf(of(blob("1"), blob("1")))).toEqual([digestOf("1").slice("sha256:".length)]);
  });

  test("an artifact without files has none, though it has a layer", () => {
    expect(of().layers.map(({ mediaType }) => mediaType)).toEqual(["application/vnd.oci.empty.v1+json"]);
    expect(artifactFiles(of())).toEqual([]);
  });

  test("a directory that oras has packed is told", () => {
    const annotations = { "org.opencontainers.image.title": "docs", "io.deis.oras.content.unpack": "true" };
    expect(artifactFiles(of({ ...blob("1"), annotations }))).toMatchObject([{ path: "docs", isPackedDirectory: true }]);
  });

  test.each([
    ["", "empty"],
    ["/etc/passwd", "absolute"],
    ["..", "leads out"],
    ["a/../../b", "leads out"],
    ["a//b", "no plain path"],
    ["./a", "no plain path"],
    ["a/", "no plain path"],
    [".", "no plain path"],
    ["a\nb", "control"],
    ["a\u001b[2J", "control"],
    ["a\u009b2J", "control"],
    ["a\u0000", "control"],
    ["a\ud800", "UTF-8"],
    ["ü".repeat(128), "longer"],
    ["a/".repeat(2048).concat("b"), "longer"],
  ])("the title %j is refused", (title, because) => {
    const failure = failureOf(() => artifactFiles(of(blob("0"), titled(blob("1"), title))));
    expect(failure.code).toBe("BAD_MANIFEST");
    expect(failure.step).toContain("layers[1]");
    expect(failure.because).toContain(because);
    expect(failure.message).not.toMatch(/\p{Cc}/u);
  });

  test("two of one name are refused, and one where another has its directory", () => {
    const twice = failureOf(() => artifactFiles(of(titled(blob("1"), "a"), titled(blob("2"), "a"))));
    expect(twice.because).toBe('"a": two files have this name');
    for (const files of [
      [titled(blob("1"), "a"), titled(blob("2"), "a/b/c")],
      [titled(blob("2"), "a/b/c"), titled(blob("1"), "a")],
    ]) {
      expect(failureOf(() => artifactFiles(of(...files))).because).toBe('"a/b/c": a is a file');
    }
  });

  test("a title that is the digest of an untitled layer is no way around it", () => {
    const name = digestOf("1").slice("sha256:".length);
    expect(failureOf(() => artifactFiles(of(blob("1"), titled(blob("2"), name)))).code).toBe("BAD_MANIFEST");
  });

  test("whatever the titles are: refused, or below the directory and different", () => {
    const name = fc.oneof(fc.constantFrom("..", ".", "", "a", "b"), fc.string({ unit: "binary", maxLength: 3 }));
    const titles = fc.array(
      fc.array(name, { maxLength: 4 }).map((names) => names.join("/")),
      { maxLength: 4 },
    );
    fc.assert(
      fc.property(titles, (all) => {
        const manifest = of(...all.map((title, index) => titled(blob(`${index}`), title)));
        let paths: string[];
        try {
          paths = pathsOf(manifest);
        } catch {
          return;
        }
        expect(new Set(paths).size).toBe(paths.length);
        for (const path of paths) {
          const url = new URL(path.split("/").map(encodeURIComponent).join("/"), "file:///root/dir/");
          expect(url.pathname.startsWith("/root/dir/")).toBe(true);
          expect(path).not.toContain("\0");
        }
      }),
    );
  });
});

describe("a manifest that is made", () => {
  test("a dev-container Feature is the same, byte for byte, as the one that its reference implementation makes", () => {
    const layer = {
      mediaType: "application/vnd.devcontainers.layer.v1+tar",
      digest: "sha256:b2006e7647191f7b47222ae48df049c6e21a4c5a04acfad0c4ef614d819de4c5" as const,
      size: 15872,
    };
    const { descriptor, empty, manifest } = buildArtifact({
      ...contents,
      artifactType: undefined,
      config: blob("", "application/vnd.devcontainers"),
      files: [titled(layer, "go.tgz")],
    });
    // ghcr.io/codspace/features/go@…, which the tests of devcontainers/cli name.
    expect(descriptor.digest).toBe("sha256:9726054859c13377c4c3c3c73d15065de59d0c25d61d5652576c0125f2ea8ed3");
    expect(empty).toBeUndefined();
    expect(artifactTypeOf(manifest)).toBe("application/vnd.devcontainers");
  });

  test("without a config it has the empty one and a type, asked for or not", () => {
    const { empty, manifest } = buildArtifact({ ...contents, artifactType: undefined, files: [blob("1")] });
    expect(manifest.config).toEqual({
      mediaType: "application/vnd.oci.empty.v1+json",
      digest: "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a",
      size: 2,
    });
    expect(empty?.descriptor).toEqual(manifest.config);
    expect(artifactTypeOf(manifest)).toBe("application/vnd.unknown.artifact.v1");
    expect(of().artifactType).toBe("application/x.test");
  });

  test("is read back as it is, and the order of annotations changes nothing", () => {
    const annotations = { "org.z": "1", "org.a": "2" };
    const subject = { ...blob("image", mediaTypes.ociManifest), annotations: { "of.the": "index" } };
    const made = buildArtifact({ ...contents, files: [titled(blob("1"), "one")], subject, annotations });
    expect(parseAnyManifest(made.bytes, mediaTypes.ociManifest)).toEqual({ kind: "manifest", manifest: made.manifest });
    expect(made.manifest.subject).toEqual(blob("image", mediaTypes.ociManifest));
    const other = buildArtifact({
      ...contents,
      files: [titled(blob("1"), "one")],
      subject,
      annotations: { "org.a": "2", "org.z": "1" },
    });
    expect(other.descriptor).toEqual(made.descriptor);
  });

  test("the referrer that a registry lists has type and annotations of the manifest", () => {
    const made = buildArtifact({ ...contents, files: [], annotations: { a: "b" } });
    expect(referrerOf(made)).toEqual({
      ...made.descriptor,
      artifactType: "application/x.test",
      annotations: { a: "b" },
    });
  });

  test("the referrer of an index has a type only where the index has one; what another index says of it stays behind", () => {
    const descriptor = blob("index", mediaTypes.ociIndex);
    const manifest = {
      schemaVersion: 2,
      mediaType: mediaTypes.ociIndex,
      manifests: [],
      annotations: { a: "b" },
    } as const;
    const listed = { ...descriptor, platform: { os: "linux", architecture: "amd64" }, annotations: { c: "d" } };
    expect(referrerOf({ manifest, descriptor: listed })).toEqual({ ...descriptor, annotations: { a: "b" } });
    const typed = { ...manifest, artifactType: "application/x.test" };
    expect(referrerOf({ manifest: typed, descriptor }).artifactType).toBe("application/x.test");
  });
});

test("media types are those of RFC 6838", () => {
  for (const text of ["text/plain", "application/vnd.oci.image.layer.v1.tar+gzip", "a/b"]) {
    expect(isMediaType(text)).toBe(true);
  }
  for (const text of [
    "",
    "text",
    "text/",
    "/plain",
    "a/b/c",
    "text/plain; charset=utf-8",
    ".a/b",
    `a/${"b".repeat(128)}`,
  ]) {
    expect(isMediaType(text)).toBe(false);
  }
});
