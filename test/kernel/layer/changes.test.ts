/** The changes of a box: which there are, in docker's letters, and what of them the changeset says. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { type ChangedBox, changeBox, linesOf, type Told } from "../../helpers/changed-box.ts";
import { type Laboratory, openLaboratory } from "../../helpers/layer-stack.ts";
import { caller, ordinaryUser, type Person, temporaryDirectory } from "../../helpers/machine.ts";
import { type TarItem, tar } from "../../helpers/tar-builder.ts";

const temporary = temporaryDirectory("devbox-changed");
afterAll(() => temporary[Symbol.asyncDispose]());

const ordinary = await ordinaryUser();
const people: Person[] = ordinary.uid === caller().uid ? [ordinary] : [ordinary, caller()];

const below: TarItem[] = [
  { path: "etc/", mtime: 1_000_000_000 },
  { path: "etc/passwd", content: "root" },
  { path: "etc/old", content: "hidden by the layer above" },
  { path: "etc/resolv.conf", type: "2", link: "../run/nowhere" },
  { path: "data/", mtime: 1_000_000_000 },
  { path: "data/one", content: "1" },
  { path: "data/sub/", mtime: 1_000_000_000 },
  { path: "data/sub/two", content: "2" },
  { path: "data/sub/deep/three", content: "3" },
  { path: "kind", content: "a file" },
  { path: "tree/leaf", content: "leaf" },
  { path: "null", type: "3", device: [1, 3], mode: 0o666 },
];
const above: TarItem[] = [{ path: "etc/.wh.old" }, { path: "data/four", content: "4" }];

describe.each(people)("as $name", (person) => {
  let lab: Laboratory;
  let layers: readonly string[];
  beforeAll(async () => {
    lab = await openLaboratory(person, temporary);
    layers = await lab.stack([tar(below), tar(above)]);
  });
  afterAll(() => lab[Symbol.asyncDispose]());

  const change = (script: string): Promise<ChangedBox> => changeBox(lab, person, layers, script);
  const lines = async (script: string, mountPoints: string[] = []): Promise<readonly string[]> =>
    linesOf(await (await change(script)).tell("list", { mountPoints }));
  const archive = async (script: string, more: Parameters<ChangedBox["tell"]>[1] = {}): Promise<Told> =>
    await (await change(script)).tell("archive", more);
  /** Names as tar(1) reads them. */
  const namesIn = async ({ output }: Told, flags = "t"): Promise<readonly string[]> => {
    const child = Bun.spawn(["tar", flags, "--quoting-style=literal"], {
      stdin: output,
      stdout: "pipe",
      env: { ...process.env, TZ: "UTC" },
    });
    return (await child.stdout.text()).split("\n").filter(Boolean);
  };

  test("added, changed, deleted, with the directories that they are in", async () => {
    expect(await lines("printf x > etc/new; printf y >> etc/passwd; rm data/one data/four")).toEqual([
      "C /data",
      "D /data/four",
      "D /data/one",
      "C /etc",
      "A /etc/new",
      "C /etc/passwd",
    ]);
  });

  test("what the layer above hid is new again", async () => {
    expect(await lines("printf x > etc/old")).toEqual(["C /etc", "A /etc/old"]);
  });

  test("a directory that is gone is one line, what is in a new one all of it", async () => {
    expect(await lines("rm -r data; mkdir -p new/er; printf x > new/er/est")).toEqual([
      "D /data",
      "A /new",
      "A /new/er",
      "A /new/er/est",
    ]);
  });

  test("a directory in the place of another: what was in that one is deleted, to where the new one goes", async () => {
    const script = "rm -r data; mkdir -p data/sub; printf x > data/one; printf x > data/sub/new";
    expect(await lines(script)).toEqual([
      "C /data",
      "D /data/four",
      "C /data/one",
      "C /data/sub",
      "D /data/sub/deep",
      "A /data/sub/new",
      "D /data/sub/two",
    ]);
    const told = await archive(script);
    expect(await namesIn(told)).toEqual(["./", "data/", "data/.wh..wh..opq", "data/one", "data/sub/", "data/sub/new"]);
  });

  test("what a layer had hidden already is not deleted again", async () => {
    expect(await lines("rm -r etc; mkdir etc")).toEqual(["C /etc", "D /etc/passwd", "D /etc/resolv.conf"]);
    const box = await change("printf x > new");
    await lab.run("mknod", `${box.upper}/nothing`, "c", "0", "0");
    expect(linesOf(await box.tell("list"))).toEqual(["A /new"]);
  });

  test("another kind of file is a change", async () => {
    expect(await lines("rm kind; mkdir kind; printf x > kind/in; rm -r tree; ln -s kind tree")).toEqual([
      "C /kind",
      "A /kind/in",
      "C /tree",
    ]);
  });

  test("nothing at all, also when files were opened to be written and were not", async () => {
    expect(await lines("(exec 3>>data/sub/none) 2>/dev/null; rm data/sub/none; touch -d @1000000000 data/sub")).toEqual(
      [],
    );
    expect((await archive(":")).output.length).toBe(0);
  });

  test.each(["setfattr -n user.key -v x data/sub", "chown 5 data/sub", "chown :5 data/sub"])(
    "an attribute or an owner alone is a change: %s",
    async (step) => {
      expect(await lines(`${step}; touch -d @1000000000 data/sub`)).toEqual(["C /data", "C /data/sub"]);
    },
  );

  test("a mode alone is a change, also of the root", async () => {
    expect(await lines("chmod 700 data/sub")).toEqual(["C /data", "C /data/sub"]);
    expect(await namesIn(await archive("chmod 711 ."), "tv")).toEqual([
      expect.stringMatching(/^drwx--x--x 0\/0 .* \.\/$/),
    ]);
  });

  test("what mount points left behind is no change, what else is there is", async () => {
    const places = ["/etc/hosts", "/etc/resolv.conf", "/proc", "/data/sub/volume/deep", "/new/volume", "/tree/leaf"];
    const made =
      "mkdir -p proc data/sub/volume/deep new/volume; : > etc/hosts; rm etc/resolv.conf; : > etc/resolv.conf";
    expect(await lines(made, places)).toEqual([]);
    expect((await (await change(made)).tell("archive", { mountPoints: places })).output.length).toBe(0);
    expect(await lines(`${made}; printf x > new/file; printf x > etc/hosts; chmod 700 data/sub`, places)).toEqual([
      "C /data",
      "C /data/sub",
      "C /etc",
      "A /etc/hosts",
      "A /new",
      "A /new/file",
    ]);
  });

  test("whiteouts: where the name would stand that is gone, none for what the image has not", async () => {
    const script = "rm -r data/sub; rm kind; printf x > new; rm new; mkdir -p a/b; rm -r a/b";
    expect(await namesIn(await archive(script))).toEqual(["./", "a/", "data/", "data/.wh.sub", ".wh.kind"]);
  });

  test("hard links: the first name has the content; one whose other name did not change is a file of its own", async () => {
    const told = await archive("printf x > b; ln b a; ln b c; ln etc/passwd d");
    expect(await namesIn(told, "tv")).toEqual([
      expect.stringMatching(/ \.\/$/),
      expect.stringMatching(/^-.* 1 .* a$/),
      expect.stringMatching(/^h.* b link to a$/),
      expect.stringMatching(/^h.* c link to a$/),
      expect.stringMatching(/^-.* d$/),
      expect.stringMatching(/^d.* etc\/$/),
      expect.stringMatching(/^h.* etc\/passwd link to d$/),
    ]);
  });

  test("owners and capabilities as in the box, devices as in the image", async () => {
    const caps = "0x0100000200040000000000000000000000000000";
    const told = await archive(
      `printf x > prog; chown 33:44 prog; setfattr -n security.capability -v ${caps} prog; setfattr -n user.overlay.x -v 1 prog; chown 5:6 null`,
    );
    expect(await namesIn(told, "tv")).toEqual([
      expect.stringMatching(/ \.\/$/),
      expect.stringMatching(/^crw-rw-rw- 5\/6 +1,3 .* null$/),
      expect.stringMatching(/^-.* 33\/44 .* prog$/),
    ]);
    const text = told.output.toString("latin1");
    expect(text).toContain(`SCHILY.xattr.security.capability=${Buffer.from(caps.slice(2), "hex").toString("latin1")}`);
    expect(text).not.toContain("user.overlay");
    expect(text).not.toContain("user.devbox");
  });

  test("a socket has no content: it is left out, and named", async () => {
    const python = "import socket; socket.socket(socket.AF_UNIX).bind('sock')";
    const told = await archive(`printf x > file; python3 -c "${python}"`);
    expect(await namesIn(told)).toEqual(["./", "file"]);
    expect(told.reply).toEqual({ kind: "done", notes: ["sock: a socket has no content and is left out"] });
  });

  test("a name that would be a whiteout is refused", async () => {
    const { reply } = await archive("printf x > data/.wh.one");
    expect(reply).toMatchObject({ kind: "failed", code: "COPY_FAILED", step: "/data/.wh.one" });
    expect(linesOf(await (await change("printf x > data/.wh.one")).tell("list"))).toContain("A /data/.wh.one");
  });

  test("equal changes made at other times are equal bytes, when later times become one", async () => {
    const script = "mkdir -p new/a; printf x > new/a/b; printf y > new/a/a; rm kind; touch -d @1000 new/a/a";
    const [first, second] = [await archive(script, { latest: 2000 }), await archive(script, { latest: 2000 })];
    expect(first.output.equals(second.output)).toBe(true);
    const times = await namesIn(first, "tv");
    expect(times.find((line) => line.endsWith("new/a/a"))).toContain("1970-01-01 00:16");
    expect(times.find((line) => line.endsWith("new/a/b"))).toContain("1970-01-01 00:33");
  });

  test("a layer that is missing is an error, not a box full of changes", async () => {
    const box = await change("printf x > new");
    const { reply } = await box.tell("list", { lowers: ["/nonexistent"] });
    expect(reply).toMatchObject({ kind: "failed", because: expect.stringContaining("ENOENT") });
  });
});
