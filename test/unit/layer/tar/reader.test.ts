import { afterAll, describe, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { $ } from "bun";
import fc from "fast-check";
import { DevboxError } from "../../../../src/core/errors.ts";
import type { TarEntry } from "../../../../src/layer/tar/entry.ts";
import { createTarReader } from "../../../../src/layer/tar/reader.ts";
import { extension, paxRecords, type TarItem, tar, tarItem } from "../../../helpers/tar-builder.ts";

interface ReadEntry extends TarEntry {
  readonly content: string;
}

/** All entries, the archive given in pieces of `pieceSize` bytes. */
function read(archive: Buffer, pieceSize = archive.length): ReadEntry[] {
  const entries: ReadEntry[] = [];
  let current: { readonly entry: TarEntry; readonly parts: Buffer[] } | undefined;
  const reader = createTarReader({
    begin: (entry) => {
      current = { entry, parts: [] };
    },
    data: (chunk, start, end) => current?.parts.push(Buffer.from(chunk.subarray(start, end))),
    end: () => {
      if (current === undefined) throw new Error("end without begin");
      entries.push({ ...current.entry, content: Buffer.concat(current.parts).toString("latin1") });
      current = undefined;
    },
  });
  for (let at = 0; at < archive.length; at += pieceSize) reader.push(archive.subarray(at, at + pieceSize));
  reader.finish();
  return entries;
}

function failure(archive: Buffer): { readonly code: string; readonly message: string } {
  try {
    read(archive);
  } catch (error) {
    if (error instanceof DevboxError) return { code: error.code, message: error.message };
    throw error;
  }
  throw new Error("it was read");
}

const one = (item: TarItem): ReadEntry => {
  const [entry, ...others] = read(tar([item]));
  if (entry === undefined || others.length > 0) throw new Error("not one entry");
  return entry;
};

describe("headers", () => {
  test("ustar with prefix, v7 without", () => {
    const prefixed: TarItem = { path: "name", mutate: (block) => void block.write("some/prefix", 345) };
    expect(one(prefixed).path).toBe("some/prefix/name");
    expect(one({ ...prefixed, format: "gnu" }).path).toBe("name");
    expect(one({ ...prefixed, format: "v7" }).path).toBe("name");
  });

  test("star keeps times behind a shorter prefix", () => {
    const mutate = (block: Buffer): void => {
      block.write("p".repeat(131), 345);
      block.write("14567012345\0", 476);
      block.write("tar\0", 508);
    };
    expect(one({ path: "name", mutate }).path).toBe(`${"p".repeat(131)}/name`);
  });

  test("a name of 100 bytes has no NUL", () => {
    expect(one({ path: "n".repeat(100) }).path).toBe("n".repeat(100));
  });

  test("v7 directories end with a slash", () => {
    expect(one({ path: "dir/", type: "\0", format: "v7" }).type).toBe("directory");
    expect(one({ path: "file", type: "\0", format: "v7" }).type).toBe("file");
  });

  test("base-256 numbers, also negative times", () => {
    const entry = one({ path: "f", uid: 3_000_000, gid: 2_999_999_999, mtime: -123_456 });
    expect([entry.uid, entry.gid, entry.mtime.seconds]).toEqual([3_000_000, 2_999_999_999, -123_456]);
  });

  test("device numbers of ustar and of GNU headers", () => {
    for (const format of ["ustar", "gnu"] as const) {
      const entry = one({ path: "null", type: "3", device: [1, 3], format });
      expect([entry.type, entry.deviceMajor, entry.deviceMinor]).toEqual(["character", 1, 3]);
    }
  });

  test("a wrong checksum is no header, one of signed characters is", () => {
    expect(failure(tar([{ path: "f", badChecksum: true }]))).toMatchObject({ code: "LAYER_INVALID" });
    const signed = tar([{ path: new Uint8Array([0xc3, 0xa9]) }]);
    const sum = signed
      .subarray(0, 512)
      .reduce((total, byte, at) => total + (at >= 148 && at < 156 ? 32 : (byte << 24) >> 24), 0);
    signed.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148);
    expect(read(signed)).toHaveLength(1);
  });

  test("names that are not UTF-8 keep their bytes", () => {
    expect(one({ path: new Uint8Array([0x66, 0xff, 0xfe]) }).path).toBe("f\xff\xfe");
    expect(one({ path: "x", type: "2", link: new Uint8Array([0x80]) }).linkTarget).toBe("\x80");
  });

  test("only files have data, whatever the size says", () => {
    const archive = tar([{ path: "d/", size: 5000 }, { path: "l", type: "1", link: "f", size: 77 }, { path: "f" }]);
    expect(read(archive).map(({ path }) => path)).toEqual(["d/", "l", "f"]);
  });

  test("unknown types are refused by name, volume labels skipped", () => {
    expect(failure(tar([{ path: "dump", type: "D" }])).message).toContain(
      'dump (at byte 0 of the archive): entries of type "D"',
    );
    expect(read(tar([{ path: "label", type: "V" }, { path: "f" }])).map(({ path }) => path)).toEqual(["f"]);
  });
});

describe("extended headers", () => {
  test("pax overrides name, link, owner, time and size", () => {
    const pax = { path: "a\nb", uid: "70000", gid: "70001", mtime: "1.5", size: "3", comment: "none" };
    const entry = one({ path: "short", content: "abc", size: 0, pax });
    expect(entry).toMatchObject({ path: "a\nb", uid: 70000, gid: 70001, content: "abc" });
    expect(entry.mtime).toEqual({ seconds: 1, nanoseconds: 500_000_000 });
    expect(one({ path: "l", type: "2", link: "x", pax: { linkpath: "long/target" } }).linkTarget).toBe("long/target");
  });

  test("an empty record takes the header's value", () => {
    expect(one({ path: "name", uid: 5, pax: { path: "", uid: "" } })).toMatchObject({ path: "name", uid: 5 });
  });

  test("global records hold until they change, and never name or size anything", () => {
    const global = extension(
      "g",
      paxRecords([
        ["uid", "9"],
        ["path", "evil"],
        ["size", "1"],
        ["mtime", "7"],
      ]),
    );
    const back = extension("g", paxRecords([["uid", ""]]));
    const archive = Buffer.concat([
      global,
      tarItem({ path: "a" }),
      tarItem({ path: "b", pax: { uid: "4" } }),
      back,
      tar([{ path: "c", uid: 3 }]),
    ]);
    expect(read(archive).map(({ path, uid, mtime }) => [path, uid, mtime.seconds])).toEqual([
      ["a", 9, 7],
      ["b", 4, 7],
      ["c", 3, 7],
    ]);
  });

  test("GNU long names and links", () => {
    const [path, link] = ["p/".repeat(200), "l".repeat(300)];
    const archive = Buffer.concat([
      extension("K", `${link}\0`),
      extension("L", `${path}\0`),
      tar([{ path: "cut", type: "2" }]),
    ]);
    expect(read(archive)).toMatchObject([{ path, linkTarget: link }]);
  });

  test("extended attributes keep bytes; both dialects", () => {
    const value = new Uint8Array([0, 255, 10, 61]);
    const xattrs = one({
      path: "f",
      pax: { "SCHILY.xattr.user.a=b": value, "LIBARCHIVE.xattr.user.%6e": "AAE=" },
    }).xattrs;
    expect([...xattrs]).toEqual([
      ["user.n", "\0\x01"],
      ["user.a", "b=\0\xff\n="],
    ]);
  });

  test.each([
    ["a length beyond the header", "99 path=x\n"],
    ["a length that cuts", "8 path=x\n"],
    ["no length", " path=x\n"],
    ["no digits", "x path=x\n"],
    ["too many digits", "00000000000000000010 path=x\n"],
    ["no equals sign", "7 path\n"],
    ["no key", "5 =x\n"],
    ["no line end", "9 path=xy"],
    ["a zero length", "0 path=x\n"],
    ["a NUL in a name", "11 path=\0x\n"],
    ["a negative owner", "10 uid=-1\n"],
    ["an owner that is none", "18 uid=4294967295\n"],
    ["a time that is none", "13 mtime=1e9\n"],
    ["a negative size", "11 size=-1\n"],
  ])("%s is refused", (_, records) => {
    const archive = Buffer.concat([extension("x", records), tar([{ path: "f" }])]);
    expect(failure(archive).code).toBe("LAYER_INVALID");
  });

  test("a header of more than 1 MiB is refused before it is read", () => {
    const archive = tar([{ path: "x", type: "x", size: 2 ** 40 }]);
    expect(failure(archive).message).toContain("1099511627776 bytes is more than 1048576");
  });
});

describe("the stream", () => {
  const items: TarItem[] = [
    { path: "d/" },
    { path: "d/empty" },
    { path: "d/f", content: "x".repeat(1234), pax: { mtime: "5.25" } },
    { path: "d/g", content: "y".repeat(1024) },
    { path: "d/l", type: "2", link: "f" },
  ];

  test("pieces of any size give the same", () => {
    const whole = read(tar(items));
    expect(whole).toHaveLength(5);
    fc.assert(fc.property(fc.integer({ min: 1, max: 2000 }), (size) => expect(read(tar(items), size)).toEqual(whole)));
  });

  test("the end may be missing, what follows it is not read", () => {
    expect(read(tar(items, false))).toHaveLength(5);
    expect(read(Buffer.concat([tar(items), Buffer.from("anything at all")]))).toHaveLength(5);
    expect(read(Buffer.alloc(0))).toHaveLength(0);
  });

  test("a cut anywhere within an entry is said; padding is of none", () => {
    const archive = tar(items, false);
    const ends = new Map([[0, 0]]);
    let at = 0;
    for (const item of items) {
      at += tarItem(item).length;
      const over = Buffer.from(item.content ?? "").length % 512;
      ends.set(over === 0 ? at : at - 512 + over, at);
    }
    const isWhole = (cut: number): boolean => [...ends].some(([from, to]) => from <= cut && cut <= to);
    for (let cut = 1; cut < archive.length; cut += 61) {
      if (isWhole(cut)) expect(read(archive.subarray(0, cut)).length).toBeGreaterThan(0);
      else expect(failure(archive.subarray(0, cut)).code).toBe("LAYER_TRUNCATED");
    }
    for (const cut of ends.keys()) expect(() => read(archive.subarray(0, cut))).not.toThrow();
  });

  test("entries behind a single zero block are not smuggled in", () => {
    const archive = Buffer.concat([tarItem({ path: "a" }), Buffer.alloc(512), tar([{ path: "b" }])]);
    expect(failure(archive).code).toBe("LAYER_INVALID");
  });

  test("random bytes are refused, never misread as something else than an error", () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 3000 }), (bytes) => {
        const first = bytes.findIndex((byte) => byte !== 0);
        if (first === -1 || first >= 512) return;
        expect(failure(Buffer.from(bytes)).code).toMatch(/LAYER_(INVALID|TRUNCATED)/);
      }),
    );
  });

  test("a damaged header is refused or read, but nothing else happens", () => {
    const archive = tar(items);
    fc.assert(
      fc.property(fc.integer({ min: 0, max: archive.length - 1 }), fc.integer({ min: 1, max: 255 }), (at, change) => {
        const damaged = Buffer.from(archive);
        damaged[at] = (damaged[at] ?? 0) ^ change;
        try {
          read(damaged);
        } catch (error) {
          expect(error).toBeInstanceOf(DevboxError);
        }
      }),
    );
  });
});

describe("archives of GNU tar", () => {
  const directory = mkdtempSync(join(tmpdir(), "devbox-tar-"));
  afterAll(() => rmSync(directory, { recursive: true }));
  const tree = join(directory, "tree");
  const deep = `${"d".repeat(90)}/${"e".repeat(90)}`;
  mkdirSync(join(tree, deep), { recursive: true });
  writeFileSync(join(tree, deep, "f".repeat(120)), "deep");
  writeFileSync(join(tree, "plain"), "plain");
  const sparse = join(tree, "sparse");
  writeFileSync(sparse, "start");
  truncateSync(sparse, 3_000_000);
  for (let part = 1; part < 30; part++) writeAt(sparse, part * 100_000, `part ${part}`);
  truncateSync(sparse, 4_000_000);

  async function archive(...options: string[]): Promise<ReadEntry[]> {
    const file = join(directory, "a.tar");
    await $`tar --create --file ${file} --directory ${tree} ${options} .`.quiet();
    return read(readFileSync(file));
  }

  test.each(["gnu", "oldgnu", "pax", "posix"])("long names in format %s", async (format) => {
    const entries = await archive(`--format=${format}`);
    const entry = entries.find(({ content }) => content === "deep");
    expect(entry?.path).toBe(`./${deep}/${"f".repeat(120)}`);
  });

  const dialects = [
    ["--format=gnu"],
    ["--format=pax", "--sparse-version=0.0"],
    ["--format=pax", "--sparse-version=0.1"],
    ["--format=pax", "--sparse-version=1.0"],
  ];
  for (const options of dialects) {
    test(`sparse files with ${options.join(" ")}`, async () => {
      const entries = await archive("--sparse", "--hole-detection=raw", ...options);
      const entry = entries.find(({ path }) => path === "./sparse");
      expect(entry?.sparse?.realSize).toBe(4_000_000);
      expect(unfold(entry)).toEqual(readFileSync(sparse));
    });
  }
});

function writeAt(path: string, position: number, text: string): void {
  const bytes = readFileSync(path);
  bytes.write(text, position);
  writeFileSync(path, bytes);
}

/** The file that a sparse entry means. */
function unfold(entry: ReadEntry | undefined): Buffer {
  const bytes = Buffer.alloc(entry?.sparse?.realSize ?? 0);
  const content: string = entry?.content ?? "";
  let at = 0;
  for (const { offset, length } of entry?.sparse?.segments ?? []) {
    bytes.write(content.slice(at, at + length), offset, "latin1");
    at += length;
  }
  return bytes;
}

describe("maps of sparse data", () => {
  const sparse = (map: string, size = "100", content = "abcd"): Buffer =>
    tar([{ path: "f", content, pax: { "GNU.sparse.size": size, "GNU.sparse.map": map } }]);

  test("a sane one", () => {
    expect(read(sparse("0,2,50,2"))[0]?.sparse).toEqual({
      segments: [
        { offset: 0, length: 2 },
        { offset: 50, length: 2 },
      ],
      realSize: 100,
    });
  });

  test.each(["50,2,0,2", "0,3,2,1", "0,4,200,0", "0,5", "0,2", "0,2,98,3", "0,x,50,2", "0,2,50", "0,-2,0,6"])(
    "%s is refused",
    (map) => {
      expect(failure(sparse(map)).code).toBe("LAYER_INVALID");
    },
  );

  test.each(["2\n0\n4\n", "1\nx\n4\n", "999999999\n0\n4\n", "1\n0\n"])("in the data: %j is refused", (map) => {
    const pax = { "GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.realsize": "10" };
    const content = Buffer.concat([Buffer.from(map), Buffer.alloc(512 - map.length), Buffer.from("abcd")]);
    expect(failure(tar([{ path: "f", content, pax }])).code).toBe("LAYER_INVALID");
  });
});
