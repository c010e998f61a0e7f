/** Blobs that are made here: nothing is left without a commit, and the name is what the content says. */
import { afterAll, expect, test } from "bun:test";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { digestOf } from "../../../src/oci/digest.ts";
import { openNewBlob } from "../../../src/store/new-blob.ts";
import { blobPath } from "../../../src/store/paths.ts";
import { temporaryStore } from "../../helpers/temporary-store.ts";

const { store, ...temporary } = temporaryStore();
afterAll(() => temporary[Symbol.dispose]());

test("the content gets the name of its digest", async () => {
  using blob = openNewBlob(store);
  blob.append(Buffer.from("new "));
  expect(readFileSync(blob.path, "utf8")).toBe("new ");
  blob.append(Buffer.from("blob"));
  expect(blob.written).toBe(8);
  const sealed = await blob.seal();
  expect(sealed).toEqual({ digest: digestOf("new blob"), size: 8 });
  expect(await blob.seal()).toEqual(sealed);
  expect(existsSync(blobPath(store, sealed.digest))).toBe(false);
  blob.commit();
  expect(readFileSync(blobPath(store, sealed.digest), "utf8")).toBe("new blob");
});

test("what is there already stays", async () => {
  for (const _ of [1, 2]) {
    using blob = openNewBlob(store);
    blob.append(Buffer.from("twice"));
    await blob.seal();
    blob.commit();
  }
  expect(readFileSync(blobPath(store, digestOf("twice")), "utf8")).toBe("twice");
});

test("without a commit nothing is left", async () => {
  {
    using blob = openNewBlob(store);
    blob.append(Buffer.from("given up"));
    const { digest } = await blob.seal();
    expect(existsSync(blobPath(store, digest))).toBe(false);
  }
  expect(existsSync(blobPath(store, digestOf("given up")))).toBe(false);
  expect(readdirSync(store.ingest)).toEqual([]);
});
