import { expect, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { mediaTypes } from "../../../src/oci/descriptor.ts";
import { digestOf } from "../../../src/oci/digest.ts";
import { editEntries, type ImageEntry, readEntries, withNamed } from "../../../src/store/index-file.ts";
import { failureOf } from "../../helpers/failure.ts";
import { temporaryStore } from "../../helpers/temporary-store.ts";

const entry = (name: string | undefined, content: string): ImageEntry => {
  const descriptor = { mediaType: mediaTypes.ociManifest, digest: digestOf(content), size: content.length };
  return { name, topDigest: digestOf(`top of ${content}`), descriptor };
};
const names = (entries: readonly ImageEntry[]) => entries.map(({ name }) => name);

test("what is written is read again", async () => {
  using temporary = temporaryStore();
  const { store, context } = temporary;
  const written = entry("docker.io/library/debian:12", "a");
  await editEntries(context, store, (entries) => withNamed(entries, written));
  const [read] = readEntries(store);
  expect(read).toMatchObject({ name: written.name, topDigest: written.topDigest });
  await editEntries(context, store, (entries) => withNamed(entries, entry("other:1", "b")));
  expect(names(readEntries(store))).toEqual(["docker.io/library/debian:12", "other:1"]);
});

test("entries of other tools are kept, whatever they say", async () => {
  using temporary = temporaryStore();
  const { store, context } = temporary;
  const foreign = {
    ...entry(undefined, "x").descriptor,
    annotations: { "org.opencontainers.image.ref.name": "not a reference of ours", "org.example": "1" },
  };
  writeFileSync(join(store.images, "index.json"), JSON.stringify({ schemaVersion: 2, manifests: [foreign] }));
  expect(readEntries(store)[0]).toMatchObject({ name: "not a reference of ours", topDigest: foreign.digest });
  await editEntries(context, store, (entries) => withNamed(entries, entry("mine:1", "y")));
  const text = readFileSync(join(store.images, "index.json"), "utf8");
  expect(JSON.parse(text).manifests[0].annotations).toMatchObject(foreign.annotations);
});

test("a damaged index is named, with what to do", () => {
  using temporary = temporaryStore();
  const path = join(temporary.store.images, "index.json");
  writeFileSync(path, '{"schemaVersion": 2, "manif');
  const failure = failureOf(() => readEntries(temporary.store));
  expect(failure).toMatchObject({ code: "STORE_DAMAGED", step: `read ${path}` });
  expect(failure.hint).toContain(`mv ${path}`);
});

test("nothing is written when nothing changes", async () => {
  using temporary = temporaryStore();
  const path = join(temporary.store.images, "index.json");
  const before = readFileSync(path, "utf8");
  await editEntries(temporary.context, temporary.store, (entries) => entries);
  expect(readFileSync(path, "utf8")).toBe(before);
});

test("a name that moves leaves its image nameless, unless another name is left", () => {
  const one = withNamed([], entry("a:1", "old"));
  const moved = withNamed(one, entry("a:1", "new"));
  expect(names(moved)).toEqual([undefined, "a:1"]);
  const shared = withNamed(withNamed(one, entry("b:1", "old")), entry("a:1", "new"));
  expect(names(shared)).toEqual(["b:1", "a:1"]);
  expect(names(withNamed(moved, entry("a:1", "old")))).toEqual([undefined, "a:1"]);
});

test("after any pulls: each name once, naming what was pulled last, and no image listed twice without a name", () => {
  const pulls = fc.array(fc.record({ name: fc.constantFrom("a", "b", "c"), content: fc.constantFrom("x", "y", "z") }));
  fc.assert(
    fc.property(pulls, (sequence) => {
      const entries = sequence.reduce<readonly ImageEntry[]>(
        (before, { name, content }) => withNamed(before, entry(name, content)),
        [],
      );
      const last = new Map(sequence.map(({ name, content }) => [name, digestOf(content)]));
      for (const [name, digest] of last) {
        expect(entries.filter((each) => each.name === name).map(({ descriptor }) => descriptor.digest)).toEqual([
          digest,
        ]);
      }
      const listed = new Set(entries.map(({ descriptor }) => descriptor.digest));
      expect(listed).toEqual(new Set(sequence.map(({ content }) => digestOf(content))));
      const nameless = entries.filter(({ name }) => name === undefined).map(({ descriptor }) => descriptor.digest);
      const named = new Set(last.values());
      expect(new Set(nameless).size).toBe(nameless.length);
      expect(nameless.some((digest) => named.has(digest))).toBe(false);
    }),
  );
});
