import { afterAll, expect, test } from "bun:test";
import { appendFileSync, existsSync, readFileSync, statSync, writeFileSync } from "node:fs";
import fc from "fast-check";
import { digestOf } from "../../../src/oci/digest.ts";
import { openIngest, putBlob } from "../../../src/store/blobs.ts";
import { hasBlob } from "../../../src/store/images.ts";
import { blobPath, partialPath } from "../../../src/store/paths.ts";
import { temporaryStore } from "../../helpers/temporary-store.ts";

const { store, [Symbol.dispose]: remove } = temporaryStore();
afterAll(remove);

const bytes = (text: string) => new TextEncoder().encode(text);
const wanted = (text: string) => ({ digest: digestOf(text), size: text.length });

test("what is appended in any pieces, over any number of processes, becomes the blob", async () => {
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ minLength: 1, maxLength: 300 }), fc.array(fc.nat(60)), async (content, cuts) => {
      const descriptor = { digest: digestOf(content), size: content.length };
      let position = 0;
      for (const cut of [...cuts, content.length]) {
        using ingest = await openIngest(store, descriptor);
        expect(ingest.written).toBe(position);
        const end = Math.min(position + cut, content.length);
        ingest.append(content.subarray(position, end));
        position = end;
        if (position < content.length) continue;
        await ingest.seal();
        ingest.commit();
        break;
      }
      expect([...readFileSync(blobPath(store, descriptor.digest))]).toEqual([...content]);
      expect(existsSync(partialPath(store, descriptor.digest))).toBe(false);
    }),
    { numRuns: 50 },
  );
});

test("wrong content is refused and deleted", async () => {
  using ingest = await openIngest(store, wanted("right"));
  ingest.append(bytes("wrong"));
  await expect(ingest.seal()).rejects.toMatchObject({ code: "DIGEST_MISMATCH" });
  expect(existsSync(ingest.path)).toBe(false);
  expect(hasBlob(store, wanted("right"))).toBe(false);
});

test("too little and too much is refused", async () => {
  using short = await openIngest(store, wanted("0123456789"));
  short.append(bytes("01234"));
  await expect(short.seal()).rejects.toMatchObject({ code: "SIZE_MISMATCH" });
  using long = await openIngest(store, wanted("abc"));
  expect(() => long.append(bytes("abcd"))).toThrow("more than the announced 3 bytes");
  expect(existsSync(long.path)).toBe(false);
});

test("what an earlier process left damaged is found out; what is longer than the blob is thrown away at once", async () => {
  writeFileSync(partialPath(store, wanted("damaged").digest), "xxx");
  using damaged = await openIngest(store, wanted("damaged"));
  damaged.append(bytes("aged"));
  await expect(damaged.seal()).rejects.toMatchObject({ code: "DIGEST_MISMATCH" });
  writeFileSync(partialPath(store, wanted("tiny").digest), "far too long");
  using tiny = await openIngest(store, wanted("tiny"));
  expect(tiny.written).toBe(0);
  expect(statSync(tiny.path).size).toBe(0);
});

test("a blob of the wrong size in its place is replaced", async () => {
  writeFileSync(blobPath(store, wanted("whole").digest), "who");
  expect(hasBlob(store, wanted("whole"))).toBe(false);
  using ingest = await openIngest(store, wanted("whole"));
  ingest.append(bytes("whole"));
  await ingest.seal();
  ingest.commit();
  expect(hasBlob(store, wanted("whole"))).toBe(true);
});

test("the growing file keeps its name after the commit until it is disposed: readers may open it late", async () => {
  const ingest = await openIngest(store, wanted("late"));
  ingest.append(bytes("late"));
  await ingest.seal();
  ingest.commit();
  expect(readFileSync(ingest.path, "utf8")).toBe("late");
  ingest[Symbol.dispose]();
  expect(existsSync(ingest.path)).toBe(false);
  expect(readFileSync(blobPath(store, wanted("late").digest), "utf8")).toBe("late");
});

test("sha512 has its own directory", () => {
  const digest = digestOf("content", "sha512");
  putBlob(store, digest, bytes("content"));
  expect(blobPath(store, digest)).toContain("/blobs/sha512/");
  appendFileSync(blobPath(store, digest), "x");
  expect(hasBlob(store, { digest, size: 7 })).toBe(false);
});
