/** What the writer writes, the reader reads: any entry comes back as it was. */
import { expect, test } from "bun:test";
import fc from "fast-check";
import type { EntryType, TarEntry } from "../../../../src/layer/tar/entry.ts";
import { createTarReader } from "../../../../src/layer/tar/reader.ts";
import { archiveEnd, entryHeader, paddingOf } from "../../../../src/layer/tar/write.ts";

function readAll(archive: Buffer): { readonly entries: TarEntry[]; readonly data: Buffer } {
  const entries: TarEntry[] = [];
  const data: Buffer[] = [];
  const reader = createTarReader({
    begin: (entry) => void entries.push(entry),
    data: (chunk, start, end) => void data.push(Buffer.from(chunk.subarray(start, end))),
    end: () => {},
  });
  reader.push(archive);
  reader.finish();
  return { entries, data: Buffer.concat(data) };
}

const bytes = (minLength: number, maxLength: number) =>
  fc
    .uint8Array({ min: 1, max: 255, minLength, maxLength })
    .map((codes) => Buffer.from(codes).toString("latin1").replaceAll("/", "_"));

const entries = fc.record({
  type: fc.constantFrom<EntryType>("file", "symlink", "hardlink", "character", "fifo"),
  path: bytes(1, 300),
  linkTarget: bytes(1, 300),
  mode: fc.integer({ min: 0, max: 0o7777 }),
  uid: fc.integer({ min: 0, max: 0xfffffffe }),
  gid: fc.integer({ min: 0, max: 0xfffffffe }),
  mtime: fc.record({
    seconds: fc.integer({ min: -1e11, max: 1e11 }),
    nanoseconds: fc.integer({ min: 0, max: 999_999_999 }),
  }),
  deviceMajor: fc.integer({ min: 0, max: 4095 }),
  deviceMinor: fc.integer({ min: 0, max: 0o7777777 }),
  xattrs: fc.dictionary(
    bytes(1, 20).map((name) => `user.${name.replaceAll("=", "_")}`),
    bytes(0, 200),
    { maxKeys: 3 },
  ),
});

test("any entry", () => {
  fc.assert(
    fc.property(entries, fc.uint8Array({ maxLength: 2000 }), (made, content) => {
      const dataSize = made.type === "file" ? content.length : 0;
      const entry: TarEntry = { ...made, xattrs: new Map(Object.entries(made.xattrs)), dataSize, sparse: undefined };
      const data = Buffer.from(content).subarray(0, dataSize);
      const archive = Buffer.concat([entryHeader(entry), data, paddingOf(dataSize), archiveEnd]);
      const read = readAll(archive);
      expect(read.entries).toEqual([entry]);
      expect(read.data.equals(data)).toBe(true);
    }),
  );
});

test("a directory ends with a slash, and a size beyond eight gigabytes is told", () => {
  const plain: TarEntry = {
    type: "directory",
    path: "a",
    linkTarget: "",
    mode: 0o755,
    uid: 0,
    gid: 0,
    mtime: { seconds: 0, nanoseconds: 0 },
    deviceMajor: 0,
    deviceMinor: 0,
    dataSize: 0,
    sparse: undefined,
    xattrs: new Map(),
  };
  expect(readAll(Buffer.concat([entryHeader(plain), archiveEnd])).entries[0]?.path).toBe("a/");
  const large = entryHeader({ ...plain, type: "file", dataSize: 9 * 2 ** 30 });
  expect(large.toString("latin1")).toContain("19 size=9663676416\n");
});
