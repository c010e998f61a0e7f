/** Images verified and repaired: every kind of damage is found, mended from a registry or from blobs, and nothing else is touched. */
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import {
  appendFileSync,
  chmodSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { readHostFacts } from "../../../src/host/read-facts.ts";
import { pull } from "../../../src/image/pull/pull.ts";
import type { Damage } from "../../../src/image/verify/damage.ts";
import { type VerifiedImage, verifyImages } from "../../../src/image/verify/verify.ts";
import type { Descriptor, Digest } from "../../../src/oci/descriptor.ts";
import { mediaTypes } from "../../../src/oci/descriptor.ts";
import type { Manifest } from "../../../src/oci/image.ts";
import { hostPlatform } from "../../../src/oci/platform.ts";
import { parseReference } from "../../../src/oci/reference.ts";
import { createBox } from "../../../src/store/boxes.ts";
import { readImage } from "../../../src/store/images.ts";
import { listLayers } from "../../../src/store/layers.ts";
import { blobPath, layerDirectory } from "../../../src/store/paths.ts";
import type { StoredImage } from "../../../src/store/types.ts";
import { type FaultyRegistry, startFaultyRegistry } from "../../helpers/faulty-registry.ts";
import { pullHere, temporaryPullStore } from "../../helpers/pulling.ts";
import { tar } from "../../helpers/tar-builder.ts";
import type { TemporaryStore } from "../../helpers/temporary-store.ts";

const base = tar([
  { path: "bin/", mode: 0o755 },
  { path: "bin/tool", content: "tool", mode: 0o755 },
  { path: "home/of/me", content: "mine", uid: 1000, gid: 1000 },
]);
/** Needs what is below: a directory without an entry, a link to a file of the base, a whiteout. */
const top = tar([
  { path: "bin/other", content: "other" },
  { path: "bin/same", type: "1", link: "bin/tool" },
  { path: "home/.wh.of" },
]);

let registry: FaultyRegistry;
let temporary: TemporaryStore & AsyncDisposable;
let image: StoredImage;
beforeEach(async () => {
  registry = await startFaultyRegistry();
  registry.addImage("image", "latest", {
    layers: [
      { tar: base, compression: "gzip" },
      { tar: top, compression: "zstd" },
    ],
  });
  temporary = temporaryPullStore();
  ({ image } = await pullHere(temporary.context, temporary.store, `${registry.host}/image`));
});
afterEach(async () => {
  await temporary[Symbol.asyncDispose]();
  await registry[Symbol.asyncDispose]();
});

async function verify(repair = false): Promise<VerifiedImage> {
  const facts = readHostFacts(process.env);
  const options = { images: [], repair, tlsVerify: true };
  const [only, ...others] = await verifyImages(temporary.context, temporary.store, facts, options);
  if (only === undefined || others.length > 0) throw new Error("there is one image");
  const { builds, trash } = listLayers(temporary.store);
  expect([builds, trash]).toEqual([[], []]);
  return only;
}

const layer = (index: number): string => layerDirectory(temporary.store, image.layers[index]?.chainId ?? "sha256:");
const tree = (index: number): string => join(layer(index), "fs");
const blob = (digest: Digest | undefined): string => blobPath(temporary.store, digest ?? "sha256:");
const layerBlob = (index: number): string => blob(image.manifest.layers[index]?.digest);

/** Other bytes, the same size and times. */
function alter(path: string): void {
  const { atime, mtime, mode } = lstatSync(path);
  const bytes = readFileSync(path);
  bytes[bytes.length >> 1] = (bytes[bytes.length >> 1] ?? 0) ^ 1;
  chmodSync(path, 0o600);
  writeFileSync(path, bytes);
  chmodSync(path, mode & 0o7777);
  utimesSync(path, atime, mtime);
}

interface Case {
  readonly name: string;
  readonly harm: () => void;
  /** Parts, and what is said of the first. */
  readonly found: readonly Damage["part"][];
  readonly because: RegExp;
}

const cases: readonly Case[] = [
  { name: "a bit of a blob", harm: () => alter(layerBlob(0)), found: ["blob"], because: /its content has the digest/ },
  { name: "a blob cut", harm: () => truncateSync(layerBlob(1), 9), found: ["blob"], because: /has 9 bytes where \d+/ },
  { name: "a blob longer", harm: () => appendFileSync(layerBlob(1), "x"), found: ["blob"], because: /bytes where/ },
  { name: "a blob gone", harm: () => rmSync(layerBlob(0)), found: ["blob"], because: /^missing$/ },
  {
    name: "the manifest",
    harm: () => alter(blob(image.manifestDescriptor.digest)),
    found: ["manifest"],
    because: /its content has/,
  },
  { name: "the config", harm: () => rmSync(blob(image.manifest.config.digest)), found: ["config"], because: /missing/ },
  { name: "content", harm: () => alter(join(tree(0), "bin/tool")), found: ["layer"], because: /^1 path is not/ },
  { name: "a mode", harm: () => chmodSync(join(tree(0), "bin/tool"), 0o4755), found: ["layer"], because: /1 path/ },
  { name: "a file less", harm: () => rmSync(join(tree(1), "bin/other")), found: ["layer"], because: /2 paths are not/ },
  { name: "a whiteout less", harm: () => rmSync(join(tree(1), "home/of")), found: ["layer"], because: /paths are/ },
  { name: "a file more", harm: () => writeFileSync(join(tree(0), "more"), ""), found: ["layer"], because: /2 paths/ },
  { name: "a tree gone", harm: () => rmSync(tree(0), { recursive: true }), found: ["layer"], because: /^missing$/ },
  { name: "a layer gone", harm: () => rmSync(layer(1), { recursive: true }), found: ["layer"], because: /^missing$/ },
  { name: "layer.json gone", harm: () => rmSync(join(layer(0), "layer.json")), found: ["record"], because: /ENOENT/ },
  {
    name: "layer.json of another",
    harm: () => writeFileSync(join(layer(0), "layer.json"), readFileSync(join(layer(1), "layer.json"))),
    found: ["record"],
    because: /^chainId is/,
  },
  {
    name: "both layers, the upper one on a base that is damaged",
    harm: () => {
      alter(join(tree(0), "bin/tool"));
      alter(join(tree(1), "bin/same"));
    },
    found: ["layer", "layer"],
    because: /1 path/,
  },
  {
    name: "blob and tree",
    harm: () => {
      rmSync(layerBlob(0));
      rmSync(join(tree(0), "bin"), { recursive: true });
    },
    found: ["blob", "layer"],
    because: /missing/,
  },
];

describe("damage", () => {
  test.each([...cases])("$name", async ({ harm, found, because }) => {
    harm();
    const seen = await verify();
    expect(seen.isWhole).toBe(false);
    // Without a blob that is whole there is nothing to compare its tree with.
    expect(seen.damages.map(({ part }) => part)).toEqual(found[0] === "blob" ? ["blob"] : [...found]);
    expect(seen.damages[0]?.because).toMatch(because);
    expect(seen.damages.every(({ repair }) => repair.kind === "none")).toBe(true);

    const mended = await verify(true);
    expect(mended.damages.map(({ repair }) => repair)).toEqual(found.map(() => ({ kind: "mended" as const })));
    expect(mended.isWhole).toBe(true);
    expect(await verify()).toMatchObject({ damages: [], isWhole: true });
    expect(readImage(temporary.store, image.reference)).toEqual(image);
    expect(readFileSync(join(tree(1), "bin/same"), "utf8")).toBe("tool");
  });
});

test("what is whole is not touched", async () => {
  const identities = (): readonly string[] =>
    [layer(0), layer(1), tree(0), join(tree(0), "bin/tool"), layerBlob(0), join(layer(0), "layer.json")].map((path) => {
      const { ino, mtimeMs } = lstatSync(path);
      return `${path} ${ino} ${mtimeMs}`;
    });
  const before = identities();
  alter(join(tree(1), "bin/other"));
  const requests = registry.requests.length;
  const { damages } = await verify(true);
  expect(damages.map(({ differences }) => differences)).toEqual([[{ path: "bin/other", what: "content" }]]);
  expect(identities().filter((line) => !line.startsWith(layer(1)))).toEqual(
    before.filter((line) => !line.startsWith(layer(1))),
  );
  // A layer is made of its blob, without the registry.
  expect(registry.requests.length).toBe(requests);
});

test("what cannot be fetched is told, and the rest is mended", async () => {
  rmSync(layerBlob(1));
  alter(join(tree(0), "bin/tool"));
  registry.fault(/blobs/, { kind: "status", status: 404 }, 1);
  const { damages, isWhole } = await verify(true);
  expect(isWhole).toBe(false);
  expect(damages.map(({ part, repair }) => [part, repair.kind])).toEqual([
    ["layer", "mended"],
    ["blob", "failed"],
  ]);
  expect(readFileSync(join(tree(0), "bin/tool"), "utf8")).toBe("tool");
});

test("wrong bytes are not taken for a repair, and the damaged blob stays what it was", async () => {
  alter(layerBlob(0));
  const before = readFileSync(layerBlob(0));
  registry.fault(/GET .*blobs/, { kind: "corrupt" }, 10);
  const { damages } = await verify(true);
  expect(damages.map(({ repair }) => repair.kind)).toEqual(["failed"]);
  expect(readFileSync(layerBlob(0))).toEqual(before);
});

test("a layer that a living box has mounted is not replaced", async () => {
  const { store, context } = temporary;
  const { lock, record } = await createBox(context, store, {
    name: "alive",
    image: "image",
    manifestDigest: image.manifestDescriptor.digest,
    chainIds: image.layers.map(({ chainId }) => chainId),
    created: new Date().toISOString(),
    command: [],
    labels: {},
    ephemeral: false,
  });
  alter(join(tree(0), "bin/tool"));
  const { damages } = await verify(true);
  expect(damages.map(({ repair }) => repair)).toEqual([
    { kind: "failed", because: `it is used by alive (${record.status})` },
  ]);
  lock.remove();
  expect((await verify(true)).isWhole).toBe(true);
});

test("a power loss that left a mark of another boot", async () => {
  const mark = join(layer(0), "unsynced");
  const boot = readlinkSync(mark);
  rmSync(mark);
  symlinkSync("00000000-1111-2222-3333-444444444444", mark);
  expect((await verify()).damages.map(({ because }) => because)).toEqual(["missing"]);
  expect((await verify(true)).isWhole).toBe(true);
  expect(readlinkSync(mark)).toBe(boot);
});

test("one that is cancelled leaves nothing behind", async () => {
  mkdirSync(join(tree(0), "more"));
  const aborted = AbortSignal.abort(new Error("enough"));
  const facts = readHostFacts(process.env);
  const options = { images: [], repair: true, tlsVerify: true };
  const work = verifyImages({ ...temporary.context, signal: aborted }, temporary.store, facts, options);
  expect(await work.then(() => "done", String)).toContain("enough");
  expect(readdirSync(tree(0))).toContain("more");
  expect(listLayers(temporary.store).builds).toEqual([]);
});

/** An index of this machine's image and another platform's, all of it pulled. */
async function pullIndex(): Promise<{ readonly index: Descriptor; readonly other: Manifest }> {
  const own = registry.addImage("platforms", "own", { layers: [{ tar: base, compression: "gzip" }] });
  const other = registry.addImage("platforms", "other", {
    architecture: "s390x",
    layers: [{ tar: top, compression: "gzip" }],
  });
  const manifests = [
    { ...own.descriptor, platform: hostPlatform() },
    { ...other.descriptor, platform: { os: "linux", architecture: "s390x" } },
  ];
  const document = { schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests };
  const index = registry.addManifest("platforms", "1", document, mediaTypes.ociIndex);
  const options = { platform: hostPlatform(), tlsVerify: true, allPlatforms: true };
  const reference = parseReference(`${registry.host}/platforms:1`);
  const { context, store } = temporary;
  await pull(context, store, () => readHostFacts(process.env), reference, options);
  return { index, other: other.manifest };
}

test("the index, and what is here of other platforms", async () => {
  const { index, other } = await pullIndex();
  const options = { images: [`${registry.host}/platforms:1`], tlsVerify: true };
  const parts = async (repair: boolean) => {
    const facts = readHostFacts(process.env);
    const [found] = await verifyImages(temporary.context, temporary.store, facts, { ...options, repair });
    return found?.damages.map(({ part, digest, repair: { kind } }) => [part, digest, kind]);
  };
  expect(await parts(false)).toEqual([]);
  alter(blob(other.layers[0]?.digest));
  truncateSync(blob(other.config.digest), 3);
  expect(await parts(false)).toEqual([
    ["config", other.config.digest, "none"],
    ["blob", other.layers[0]?.digest ?? "sha256:", "none"],
  ]);
  expect((await parts(true))?.map(([, , kind]) => kind)).toEqual(["mended", "mended"]);
  truncateSync(blob(index.digest), 3);
  expect(await parts(true)).toEqual([["index", index.digest, "mended"]]);
  expect(await parts(false)).toEqual([]);
});
