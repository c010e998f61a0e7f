/** Files of artifacts between registries and directories: hostile ones, taken names, what is left when it fails. */
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fetchArtifact } from "../../../src/image/artifact/fetch.ts";
import { placeFiles } from "../../../src/image/artifact/files.ts";
import { type ArtifactPush, pushArtifact } from "../../../src/image/artifact/push.ts";
import { listReferrers } from "../../../src/image/artifact/referrers.ts";
import { buildArtifact, titled } from "../../../src/oci/artifact.ts";
import { type Descriptor, mediaTypes } from "../../../src/oci/descriptor.ts";
import { digestOf } from "../../../src/oci/digest.ts";
import { parseReference, type RegistryReference } from "../../../src/oci/reference.ts";
import { openStore } from "../../../src/store/open.ts";
import { type FaultyRegistry, startFaultyRegistry } from "../../helpers/faulty-registry.ts";
import { failureOf, patternBytes, recordingContext } from "../../helpers/registry-client.ts";
import { type SpecRegistryOptions, startSpecRegistry } from "../../helpers/spec-registry.ts";

let root: string;
let out: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "artifact-"));
  out = join(root, "out");
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const named = (text: string): RegistryReference => {
  const reference = parseReference(text);
  if (reference.kind !== "registry") throw new Error(text);
  return reference;
};

async function pull(text: string, force = false, signal?: AbortSignal): Promise<void> {
  const context = recordingContext({}, signal);
  const options = { platform: undefined, tlsVerify: true };
  const store = openStore({ DEVBOX_STORE: join(root, "store") });
  await using artifact = await fetchArtifact(context, store, parseReference(text), options);
  await placeFiles(context, artifact, { directory: out, force });
}

describe("into a directory", () => {
  let registry: FaultyRegistry;
  beforeEach(async () => {
    registry = await startFaultyRegistry();
  });
  afterEach(() => registry.close());

  /** An artifact of these files. */
  const shelve = (files: Readonly<Record<string, string | Uint8Array>>): string => {
    const layers = Object.entries(files).map(([title, content]) =>
      titled(registry.addBlob(Buffer.from(content), "text/plain"), title),
    );
    return shelveLayers(layers);
  };
  const shelveLayers = (files: readonly Descriptor[]): string => {
    const artifactType = "application/x.test";
    const made = buildArtifact({ artifactType, config: undefined, files, subject: undefined, annotations: {} });
    registry.addManifest("team/app", "1", made.bytes, mediaTypes.ociManifest);
    return `${registry.host}/team/app:1`;
  };

  test("all files, in directories of their own, and nothing else", async () => {
    await pull(shelve({ "a.txt": "one", "deep/er/b.txt": "two", "deep/c.txt": "" }));
    expect(readFileSync(join(out, "a.txt"), "utf8")).toBe("one");
    expect(readFileSync(join(out, "deep/er/b.txt"), "utf8")).toBe("two");
    expect(readdirSync(out, { recursive: true }).sort()).toEqual(
      ["a.txt", "deep", "deep/c.txt", "deep/er", "deep/er/b.txt"].sort(),
    );
  });

  test("what is there is not touched, and nothing is fetched; --force replaces it", async () => {
    const name = shelve({ "new.txt": "new", "old.txt": "changed" });
    mkdirSync(out);
    writeFileSync(join(out, "old.txt"), "mine");
    const failure = await failureOf(pull(name));
    expect(failure.code).toBe("COPY_FAILED");
    expect(failure.hint).toContain("--force");
    expect(readdirSync(out)).toEqual(["old.txt"]);
    expect(registry.requests.filter(({ path }) => path.includes("/blobs/"))).toEqual([]);
    await pull(name, true);
    expect(readFileSync(join(out, "old.txt"), "utf8")).toBe("changed");
    expect(readdirSync(out).sort()).toEqual(["new.txt", "old.txt"]);
  });

  test.each([false, true])("a symbolic link does not lead out of it (force %p)", async (force) => {
    const elsewhere = join(root, "elsewhere");
    mkdirSync(elsewhere);
    mkdirSync(out);
    symlinkSync("../elsewhere", join(out, "link"));
    writeFileSync(join(elsewhere, "mine"), "mine");
    expect((await failureOf(pull(shelve({ "link/mine": "theirs" }), force))).code).toBe("COPY_FAILED");
    expect((await failureOf(pull(shelve({ "link/new/file": "theirs" }), force))).code).toBe("COPY_FAILED");
    expect(readFileSync(join(elsewhere, "mine"), "utf8")).toBe("mine");
    expect(readdirSync(elsewhere)).toEqual(["mine"]);
    expect(readdirSync(out)).toEqual(["link"]);
  });

  test("a symbolic link in the place of a file is replaced, not followed", async () => {
    mkdirSync(out);
    writeFileSync(join(root, "mine"), "mine");
    symlinkSync("../mine", join(out, "file"));
    await pull(shelve({ file: "theirs" }), true);
    expect(readFileSync(join(root, "mine"), "utf8")).toBe("mine");
    expect(readFileSync(join(out, "file"), "utf8")).toBe("theirs");
  });

  test("hostile names: nothing is fetched, nothing written", async () => {
    for (const title of ["../x", "/tmp/x", "a/../../x"]) {
      expect((await failureOf(pull(shelve({ [title]: "x" })))).code).toBe("BAD_MANIFEST");
    }
    expect(existsSync(out)).toBe(false);
    expect(registry.requests.filter(({ path }) => path.includes("/blobs/"))).toEqual([]);
  });

  test("one file that is not what was announced: no file at all", async () => {
    const good = patternBytes(300_000);
    const name = shelve({ good, "in/bad": "some text" });
    for (const fault of [
      { kind: "corrupt" },
      { kind: "long", extraBytes: 5 },
      { kind: "status", status: 404 },
    ] as const) {
      registry.fault(new RegExp(digestPath(name)), fault, 1);
      expect(["DIGEST_MISMATCH", "SIZE_MISMATCH", "REGISTRY_NOT_FOUND"]).toContain((await failureOf(pull(name))).code);
      expect(readdirSync(out)).toEqual([]);
    }
  });

  test("the first failure is told, and ends what is under way", async () => {
    const stalls = patternBytes(300_000);
    const name = shelve({ stalls, bad: "some text" });
    registry.fault(new RegExp(digestOf(stalls)), { kind: "stall", afterBytes: 1000 });
    registry.fault(new RegExp(digestPath(name)), { kind: "corrupt" });
    expect((await failureOf(pull(name))).code).toBe("DIGEST_MISMATCH");
    expect(readdirSync(out)).toEqual([]);
  });

  /** Of the second file. */
  const digestPath = (name: string): string => {
    const { bytes } = registry.findManifest("team/app", name.slice(name.lastIndexOf(":") + 1)) ?? {};
    return JSON.parse(Buffer.from(bytes ?? []).toString()).layers[1].digest;
  };

  test("sizes that lie, and more layers than any artifact has", async () => {
    const { digest, mediaType } = registry.addBlob(Buffer.from("some text"), "text/plain");
    for (const size of [3, 100]) {
      const failure = await failureOf(pull(shelveLayers([titled({ mediaType, digest, size }, "file")])));
      expect(["SIZE_MISMATCH", "REGISTRY_UNREACHABLE"]).toContain(failure.code);
      expect(readdirSync(out)).toEqual([]);
    }
    const many = Array.from({ length: 2000 }, (_, index) => titled({ mediaType, digest, size: 9 }, `f${index}`));
    expect((await failureOf(pull(shelveLayers(many)))).because).toContain("2000 items");
  });

  test("interrupted: nothing is left", async () => {
    const name = shelve({ a: "short", b: patternBytes(500_000) });
    registry.fault(new RegExp(digestPath(name)), { kind: "stall", afterBytes: 100_000 });
    const stop = new AbortController();
    const pulling = failureOf(pull(name, false, stop.signal));
    // The stalled body is under way as soon as its request is there.
    while (!registry.requests.some(({ path }) => path.endsWith(digestPath(name)))) await Bun.sleep(2);
    stop.abort();
    expect((await pulling).code).toBe("INTERRUPTED");
    expect(readdirSync(out)).toEqual([]);
  });

  test.skipIf(process.getuid?.() === 0)("a directory that is closed to us", async () => {
    mkdirSync(out);
    chmodSync(out, 0o555);
    expect((await failureOf(pull(shelve({ a: "a" })))).code).toBe("COPY_FAILED");
  });
});

describe("beside an image", () => {
  const push: ArtifactPush = {
    files: [],
    config: undefined,
    artifactType: "application/x.test",
    subject: undefined,
    annotations: {},
    tagged: true,
    access: { tlsVerify: true },
  };
  const variants: readonly (readonly [string, SpecRegistryOptions])[] = [
    ["with the referrers API", {}],
    ["with the API in pages, not filtering", { referrersPageSize: 2, filtersReferrers: false }],
    ["without the API: by its tag", { referrers: false }],
    ["with small chunks", { minChunkBytes: 64 * 1024 }],
  ];

  test.each(variants)("%s", async (_, options) => {
    await using registry = await startSpecRegistry(options);
    const context = recordingContext();
    const name = `${registry.host}/team/app`;
    writeFileSync(join(root, "sbom"), patternBytes(200_000));
    const image = await pushArtifact(context, named(`${name}:1`), push);
    const types = ["application/a", "application/b", "application/a", "application/a", "application/b"];
    for (const [index, artifactType] of types.entries()) {
      await pushArtifact(context, named(name), {
        ...push,
        artifactType,
        files: [{ path: join(root, "sbom"), mediaType: "text/plain" }],
        annotations: { number: `${index}` },
        subject: named(`${name}:1`),
        tagged: false,
      });
    }
    const listed = await listReferrers(context, named(`${name}:1`), { artifactType: undefined, tlsVerify: true });
    expect(listed.subject.digest).toBe(image.descriptor.digest);
    expect(listed.referrers.map(({ artifactType, annotations }) => [annotations?.["number"], artifactType])).toEqual(
      types.map((type, index) => [`${index}`, type]),
    );
    const some = await listReferrers(context, named(`${name}:1`), { artifactType: "application/b", tlsVerify: true });
    expect(some.referrers.map(({ annotations }) => annotations?.["number"])).toEqual(["1", "4"]);
    const fallback = `sha256-${image.descriptor.digest.slice("sha256:".length)}`;
    const tags = [...registry.repository("team/app").tags.keys()].sort();
    expect(tags).toEqual(options.referrers === false ? ["1", fallback] : ["1"]);
    // The content is sent once, and the empty config with the image.
    expect(registry.repository("team/app").blobs.size).toBe(2);
    expect(registry.openUploads).toBe(0);
    await pull(`${name}@${listed.referrers[0]?.digest}`);
    expect(readFileSync(join(out, "sbom"))).toEqual(Buffer.from(patternBytes(200_000)));
  });

  test("what belongs to nobody has no referrers; what is not there is not found", async () => {
    await using registry = await startSpecRegistry();
    const context = recordingContext();
    const name = `${registry.host}/team/app`;
    await pushArtifact(context, named(`${name}:1`), push);
    const options = { artifactType: undefined, tlsVerify: true };
    expect((await listReferrers(context, named(`${name}:1`), options)).referrers).toEqual([]);
    expect((await failureOf(listReferrers(context, named(`${name}:2`), options))).code).toBe("REGISTRY_NOT_FOUND");
    const orphan = pushArtifact(context, named(name), { ...push, subject: named(`${name}:2`) });
    expect((await failureOf(orphan)).code).toBe("REGISTRY_NOT_FOUND");
  });

  test("a subject of another repository, a directory, a missing file: nothing is asked of the registry", async () => {
    await using registry = await startSpecRegistry();
    const context = recordingContext();
    const reference = named(`${registry.host}/team/app:1`);
    const attempt = (more: Partial<ArtifactPush>) => failureOf(pushArtifact(context, reference, { ...push, ...more }));
    expect((await attempt({ subject: named(`${registry.host}/team/other:1`) })).hint).toContain("team/other");
    expect((await attempt({ files: [{ path: root, mediaType: "a/b" }] })).hint).toContain("tar");
    expect((await attempt({ files: [{ path: join(root, "no"), mediaType: "a/b" }] })).code).toBe("COPY_FAILED");
    expect(registry.requests).toEqual([]);
  });

  test("two files of one name are refused before anything is sent", async () => {
    await using registry = await startSpecRegistry();
    for (const directory of ["x", "y"]) {
      mkdirSync(join(root, directory));
      writeFileSync(join(root, directory, "same"), directory);
    }
    const files = ["x", "y"].map((directory) => ({ path: join(root, directory, "same"), mediaType: "a/b" }));
    const failure = await failureOf(
      pushArtifact(recordingContext(), named(`${registry.host}/app:1`), { ...push, files }),
    );
    expect(failure.because).toContain('"same"');
    expect(registry.requests.filter((request) => !request.startsWith("GET"))).toEqual([]);
  });

  test("SOURCE_DATE_EPOCH says when it was made; else nothing does", async () => {
    await using registry = await startSpecRegistry();
    const reference = named(`${registry.host}/app:1`);
    const made = async (env: Record<string, string>, annotations = {}) =>
      (await pushArtifact(recordingContext(env), reference, { ...push, annotations })).manifest.annotations;
    const key = "org.opencontainers.image.created";
    expect(await made({})).toBeUndefined();
    expect(await made({ SOURCE_DATE_EPOCH: "0" })).toEqual({ [key]: "1970-01-01T00:00:00Z" });
    expect(await made({ SOURCE_DATE_EPOCH: "0" }, { [key]: "2024-01-01T00:00:00Z" })).toEqual({
      [key]: "2024-01-01T00:00:00Z",
    });
  });
});
