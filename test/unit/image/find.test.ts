import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { findImage } from "../../../src/image/names/find.ts";
import { findById } from "../../../src/image/names/find-by-id.ts";
import { digestOf } from "../../../src/oci/digest.ts";
import { putBlob } from "../../../src/store/blobs.ts";
import { editEntries, readEntries, withNamed } from "../../../src/store/index-file.ts";
import { blobPath } from "../../../src/store/paths.ts";
import { failureOf } from "../../helpers/failure.ts";
import { putImage, temporaryStore } from "../../helpers/temporary-store.ts";

/** No registries.conf of the user's; what stands in the system's is of no matter to these names. */
const env = { HOME: "/nonexistent" };

test("by name, by id, by the beginning of an id, by the manifest's digest", async () => {
  using temporary = temporaryStore();
  const { store } = temporary;
  const put = await putImage(temporary, "debian:12", ["x"]);
  await putImage(temporary, "copy:1", ["x"]);
  await putImage(temporary, "other:1", ["y"]);
  const entries = readEntries(store);
  const find = (text: string) => findImage(store, entries, text, env);
  expect(find("debian:12")).toMatchObject({ by: "name", entry: { name: "docker.io/library/debian:12" } });
  const hex = put.config.slice("sha256:".length);
  for (const text of [hex, hex.slice(0, 12), put.config, put.manifest.digest]) {
    const found = find(text);
    const names = found.by === "id" ? found.entries.map(({ name }) => name) : [];
    expect(names).toEqual(["docker.io/library/debian:12", "docker.io/library/copy:1"]);
  }
});

test("two manifests of one config are one image", async () => {
  using temporary = temporaryStore();
  const { store, context } = temporary;
  const { manifest, config } = await putImage(temporary, "debian:12", ["x"]);
  const bytes = Buffer.concat([readFileSync(blobPath(store, manifest.digest)), Buffer.from("\n")]);
  const twin = { ...manifest, digest: digestOf(bytes), size: bytes.byteLength };
  putBlob(store, twin.digest, bytes);
  const entry = { name: "docker.io/library/twin:1", topDigest: twin.digest, descriptor: twin };
  await editEntries(context, store, (entries) => withNamed(entries, entry));
  const entries = readEntries(store);
  const id = config.slice("sha256:".length);
  expect(findById(store, entries, id)?.name).toBe("docker.io/library/debian:12");
  expect(findImage(store, entries, id, env)).toMatchObject({ by: "id", entries: [{}, {}] });
});

test("a name that looks like an id is a name when it is one", async () => {
  using temporary = temporaryStore();
  await putImage(temporary, "cafe", ["x"]);
  expect(findImage(temporary.store, readEntries(temporary.store), "cafe", env)).toMatchObject({ by: "name" });
});

test("what is not here, and what is neither name nor id", async () => {
  using temporary = temporaryStore();
  await putImage(temporary, "debian:12", ["x"]);
  const find = (text: string) => failureOf(() => findImage(temporary.store, readEntries(temporary.store), text, env));
  expect(find("debian:13")).toMatchObject({ code: "IMAGE_NOT_FOUND", because: "it is not here" });
  expect(find("f".repeat(64))).toMatchObject({ code: "IMAGE_NOT_FOUND" });
  expect(find("No Name")).toMatchObject({ code: "BAD_REFERENCE" });
});
