/**
 * Archives that somebody made to do harm, or that are damaged: each is a clear error, or an image without what is wrong with it.
 * Nothing is touched outside of the store, and memory stays bounded.
 */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { mediaTypes } from "../../src/oci/descriptor.ts";
import { type Home, openHome } from "../helpers/devbox.ts";
import { imageName } from "../helpers/given.ts";
import { machineArchitecture } from "../helpers/images/layout.ts";
import { randomNumbers } from "../helpers/random.ts";
import { type TarItem, tar } from "../helpers/tar-builder.ts";

let home: Home;
beforeAll(() => {
  home = openHome();
});
afterAll(() => home[Symbol.asyncDispose]());
const at = (name: string): string => join(home.directory, name);

const hex = (bytes: string | Uint8Array): string => new Bun.CryptoHasher("sha256").update(bytes).digest("hex");
const digest = (bytes: string | Uint8Array): string => `sha256:${hex(bytes)}`;
const blob = (bytes: string | Uint8Array): TarItem => ({ path: `blobs/sha256/${hex(bytes)}`, content: bytes });
const described = (mediaType: string, bytes: string | Uint8Array) => ({
  mediaType,
  digest: digest(bytes),
  size: Buffer.byteLength(bytes),
});

const layer = tar([{ path: "file", content: "content" }]);
const configOf = (diffIds: readonly string[], others: object = {}): string =>
  JSON.stringify({
    architecture: machineArchitecture,
    os: "linux",
    rootfs: { type: "layers", diff_ids: diffIds },
    ...others,
  });
const config = configOf([digest(layer)]);

/** What docker saves. @param list `manifest.json`: text as it is, or one image's members */
function saved(list: object | string, others: readonly TarItem[] = [], image = config): Buffer {
  const entry = { Config: "config.json", RepoTags: ["hostile:1"], Layers: ["layer.tar"], ...Object(list) };
  const content = typeof list === "string" ? list : JSON.stringify([entry]);
  const items = [{ path: "config.json", content: image }, { path: "layer.tar", content: layer }, ...others];
  return tar([...items, { path: "manifest.json", content }]);
}

interface Layout {
  readonly layer?: { readonly bytes: Uint8Array; readonly diffId?: string; readonly type?: string };
  /** Changes of the layer's descriptor. */
  readonly descriptor?: object;
  readonly config?: string;
  /** Listed in index.json instead of the image. */
  readonly listed?: object;
  readonly others?: readonly TarItem[];
}

/** An image layout. */
function layout({
  layer: { bytes, diffId, type } = { bytes: layer },
  descriptor,
  config: image,
  listed,
  others = [],
}: Layout): Buffer {
  const text = image ?? configOf([diffId ?? digest(bytes)]);
  const layers = [{ ...described(type ?? mediaTypes.ociLayer, bytes), ...descriptor }];
  const manifest = JSON.stringify({ schemaVersion: 2, config: described(mediaTypes.ociConfig, text), layers });
  const top = listed ?? described(mediaTypes.ociManifest, manifest);
  const annotations = { "org.opencontainers.image.ref.name": "hostile:1" };
  const index = JSON.stringify({ schemaVersion: 2, manifests: [{ ...top, annotations }] });
  const items = [
    { path: "oci-layout", content: '{"imageLayoutVersion":"1.0.0"}' },
    blob(text),
    blob(bytes),
    blob(manifest),
  ];
  return tar([...items, ...others, { path: "index.json", content: index }]);
}

/** An index that lists an index that lists …, `width` times each. */
function nested(depth: number, width: number): Buffer {
  const platform = { os: "linux", architecture: machineArchitecture };
  let inner: object = { ...described(mediaTypes.ociManifest, "nothing"), platform };
  const others: TarItem[] = [];
  for (let level = 0; level < depth; level++) {
    const text = JSON.stringify({ schemaVersion: 2, manifests: Array.from({ length: width }, () => inner) });
    others.push(blob(text));
    inner = { ...described(mediaTypes.ociIndex, text), platform };
  }
  return layout({ listed: inner, others });
}

function escaping(items: readonly TarItem[]): Buffer {
  return layout({ layer: { bytes: tar(items) } });
}

function bomb(): Buffer {
  const plain = tar([{ path: "zeros", content: Buffer.alloc(600_000_000) }]);
  return layout({ layer: { bytes: zstdCompressSync(plain), diffId: digest(plain), type: mediaTypes.ociLayerZstd } });
}

const ownIndex = { ...described(mediaTypes.ociIndex, "x"), digest: `sha256:${"a".repeat(64)}` };

/** What `load` says. */
const cases: Readonly<Record<string, readonly [make: () => Buffer, says: RegExp]>> = {
  "no bytes": [() => Buffer.alloc(0), /it is empty/],
  text: [() => Buffer.from("hello\n".repeat(200)), /no tar header/],
  "half a gzip": [() => gzipSync(saved({})).subarray(0, 300), /unexpected end of file/],
  "a zstd bomb": [() => zstdCompressSync(Buffer.alloc(600_000_000)), /unpacks to more than \d+ bytes/],
  "a layer that is a bomb": [bomb, /unpacks to more than \d+ bytes/],
  "a config outside": [
    () => saved({ Config: "../../../../../../etc/passwd" }),
    /etc\/passwd.*\n.*there is no such file/,
  ],
  "a layer outside": [() => saved({ Layers: ["/etc/passwd"] }), /etc\/passwd.*\n.*there is no such file/],
  "a link outside": [
    () => saved({ Config: "link" }, [{ path: "link", type: "2", link: "/etc/passwd" }]),
    /read link of .*\n.*there is no such file/,
  ],
  "a link to itself": [() => saved({ Config: "link" }, [{ path: "link", type: "2", link: "link" }]), /no such file/],
  "a fifo": [() => saved({ Config: "fifo" }, [{ path: "fifo", type: "6" }]), /no such file/],
  null: [() => saved("null"), /expected a list, got null/],
  numbers: [() => saved({ Config: 1e308 }), /\[0\]\.Config: expected a string/],
  "a million brackets": [() => saved("[".repeat(1_000_000)), /not valid JSON/],
  "too many layers": [() => saved({ Layers: Array(5000).fill("layer.tar") }), /at most 1000/],
  "a million steps of history": [
    () => saved({}, [], configOf([digest(layer)], { history: Array(1_000_000).fill({}) })),
    /it has \d+ bytes; at most|it has 1000000 items; at most/,
  ],
  "a diffID that lies": [() => saved({}, [], configOf([`sha256:${"0".repeat(64)}`])), /digest should be 0{64}/],
  "a diffID that lies, in a layout": [
    () => layout({ config: configOf([`sha256:${"0".repeat(64)}`]) }),
    /verify the diffID/,
  ],
  "a size of 8 TB": [() => tar([{ path: "manifest.json", size: 8e12 }]), /ends in the middle of a member/],
  "a size below zero": [() => tar([{ path: "manifest.json", size: -1 }]), /its size is not a number/],
  "a size of 2^63": [() => tar([{ path: "x", pax: { size: "9223372036854775807" } }]), /its size is not a number/],
  "a descriptor that says less": [() => layout({ descriptor: { size: 5 } }), /more than the announced 5 bytes/],
  "a descriptor that says more": [() => layout({ descriptor: { size: 5e12 } }), /5000000000000 bytes were announced/],
  "a digest that is a path": [
    () => layout({ listed: { ...ownIndex, digest: "sha256:../../../etc/passwd" } }),
    /has 64 hex digits/,
  ],
  "an index that lists itself": [
    () =>
      layout({
        listed: ownIndex,
        others: [
          {
            path: `blobs/sha256/${"a".repeat(64)}`,
            content: JSON.stringify({ schemaVersion: 2, manifests: [ownIndex] }),
          },
        ],
      }),
    /bytes were announced/,
  ],
  "a deep index": [() => nested(1000, 1), /nested more than 4 deep/],
  "a wide index": [() => nested(4, 3000), /nested more than 4 deep/],
  "a file above the root": [() => escaping([{ path: "../../../hostile", content: "x" }]), /has a "\.\." component/],
};

/** KiB of the largest of its processes. A pull of any image may have 150 MB in all; the program itself is 40. */
const mostMemory = 200_000;

/** getrusage(2) of a child of a small process: its peak would begin with that of this one, which is large. */
const measured = [
  "import resource, subprocess, sys",
  "status = subprocess.call(sys.argv[1:])",
  "print('peak', resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)",
  "sys.exit(status if status >= 0 else 128 - status)",
].join("\n");

/** What is said is never a stack or a bug; it ends by itself, and takes no more memory than any other. */
async function refused(args: readonly string[]): Promise<string> {
  const { exitCode, stdout, stderr } = await home.run(args, { prefix: ["python3", "-c", measured] });
  expect(stderr).not.toMatch(bug);
  expect([1, 125]).toContain(exitCode);
  expect(Number(/^peak (\d+)$/m.exec(stdout)?.[1])).toBeLessThan(mostMemory);
  return stderr;
}

const bug = /this is a bug|unexpected failure|^ +at /m;

test.each(Object.entries(cases))("%s", async (_, [make, says]) => {
  writeFileSync(at("hostile.tar"), make());
  expect(await refused(["load", "-q", "-i", at("hostile.tar")])).toMatch(says);
  expect((await home.ok(["images", "-q"])).trim()).toBe("");
  expect(readdirSync(join(home.store, "store/layers"))).toEqual([]);
  expect(existsSync(at("hostile"))).toBe(false);
});

test("links of a layer lead nowhere outside, whoever follows them", async () => {
  const outside = at("outside");
  const items = [
    { path: "way", type: "2", link: home.directory },
    { path: "way/outside", content: "x" },
  ];
  writeFileSync(at("hostile.tar"), escaping(items));
  await home.run(["load", "-q", "-i", at("hostile.tar")]);
  expect(existsSync(outside)).toBe(false);
  await home.ok(["prune", "--all"]);
});

test("names that cannot be typed are left out, and printed without their escapes", async () => {
  writeFileSync(at("hostile.tar"), saved({ RepoTags: ["../../x:1", "\u001b]0;title\u0007:1", "-rf:1", "fine:1"] }));
  const { stdout, stderr, exitCode } = await home.run(["load", "-i", at("hostile.tar")]);
  expect([exitCode, stdout]).toEqual([0, "Loaded image: fine:1\n"]);
  expect(stderr.match(/is left out/g)).toHaveLength(3);
  expect(stderr).not.toContain("\u001b]");
  await home.ok(["prune", "--all"]);
});

const random = randomNumbers();
test(`archives cut and changed anywhere (DEVBOX_TEST_SEED=${random.seed})`, async () => {
  await home.ok(["copy", "-q", imageName("busybox"), `docker-archive:${at("good.tar")}:good:1`]);
  const good = readFileSync(at("good.tar"));
  for (let round = 0; round < 12; round++) {
    const bytes = Buffer.from(good);
    const place = Math.floor(random.next() * (round % 3 === 0 ? bytes.length : 4096));
    bytes.fill(Math.floor(random.next() * 256), place, place + 1 + Math.floor(random.next() * 600));
    const changed = round % 4 === 0 ? bytes.subarray(0, place) : bytes;
    if (changed.equals(good)) continue;
    writeFileSync(at("changed.tar"), changed);
    rmSync(at("read"), { recursive: true, force: true });
    for (const args of [
      ["load", "-q", "-i", at("changed.tar")],
      ["copy", "-q", `docker-archive:${at("changed.tar")}`, `oci:${at("read")}:1`],
      ["import", "-q", at("changed.tar")],
    ]) {
      const { exitCode, stderr } = await home.run(args);
      expect(stderr).not.toMatch(bug);
      expect([0, 1, 125]).toContain(exitCode);
    }
  }
  await home.ok(["image", "verify"]);
  await home.ok(["prune", "--all"]);
  expect(readdirSync(join(home.store, "store/layers"))).toEqual([]);
});
