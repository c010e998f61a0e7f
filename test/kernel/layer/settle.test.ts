/** Layers over one another: whiteouts, opaque directories, and what a layer leaves to the layers below. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { $ } from "bun";
import { writeLayout } from "../../helpers/images/layout.ts";
import { type Laboratory, openLaboratory } from "../../helpers/layer-stack.ts";
import { differences, type Listing } from "../../helpers/listing.ts";
import { caller, ordinaryUser, type Person, temporaryDirectory } from "../../helpers/machine.ts";
import { type TarItem, tar } from "../../helpers/tar-builder.ts";

const temporary = temporaryDirectory("devbox-settle");
afterAll(() => temporary[Symbol.asyncDispose]());

const ordinary = await ordinaryUser();
const people: Person[] = ordinary.uid === caller().uid ? [ordinary] : [ordinary, caller()];

const base: TarItem[] = [
  { path: "./", mode: 0o711, uid: 3, mtime: 1_000_000_000, pax: { "SCHILY.xattr.user.root": "r" } },
  { path: "./usr/", mtime: 1_100_000_000 },
  {
    path: "./usr/lib/",
    mode: 0o750,
    uid: 10,
    gid: 20,
    pax: { mtime: "1200000000.25", "SCHILY.xattr.user.note": "kept" },
  },
  {
    path: "./usr/lib/libc",
    content: "libc",
    uid: 11,
    mode: 0o4755,
    pax: { "SCHILY.xattr.user.on": "file", mtime: "1.5" },
  },
  { path: "./lib", type: "2", link: "usr/lib" },
  { path: "./etc/", mtime: 1_300_000_000 },
  { path: "./etc/a", content: "a" },
  { path: "./etc/b", content: "b" },
  { path: "./etc/sub/", mode: 0o700, uid: 5 },
  { path: "./etc/sub/c", content: "c" },
  { path: "./etc/sub/deeper/" },
  { path: "./etc/sub/deeper/d", content: "d" },
  { path: "./etc/link", type: "2", link: "a" },
];

describe.each(people)("as $name", (person) => {
  let lab: Laboratory;
  beforeAll(async () => {
    lab = await openLaboratory(person, temporary);
  });
  afterAll(() => lab[Symbol.asyncDispose]());

  /** What a box sees of `base` and the layers over it. */
  async function merged(...layers: (readonly TarItem[])[]): Promise<Listing> {
    return await lab.listMerged(await lab.stack([base, ...layers].map((items) => tar(items))));
  }

  const paths = (listing: Listing, below: string): string[] =>
    [...listing.keys()].filter((path) => path.startsWith(below));

  test("a whiteout hides a file, a link, a whole directory", async () => {
    const listing = await merged([{ path: "etc/.wh.a" }, { path: "etc/.wh.link" }, { path: "etc/.wh.sub" }]);
    expect(paths(listing, "./etc")).toEqual(["./etc", "./etc/b"]);
  });

  test.each([
    ["before", (own: TarItem, hide: TarItem) => [hide, own]],
    ["after", (own: TarItem, hide: TarItem) => [own, hide]],
  ] as const)("a whiteout %s the layer's own entry leaves that alone", async (_, order) => {
    const listing = await merged([
      ...order({ path: "etc/a", content: "new a" }, { path: "etc/.wh.a" }),
      ...order({ path: "etc/sub/", mode: 0o711 }, { path: "etc/.wh.sub" }),
      { path: "etc/sub/own", content: "x" },
    ]);
    expect(listing.get("./etc/a")).toContain("size=5");
    expect(listing.get("./etc/sub")).toContain("mode=711 owner=0:0");
    expect(paths(listing, "./etc/sub/")).toEqual(["./etc/sub/own"]);
  });

  test("a directory that is needed after its whiteout inherits nothing", async () => {
    const listing = await merged([{ path: "etc/.wh.sub" }, { path: "etc/sub/own", content: "x" }]);
    expect(listing.get("./etc/sub")).toContain("mode=755 owner=0:0 mtime=0.0");
    expect(paths(listing, "./etc/sub/")).toEqual(["./etc/sub/own"]);
  });

  test("an opaque directory shows its own only, wherever the mark stands, and is the same directory", async () => {
    const own: TarItem = { path: "etc/sub/own", content: "x" };
    for (const items of [
      [own, { path: "etc/sub/.wh..wh..opq" }],
      [{ path: "etc/sub/.wh..wh..opq" }, own],
    ]) {
      const listing = await merged(items);
      expect(paths(listing, "./etc/sub/")).toEqual(["./etc/sub/own"]);
      expect(listing.get("./etc/sub")).toContain("mode=700 owner=5:0");
    }
  });

  test("an opaque root hides everything, though overlayfs would merge roots", async () => {
    const listing = await merged([{ path: ".wh..wh..opq" }, { path: "etc/own", content: "x" }]);
    expect([...listing.keys()]).toEqual([".", "./etc", "./etc/own"]);
    expect(listing.get(".")).toContain("mode=711 owner=3:0");
    expect(listing.get("./etc")).toContain("mode=755 owner=0:0");
  });

  test("whiteouts of nothing are not seen, not even in new and opaque directories", async () => {
    const trees = await lab.stack(
      [
        [{ path: "only/.wh.x" }, { path: ".wh.y" }],
        [{ path: "new/.wh.x" }, { path: "only/.wh..wh..opq" }, { path: "only/.wh.z" }],
      ].map((items) => tar(items)),
    );
    expect([...(await lab.listMerged(trees)).keys()]).toEqual([".", "./new", "./only"]);
    expect(await lab.run("find", ...trees, "-type", "c")).toBe("");
  });

  test("bookkeeping of aufs is ignored", async () => {
    const listing = await merged([
      { path: ".wh..wh.plnk/" },
      { path: ".wh..wh.plnk/1.2", content: "x" },
      { path: ".wh..wh.aufs" },
    ]);
    expect(differences(await merged(), listing)).toEqual([]);
  });

  test("a file over a directory and the reverse; what comes back is new", async () => {
    const listing = await merged(
      [{ path: "etc/sub", content: "file" }, { path: "etc/a/" }, { path: "etc/a/x", content: "x" }],
      [{ path: "etc/sub/" }, { path: "etc/sub/y", content: "y" }],
    );
    expect(paths(listing, "./etc/sub")).toEqual(["./etc/sub", "./etc/sub/y"]);
    expect(paths(listing, "./etc/a")).toEqual(["./etc/a", "./etc/a/x"]);
  });

  test("file, then directory at the same name of one layer: what is below is gone", async () => {
    const listing = await merged([{ path: "etc/sub", content: "file" }, { path: "etc/sub/" }, { path: "etc/sub/own" }]);
    expect(paths(listing, "./etc/sub")).toEqual(["./etc/sub", "./etc/sub/own"]);
  });

  test("directories that are only needed are those below: owner, mode, time, attributes", async () => {
    const listing = await merged([{ path: "usr/lib/new", content: "n" }], [{ path: "usr/lib/newer", content: "n" }]);
    const before = await merged();
    for (const path of [".", "./usr", "./usr/lib"]) expect(listing.get(path)).toBe(before.get(path) ?? "missing");
    expect(listing.get("./usr/lib")).toContain("mode=750 owner=10:20 mtime=1200000000.2500000000");
    expect(paths(listing, "./usr/lib/")).toEqual(["./usr/lib/libc", "./usr/lib/new", "./usr/lib/newer"]);
  });

  test("what lies under a link of a layer below goes where the link leads", async () => {
    const listing = await merged(
      [
        { path: "lib/x86/deep", content: "1" },
        { path: "usr/lib/x86/", mode: 0o711 },
        { path: "lib/.wh.libc" },
        { path: "lib/Ünïcode", content: "2" },
      ],
      [{ path: "lib/x86/more", content: "3" }],
    );
    expect(listing.get("./lib")).toContain("l mode=777");
    expect(paths(listing, "./usr/lib")).toEqual(
      [
        "./usr/lib",
        "./usr/lib/x86",
        "./usr/lib/x86/deep",
        "./usr/lib/x86/more",
        Buffer.from("./usr/lib/Ünïcode").toString("latin1"),
      ].sort(),
    );
    expect(listing.get("./usr/lib/x86")).toContain("mode=711");
    expect(listing.get("./usr/lib")).toContain("mode=750 owner=10:20 mtime=1200000000.2500000000");
    expect(listing.get(".")).toContain("mtime=1000000000.0");
  });

  test("what moves into a directory that the layer describes leaves that as it is", async () => {
    const below = [{ path: "usr/lib/x86/", mode: 0o700 }];
    const listing = await merged(below, [
      { path: "lib/x86/deep", content: "1" },
      { path: "usr/lib/x86/", mode: 0o711 },
    ]);
    expect(listing.get("./usr/lib/x86")).toContain("mode=711");
    expect(listing.has("./usr/lib/x86/deep")).toBe(true);
  });

  test("a file that is brought up does not change the time of a directory that the layer describes", async () => {
    const listing = await merged([
      { path: "usr/lib/", mtime: 1_234_567_890 },
      { path: "second", type: "1", link: "usr/lib/libc" },
    ]);
    expect(listing.get("./usr/lib")).toContain("mtime=1234567890.0");
  });

  test("a link below that leads out leads nowhere", async () => {
    const trap: TarItem[] = [
      { path: "out", type: "2", link: `../../../..${temporary.path}` },
      { path: "loop", type: "2", link: "loop" },
      { path: "to-file", type: "2", link: "etc/a" },
    ];
    const over = [
      { path: "out/x", content: "x" },
      { path: "loop/x", content: "x" },
      { path: "to-file/x", content: "x" },
    ];
    const listing = await merged(trap, over);
    expect(paths(listing, `.${temporary.path}/`)).toEqual([`.${temporary.path}/x`]);
    expect([listing.get("./loop"), listing.get("./to-file")].map((line) => line?.[0])).toEqual(["d", "d"]);
    expect(await lab.run("find", temporary.path, "-maxdepth", "1", "-name", "x")).toBe("");
  });

  test("hard links to files below bring them up, whole, as one file", async () => {
    const listing = await merged([
      { path: "second", type: "1", link: "usr/lib/libc" },
      { path: "third", type: "1", link: "second" },
      { path: "symbolic", type: "1", link: "etc/link" },
    ]);
    const file = listing.get("./usr/lib/libc") ?? "";
    expect(file).toContain("mode=4755 owner=11:0 mtime=1.5000000000");
    expect(file).toContain("user.on=0x");
    const withoutName = (line: string | undefined): string => String(line).replace(/same-as=\S*/, "");
    for (const path of ["./second", "./third"]) {
      expect(withoutName(listing.get(path))).toBe(withoutName(file));
      expect(listing.get(path)).toContain("same-as=./second");
    }
    expect(file).toContain("same-as=./second");
    expect(listing.get("./symbolic")).toContain("target=a");
    expect(listing.get("./usr/lib")).toContain("mtime=1200000000.2500000000");
  });

  test("a hard link to a file below that the layer then hides or replaces", async () => {
    const listing = await merged([
      { path: "kept", type: "1", link: "etc/a" },
      { path: "etc/.wh.a" },
      { path: "kept-too", type: "1", link: "etc/a" },
      { path: "copy", type: "1", link: "etc/b" },
      { path: "etc/b", content: "another" },
    ]);
    expect(listing.has("./etc/a")).toBe(false);
    expect(listing.get("./kept")).toContain("size=1 ");
    expect(listing.get("./kept-too")).toContain("size=1 ");
    expect(listing.get("./copy")).toContain("size=1 ");
    expect(listing.get("./etc/b")).toContain("size=7 ");
  });

  test("what replaces a hard link that waits wins", async () => {
    const listing = await merged([
      { path: "x", type: "1", link: "etc/a" },
      { path: "x", content: "a file now" },
      { path: "y", type: "1", link: "etc/a" },
      { path: "y/", mode: 0o700 },
      { path: "z/link", type: "1", link: "etc/a" },
      { path: "z", type: "2", link: "elsewhere" },
    ]);
    expect(listing.has("./elsewhere")).toBe(false);
    expect(listing.get("./x")).toContain("size=10");
    expect(listing.get("./y")).toContain("d mode=700");
    expect(listing.get("./z")).toContain("l mode=777");
  });

  test.each([
    ["no layer has its target", { path: "x", type: "1", link: "nowhere" }],
    ["its target is a directory", { path: "x", type: "1", link: "etc/sub" }],
  ] as const)("a hard link that cannot be: %s", async (because, item) => {
    expect(merged([item])).rejects.toThrow(because);
  });

  test("the same as umoci makes of the same image", async () => {
    const layers = [base, ...upperLayers].map((items) => tar(items));
    const directory = join(temporary.path, `umoci-${person.name}`);
    mkdirSync(directory);
    const files = layers.map((_, index) => join(directory, `${index}.tar`));
    for (const [index, file] of files.entries()) writeFileSync(file, layers[index] ?? "");
    await writeLayout(join(directory, "layout"), { layers: files, compression: "gzip", config: {} });
    await $`chmod -R a+rX ${directory}`;
    const bundle = join(await lab.newTarget(), "bundle");
    await lab.run("umoci", "unpack", "--image", `${join(directory, "layout")}:latest`, bundle);
    expect(differences(await lab.list(join(bundle, "rootfs")), await lab.listMerged(await lab.stack(layers)))).toEqual(
      [],
    );
  });
});

const upperLayers: (readonly TarItem[])[] = [
  [
    { path: "etc/", mtime: 1_400_000_000 },
    { path: "etc/.wh.a" },
    { path: "etc/sub/new", content: "new", uid: 1000, gid: 1000 },
    { path: "usr/lib/second", type: "1", link: "usr/lib/libc" },
    { path: "lib/through-link", content: "t" },
  ],
  [
    { path: "etc/a/", mode: 0o2755, gid: 8 },
    { path: "etc/a/x", content: "x" },
    { path: "etc/sub/.wh..wh..opq" },
    { path: "etc/sub/only", content: "only" },
    { path: "usr/lib/.wh.through-link" },
    { path: "fifo", type: "6" },
  ],
  // Not .wh.lib/second: overlayfs would go on counting the name that it hides as a link.
  [{ path: ".wh.lib" }, { path: "lib/" }, { path: "lib/own", content: "own", mode: 0o4711 }],
];
