/** Layers that want out, want too much, or are none: refused by name, nothing outside touched, the worker goes on. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { type Laboratory, openLaboratory } from "../../helpers/layer-stack.ts";
import { caller, ordinaryUser, type Person, temporaryDirectory } from "../../helpers/machine.ts";
import { type TarItem, tar } from "../../helpers/tar-builder.ts";

const temporary = temporaryDirectory("devbox-hostile");
afterAll(() => temporary[Symbol.asyncDispose]());

const ordinary = await ordinaryUser();
const people: Person[] = ordinary.uid === caller().uid ? [ordinary] : [ordinary, caller()];

describe.each(people)("as $name", (person) => {
  let lab: Laboratory;
  beforeAll(async () => {
    lab = await openLaboratory(person, temporary);
  });
  afterAll(() => lab[Symbol.asyncDispose]());

  test.each<[string, TarItem[], string, string]>([
    ["dot-dot", [{ path: "a/../../etc/passwd" }], "LAYER_ESCAPE", "apply layer 1: a/../../etc/passwd"],
    [
      "dot-dot in the target of a hard link",
      [{ path: "h", type: "1", link: "../f" }],
      "LAYER_ESCAPE",
      "apply layer 1: h: ../f",
    ],
    ["a file as a directory", [{ path: "f" }, { path: "f/x" }], "LAYER_INVALID", "apply layer 1: f/x: in f"],
    ["a loop", [{ path: "l", type: "2", link: "l" }, { path: "l/x" }], "LAYER_INVALID", "apply layer 1: l/x: in l"],
    ["the root as a file", [{ path: "/", type: "0" }], "LAYER_INVALID", "apply layer 1: /"],
    ["a whiteout of nothing", [{ path: "a/.wh." }], "LAYER_INVALID", "apply layer 1: a/.wh."],
    ["a whiteout of ..", [{ path: "a/.wh..." }], "LAYER_INVALID", "apply layer 1: a/.wh..."],
    ["a whiteout with something inside", [{ path: ".wh.a/b" }], "LAYER_INVALID", "apply layer 1: .wh.a/b"],
    [
      "a name of 256 bytes",
      [{ path: "x", pax: { path: "n".repeat(256) } }],
      "LAYER_INVALID",
      `apply layer 1: ${"n".repeat(200)}…`,
    ],
    ["a symbolic link to nowhere", [{ path: "l", type: "2", link: "" }], "LAYER_IO", "apply layer 1: l"],
    [
      "a hard link to a directory",
      [{ path: "d/" }, { path: "h", type: "1", link: "d" }],
      "LAYER_INVALID",
      "apply layer 1: h",
    ],
  ])("%s is refused, naming layer and entry", async (_, items, code, step) => {
    expect(await lab.failed(tar(items))).toMatchObject({ code, step });
  });

  // Root of the host owns every id.
  test.skipIf(person.uid === 0)("an owner beyond the map is said, with what an administrator can do", async () => {
    const failure = await lab.failed(tar([{ path: "f", uid: 100_000 }]));
    expect(failure).toMatchObject({ code: "NO_SUBIDS", step: "apply layer 1: f: give it to 100000:0" });
    expect(failure.hint).toContain("usermod --add-subuids");
  });

  test("nothing outside is touched, whatever links lead there", async () => {
    const outside = join(temporary.path, `outside-${person.name}`);
    mkdirSync(outside, { mode: 0o777 });
    writeFileSync(join(outside, "victim"), "untouched");
    const { listing, target } = await lab.applied([
      { path: "a", type: "2", link: outside },
      { path: "a/victim", content: "overwritten" },
      { path: "b", type: "2", link: `${"../".repeat(30)}${outside}` },
      { path: "b/new", content: "new" },
      { path: `${outside}/absolute`, content: "absolute" },
      { path: "swap/" },
      { path: "swap/inner/" },
      { path: "swap", type: "2", link: outside },
      { path: "swap/inner/x", content: "x" },
    ]);
    expect(readFileSync(join(outside, "victim"), "utf8")).toBe("untouched");
    expect(await lab.run("ls", outside)).toBe("victim\n");
    expect([...listing.keys()]).toContain(`.${outside}/victim`);
    expect(existsSync(join(target, outside, "absolute"))).toBe(true);
  });

  test("bombs: by size, by ratio", async () => {
    const zeros = tar([{ path: "zeros", content: Buffer.alloc(3_000_000) }]);
    const bomb = await lab.failed(gzipSync(zeros), { compression: "gzip", maxBytes: 1_000_000 });
    expect(bomb).toMatchObject({ code: "LAYER_TOO_LARGE", step: "apply layer 1: unpack" });
    const chunk = zstdCompressSync(Buffer.alloc(64 * 1024 * 1024));
    const head = zstdCompressSync(tar([{ path: "zeros", size: 5 * 1024 ** 3 }], false));
    const blob = Buffer.concat([head, ...Array.from({ length: 5 }, () => chunk)]);
    expect(await lab.failed(blob, { compression: "zstd" })).toMatchObject({ code: "LAYER_TOO_LARGE" });
  });

  test("cut and damaged streams", async () => {
    const archive = tar([{ path: "f", content: crypto.getRandomValues(Buffer.alloc(60_000)) }]);
    const [gzip, zstd] = [gzipSync(archive), zstdCompressSync(archive)];
    expect(await lab.failed(archive.subarray(0, 30_000))).toMatchObject({ code: "LAYER_TRUNCATED" });
    expect(await lab.failed(gzip.subarray(0, -3), { compression: "gzip" })).toMatchObject({ code: "LAYER_TRUNCATED" });
    expect(await lab.failed(zstd.subarray(0, -600), { compression: "zstd" })).toMatchObject({
      code: "LAYER_TRUNCATED",
    });
    expect(await lab.failed(zstd.subarray(0, 5), { compression: "zstd" })).toMatchObject({ code: "LAYER_TRUNCATED" });
    const garbage = Buffer.concat([zstd, Buffer.from("garbage")]);
    expect(await lab.failed(garbage, { compression: "zstd" })).toMatchObject({ code: "LAYER_INVALID" });
    expect(await lab.failed(Buffer.from("no gzip"), { compression: "gzip" })).toMatchObject({ code: "LAYER_INVALID" });
    expect(await lab.failed(Buffer.from("no zstd"), { compression: "zstd" })).toMatchObject({ code: "LAYER_INVALID" });
    const damaged = Buffer.from(gzip);
    damaged[30_000] = (damaged[30_000] ?? 0) ^ 0xff;
    expect((await lab.failed(damaged, { compression: "gzip" })).code).toMatch(/LAYER_INVALID|LAYER_TRUNCATED/);
  });
});
