/** Two trees of a layer compared: each kind of damage is seen and named, and nothing else is. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { join } from "node:path";
import fc from "fast-check";
import type { TreeDifference } from "../../../src/layer/protocol.ts";
import { type Laboratory, openLaboratory } from "../../helpers/layer-stack.ts";
import { differences } from "../../helpers/listing.ts";
import { caller, ordinaryUser, type Person, temporaryDirectory } from "../../helpers/machine.ts";
import { type TarItem, tar } from "../../helpers/tar-builder.ts";

const temporary = temporaryDirectory("devbox-compare");
afterAll(() => temporary[Symbol.asyncDispose]());

const ordinary = await ordinaryUser();
const people: Person[] = ordinary.uid === caller().uid ? [ordinary] : [ordinary, caller()];

const layer: TarItem[] = [
  { path: "./", mode: 0o755 },
  { path: "bin/", mode: 0o755 },
  { path: "bin/tool", content: "tool", mode: 0o755, uid: 10, gid: 20, mtime: 1_000_000_000 },
  { path: "bin/same", type: "1", link: "bin/tool" },
  { path: "bin/link", type: "2", link: "tool" },
  { path: "etc/passwd", content: "root", mode: 0o600, pax: { mtime: "1200000000.25", "SCHILY.xattr.user.note": "a" } },
  { path: "etc/alone", content: "alone" },
  { path: "etc/closed/", mode: 0o700, uid: 33 },
  { path: "etc/closed/inside", content: "x", mode: 0o000, uid: 33 },
  { path: "fifo", type: "6" },
  { path: ".wh.gone" },
  { path: "opaque/.wh..wh..opq" },
  { path: "opaque/file", content: "f" },
  { path: Buffer.from([0x62, 0xff]), content: "no UTF-8" },
];

describe.each(people)("as $name", (person) => {
  let lab: Laboratory;
  let expected: string;
  beforeAll(async () => {
    lab = await openLaboratory(person, temporary);
    expected = await tree();
  });
  afterAll(() => lab[Symbol.asyncDispose]());

  /** The layer, applied; not settled, so that its whiteouts stay. */
  async function tree(items: readonly TarItem[] = layer): Promise<string> {
    const target = await lab.newTarget();
    const reply = await lab.worker.apply(tar(items), target);
    if (reply.kind !== "applied") throw new Error(JSON.stringify(reply));
    return target;
  }

  async function compare(actual: string, most = 20) {
    lab.worker.send({ kind: "compare", label: "layer", actual, expected, most });
    const reply = await lab.worker.reply();
    if (reply.kind !== "compared") throw new Error(JSON.stringify(reply));
    return reply;
  }

  test("the same layer twice", async () => {
    expect(await compare(await tree())).toEqual({ kind: "compared", differences: [], count: 0 });
  });

  /** Shell commands in the tree, as root of the user namespace; times of directories are put back. */
  const damages: readonly (readonly [string, string, readonly TreeDifference[]])[] = [
    [
      "other bytes of the same size and time",
      "t=$(stat -c %Y bin/tool); printf T00L >bin/tool; touch -d @$t bin/tool",
      [
        { path: "bin/same", what: "content" },
        { path: "bin/tool", what: "content" },
      ],
    ],
    [
      "a shorter file",
      "printf a >etc/alone; touch -r $1/etc/alone etc/alone",
      [{ path: "etc/alone", what: "content" }],
    ],
    [
      "an empty file",
      ": >etc/closed/inside && touch -r $1/etc/closed/inside etc/closed/inside",
      [{ path: "etc/closed/inside", what: "content" }],
    ],
    ["a mode", "chmod 4755 etc/alone", [{ path: "etc/alone", what: "mode 04755, not 0644" }]],
    ["an owner", "chown 1:2 etc/alone", [{ path: "etc/alone", what: "owner 1:2, not 0:0" }]],
    [
      "a time, by a nanosecond",
      "touch -d @1200000000.250000001 etc/passwd",
      [{ path: "etc/passwd", what: "modification time" }],
    ],
    [
      "an attribute's value",
      "setfattr -n user.note -v b etc/passwd",
      [{ path: "etc/passwd", what: "attribute user.note" }],
    ],
    ["an attribute less", "setfattr -x user.note etc/passwd", [{ path: "etc/passwd", what: "attribute user.note" }]],
    [
      "an attribute more",
      "setfattr -n user.more -v '' etc/alone",
      [{ path: "etc/alone", what: "attribute user.more" }],
    ],
    [
      "no longer opaque",
      "setfattr -x user.overlay.opaque opaque",
      [{ path: "opaque", what: "attribute user.overlay.opaque" }],
    ],
    ["a file less", "rm etc/alone", [{ path: "etc/alone", what: "missing" }]],
    ["a file more", ": >etc/more", [{ path: "etc/more", what: "not in the image" }]],
    ["a whiteout less", "rm gone", [{ path: "gone", what: "missing" }]],
    ["a whole directory less", "rm -r etc/closed", [{ path: "etc/closed", what: "missing" }]],
    [
      "where a link leads",
      "ln -sfn T00L bin/link; touch -h -r $1/bin/link bin/link",
      [{ path: "bin/link", what: "target" }],
    ],
    ["another type", "rm etc/alone; mkdir etc/alone", [{ path: "etc/alone", what: "is a directory, not a file" }]],
    [
      "names that were one file",
      "cp -p bin/same x; mv x bin/same",
      [{ path: "bin/tool", what: "is no link to bin/same" }],
    ],
    [
      "names that were two files",
      "cp -p etc/alone x; ln -f x etc/alone; ln x fifo2; rm x",
      [{ path: "fifo2", what: "not in the image" }],
    ],
    ["a name that is no UTF-8", "rm b?", [{ path: "b\ufffd", what: "missing" }]],
    ["the root", "chmod 700 .", [{ path: "/", what: "mode 0700, not 0755" }]],
  ];

  test.each([...damages])("%s", async (_name, command, wanted) => {
    const actual = await tree();
    const keep = 'for d in . bin etc opaque; do touch -r "$1/$d" "$d"; done';
    await lab.run("sh", "-c", `cd "$2" && ${command} && ${keep}`, "sh", expected, actual);
    const { differences: found, count } = await compare(actual);
    expect(found).toEqual([...wanted]);
    expect(count).toBe(wanted.length);
  });

  test("a file that other layers share is the same file still", async () => {
    const actual = await tree();
    await lab.run("ln", join(actual, "etc/alone"), join(await tree(), "shared"));
    expect((await compare(actual)).count).toBe(0);
  });

  test("only so many are told, all are counted", async () => {
    const { differences: found, count } = await compare(await tree([{ path: "./", mode: 0o755 }]), 2);
    expect(found.map(({ path }) => path)).toEqual(["bin", "b\ufffd"].sort());
    expect(count).toBeGreaterThan(5);
  });

  test("paths longer than the kernel takes at once", async () => {
    const deep = `${"d".repeat(200)}/`.repeat(40);
    const [one, other] = [
      await tree([{ path: `${deep}file`, content: "1" }]),
      await tree([{ path: `${deep}file`, content: "2" }]),
    ];
    lab.worker.send({ kind: "compare", label: "layer", actual: one, expected: other, most: 20 });
    expect(await lab.worker.reply()).toMatchObject({ kind: "compared", count: 1, differences: [{ what: "content" }] });
    for (const path of [one, other]) {
      lab.worker.send({ kind: "remove", path });
      expect((await lab.worker.reply()).kind).toBe("removed");
    }
  });

  const name = fc.constantFrom("a", "b", "c");
  const path = fc.array(name, { minLength: 1, maxLength: 2 }).map((names) => names.join("/"));
  const item = fc.oneof(
    fc.record({ path, content: fc.constantFrom("", "x", "y"), mode: fc.constantFrom(0o644, 0o755) }),
    fc.record({ path: path.map((text) => `${text}/`), uid: fc.integer({ min: 0, max: 1 }) }),
    fc.record({ path, type: fc.constant("2"), link: name }),
  );

  test("law: nothing differs exactly where two listings are the same", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(item, { maxLength: 5 }), fc.array(item, { maxLength: 5 }), async (one, other) => {
        const [actual, wanted] = [await tree(one).catch(() => undefined), await tree(other).catch(() => undefined)];
        fc.pre(actual !== undefined && wanted !== undefined);
        lab.worker.send({ kind: "compare", label: "layer", actual, expected: wanted, most: 20 });
        const reply = await lab.worker.reply();
        const listed = differences(await lab.list(wanted), await lab.list(actual));
        expect(reply.kind === "compared" && reply.count === 0).toBe(listed.length === 0);
      }),
      { numRuns: 25 },
    );
  });

  test("measure counts what is on the disk, closed directories too, and a file with two names once", async () => {
    lab.worker.send({ kind: "measure", path: expected });
    const reply = await lab.worker.reply();
    const blocks = await lab.run("du", "-s", "--block-size=512", expected);
    expect(reply).toEqual({ kind: "measured", bytes: Number.parseInt(blocks, 10) * 512 });
  });
});
