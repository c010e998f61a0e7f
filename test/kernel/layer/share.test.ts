/** Layers that share files by hard links: what is the same is one file, and nobody can tell. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { namespaceOf } from "../../helpers/layer-worker.ts";
import { differences, type Listing } from "../../helpers/listing.ts";
import { caller, ordinaryUser, type Person, temporaryDirectory } from "../../helpers/machine.ts";
import { openShareLaboratory, type ShareLaboratory } from "../../helpers/share-laboratory.ts";
import type { TarItem } from "../../helpers/tar-builder.ts";

const temporary = temporaryDirectory("devbox-share");
afterAll(() => temporary[Symbol.asyncDispose]());

const ordinary = await ordinaryUser();
const people: Person[] = ordinary.uid === caller().uid ? [ordinary] : [ordinary, caller()];

/** Smaller files are left alone. */
const long = (text: string): string => text.repeat(Math.ceil(16_384 / text.length));
const file: TarItem = {
  path: "usr/file",
  content: long("content"),
  mode: 0o4755,
  uid: 10,
  gid: 20,
  mtime: 1_000_000_000,
};
const base: TarItem[] = [
  { path: "./", mtime: 1_100_000_000 },
  { path: "usr/", mtime: 1_200_000_000 },
  { path: "usr/", pax: { mtime: "1200000000.123456789" } },
  file,
  { path: "usr/noted", content: long("noted"), pax: { mtime: "1.5", "SCHILY.xattr.user.note": "a" } },
  { path: Buffer.from([0x62, 0xff]), content: long("no UTF-8") },
  { path: "usr/small", content: "small" },
];

describe.each(people)("as $name", (person) => {
  let share: ShareLaboratory;
  beforeAll(async () => {
    share = await openShareLaboratory(person, temporary);
  });
  afterAll(() => share[Symbol.asyncDispose]());

  async function layer(items: readonly TarItem[]): Promise<string> {
    const made = await share.layer(items);
    if (made === undefined) throw new Error("the layer was refused");
    return made;
  }

  /** How many files there are at `path` in `base` and `items` after sharing. */
  async function inodesAfter(path: string, items: readonly TarItem[]): Promise<number> {
    const [old, fresh] = [await layer(base), await layer(items)];
    await share.share(fresh, old);
    return await share.inodes(path, old, fresh);
  }

  test("files that are the same are one afterwards, and nothing else has changed", async () => {
    const [old, fresh] = [await layer(base), await layer([...base, { path: "usr/own", content: "own" }])];
    const before = await share.list(fresh);
    const shared = await share.share(fresh, old);
    expect(shared).toMatchObject([{ layer: old, files: 3 }]);
    expect(shared[0]?.bytes).toBeGreaterThan(0);
    expect(await share.inodes("usr/file", old, fresh)).toBe(1);
    expect(await share.inodes("usr/noted", old, fresh)).toBe(1);
    expect(await share.inodes("usr/small", old, fresh)).toBe(2);
    expect(differences(before, await share.list(fresh))).toEqual([]);
    expect(readdirSync(fresh)).toEqual(["fs"]);
  });

  test.each<[string, Partial<TarItem>]>([
    ["content", { content: long("c0ntent") }],
    ["size", { content: `${long("content")}s` }],
    ["mode", { mode: 0o755 }],
    ["owner", { uid: 11 }],
    ["group", { gid: 21 }],
    ["second", { mtime: 1_000_000_001 }],
    ["nanosecond", { pax: { mtime: "1000000000.000000001" } }],
    ["extended attribute", { pax: { "SCHILY.xattr.user.note": "a" } }],
  ])("another %s is another file", async (_, change) => {
    expect(await inodesAfter("usr/file", [...base, { ...file, ...change }])).toBe(2);
  });

  test("another value of an extended attribute is another file", async () => {
    const other: TarItem = {
      path: "usr/noted",
      content: long("noted"),
      pax: { mtime: "1.5", "SCHILY.xattr.user.note": "b" },
    };
    expect(await inodesAfter("usr/noted", [...base, other])).toBe(2);
  });

  test("a third layer joins them; layers without anything in common stay alone", async () => {
    const [first, second, third] = [await layer(base), await layer(base), await layer(base)];
    await share.share(second, first);
    await share.share(third, second, first);
    expect(await share.inodes("usr/file", first, second, third)).toBe(1);
    expect(await share.share(await layer([{ path: "usr/other", content: long("content") }]), first)).toEqual([]);
  });

  test("hard links within a layer stay what they are, on either side", async () => {
    const apart: TarItem[] = [file, { ...file, path: "usr/second" }];
    const joined: TarItem[] = [file, { path: "usr/second", type: "1", link: "usr/file" }];
    for (const [old, fresh] of [
      [await layer(joined), await layer(apart)],
      [await layer(apart), await layer(joined)],
    ] as const) {
      const before = [await share.list(old), await share.list(fresh)];
      await share.share(fresh, old);
      expect([await share.list(old), await share.list(fresh)]).toEqual(before);
      expect(await share.inodes("usr/file", old, fresh)).toBe(2);
    }
  });

  test("what lies behind a symbolic link of the other layer is not looked at", async () => {
    const outside = await share.lab.newTarget();
    await share.lab.run(
      "sh",
      "-c",
      `printf %s ${long("content")} > ${outside}/file; touch -d @1000000000 ${outside}/file`,
    );
    const plain: TarItem = { path: "usr/file", content: long("content"), mode: 0o644, mtime: 1_000_000_000 };
    const old = await layer([
      { path: "usr", type: "2", link: outside },
      { path: "x", content: long("x") },
    ]);
    const fresh = await layer([plain, { path: "x", content: long("x") }]);
    expect(await share.share(fresh, old)).toMatchObject([{ files: 1 }]);
    expect(await share.lab.run("stat", "-c", "%h", `${fresh}/fs/usr/file`)).toBe("1\n");
  });

  test("what a pass that was killed has left is put in order by the next one", async () => {
    const [old, fresh] = [await layer(base), await layer(base)];
    const before = await share.list(fresh);
    const path = Buffer.from("usr").toString("base64");
    const leave = `cd ${fresh} && ln fs/usr/file shared-link && echo "1200000000123456789 ${path}" > shared-times`;
    // Its last line was being written.
    await share.lab.run("sh", "-c", `${leave} && touch fs/usr && printf "12 " >> shared-times`);
    expect(differences(before, await share.list(fresh))).not.toEqual([]);
    await share.share(fresh, old);
    expect(differences(before, await share.list(fresh))).toEqual([]);
    expect(readdirSync(fresh)).toEqual(["fs"]);
    expect(await share.inodes("usr/file", old, fresh)).toBe(1);
  });

  test("a layer that is gone in the middle is an error, and the worker goes on", async () => {
    const old = await layer(base);
    await expect(share.share(join(old, "nowhere"), old)).rejects.toThrow("LAYER_IO");
    expect(await share.share(old, join(old, "nowhere"))).toEqual([]);
    expect(existsSync(join(old, "shared-times"))).toBe(false);
  });

  test("a box on the layer sees the same before, during and after", async () => {
    const program = await Bun.file("/bin/busybox").bytes();
    const items: TarItem[] = [
      { path: "bin/", mode: 0o755 },
      { path: "bin/busybox", content: program, mode: 0o755 },
      { path: "read", content: long("read\n") },
      { path: "written", content: long("written\n") },
      { path: "later", content: long("later\n") },
    ];
    const [old, fresh] = [await layer(items), await layer(items)];
    const room = await share.lab.newTarget();
    // The box has a file open, executes another, has asked for a third, and waits.
    const script = `cd ${room} && mkdir upper work merged &&
      mount -t overlay overlay -o userxattr,lowerdir=${fresh}/fs,upperdir=upper,workdir=work merged &&
      cd merged && exec 3< read && stat -c %s written >/dev/null && bin/busybox sh -c '
        bin=/bin/busybox; echo ready; $bin head -n 1 >/dev/null
        for each in read written later; do ./bin/busybox head -n 1 $each; done; ./bin/busybox tail -n 1 <&3
        echo more >> written; ./bin/busybox tail -n 1 written'`;
    await using box = startInNamespace(person, script);
    await box.line("ready");
    expect(await share.share(fresh, old)).toMatchObject([{ files: 4 }]);
    expect(await box.finish("go\n")).toBe("read\nwritten\nlater\nread\nmore\n");
    // What the box has written is its own.
    const ends = await share.lab.run("tail", "-q", "-n", "1", `${old}/fs/written`, `${fresh}/fs/written`);
    expect(ends).toBe("written\nwritten\n");
  });
});

interface Box extends AsyncDisposable {
  /** Resolves when it has printed this line. */
  line(text: string): Promise<void>;
  /** Give it its input; what it prints from then on, once it has ended well. */
  finish(input: string): Promise<string>;
}

function startInNamespace(person: Person, script: string): Box {
  const command = [...namespaceOf(person), "sh", "-ec", script];
  const child = Bun.spawn(command, { stdin: "pipe", stdout: "pipe", stderr: "inherit" });
  const reader = child.stdout.getReader();
  const decoder = new TextDecoder();
  let printed = "";
  const more = async (): Promise<boolean> => {
    const { done, value } = await reader.read();
    if (value !== undefined) printed += decoder.decode(value, { stream: true });
    return !done;
  };
  return {
    async line(text) {
      while (!printed.includes(`${text}\n`)) if (!(await more())) throw new Error(`it printed ${printed}`);
      printed = printed.slice(printed.indexOf(`${text}\n`) + text.length + 1);
    },
    async finish(input) {
      child.stdin.write(input);
      child.stdin.end();
      while (await more());
      if ((await child.exited) !== 0) throw new Error(`exit status ${child.exitCode}`);
      return printed;
    },
    async [Symbol.asyncDispose]() {
      child.kill();
      await child.exited;
    },
  };
}

const path = fc.constantFrom("a", "b", "c", "d/a", "d/b");
/** Few values, so that many files are the same by chance. */
const anyFile = fc.record({ path, content: fc.constantFrom(long("x"), long("y")), mtime: fc.constantFrom(1, 1, 1, 2) });
const hardLink = fc.record({ path, link: path, type: fc.constant("1") });
const whiteout = path.map((text) => ({ path: text.replace(/[^/]*$/, ".wh.$&") }));
const anyItem = fc.oneof(
  { weight: 6, arbitrary: anyFile },
  { weight: 3, arbitrary: hardLink },
  { weight: 1, arbitrary: whiteout },
);
const anyLayer = fc.array(anyItem, { minLength: 3, maxLength: 12 }).map(withoutDeadLinks);

function withoutDeadLinks(items: readonly TarItem[]): readonly TarItem[] {
  return items.filter(({ path: own, link }, index) => {
    const there = items.slice(0, index).some((before) => before.path === link && before.type === undefined);
    return link === undefined || (there && own !== link);
  });
}

test("law: nobody can tell, and all names of a shared file lie at one path of different layers", async () => {
  await using share = await openShareLaboratory(ordinary, temporary);
  let files = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(anyLayer, { minLength: 2, maxLength: 3 }), async (recipes) => {
      const layers: string[] = [];
      for (const recipe of recipes) {
        const made = await share.layer(recipe);
        if (made === undefined) throw new Error("the layer was refused");
        layers.push(made);
      }
      const look = async (): Promise<readonly Listing[]> => [
        await share.listMerged(...layers),
        ...(await Promise.all(layers.map((layer) => share.list(layer)))),
      ];
      const before = await look();
      for (const layer of layers) {
        const shared = await share.share(layer, ...layers.filter((other) => other !== layer));
        files += shared.reduce((sum, each) => sum + each.files, 0);
      }
      expect(await look()).toEqual(before);
      expect(await joinedPaths(share, layers)).toEqual([]);
    }),
    { numRuns: 25 },
  );
  expect(files).toBeGreaterThan(0);
});

/** Files that two layers have at different paths. */
async function joinedPaths(share: ShareLaboratory, layers: readonly string[]): Promise<readonly string[]> {
  const trees = layers.map((layer) => `${layer}/fs`);
  const found = await share.lab.run("find", ...trees, "-type", "f", "-printf", "%i %H %P\n");
  const names = found
    .split("\n")
    .filter(Boolean)
    .map((line) => line.split(" "));
  return names.flatMap(([inode, tree, at]) =>
    names
      .filter((other) => other[0] === inode && other[1] !== tree && other[2] !== at)
      .map((other) => `${at} ${other[2]}`),
  );
}
