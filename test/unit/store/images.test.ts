import { expect, test } from "bun:test";
import { readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseReference } from "../../../src/oci/reference.ts";
import { readImage } from "../../../src/store/images.ts";
import { blobPath } from "../../../src/store/paths.ts";
import { failureOf } from "../../helpers/failure.ts";
import { putImage, temporaryStore } from "../../helpers/temporary-store.ts";

test("an image is found by its name, with its layers base first", async () => {
  using temporary = temporaryStore();
  const put = await putImage(temporary, "debian:12", ["base", "top"], { config: { Cmd: ["sh"] } });
  const image = readImage(temporary.store, parseReference("debian:12"));
  expect(image?.config.config?.Cmd).toEqual(["sh"]);
  expect(image?.layers.map(({ chainId }) => chainId)).toEqual([...put.chainIds]);
  expect(readFileSync(join(temporary.store.root, image?.layers[1]?.path ?? "", "file"), "utf8")).toBe("top");
  expect(readImage(temporary.store, parseReference("debian:13"))).toBeUndefined();
});

test("an image is found by its digest, in its own repository only", async () => {
  using temporary = temporaryStore();
  const { manifest } = await putImage(temporary, "example.org/a/b:1", ["x"]);
  const find = (name: string) => readImage(temporary.store, parseReference(`${name}@${manifest.digest}`));
  expect(find("example.org/a/b")?.manifestDescriptor.digest).toBe(manifest.digest);
  expect(find("example.org/a/b:other")?.manifestDescriptor.digest).toBe(manifest.digest);
  expect(find("example.org/a/bb")).toBeUndefined();
  expect(find("example.org/a")).toBeUndefined();
});

test("an image of another platform is not what was asked for", async () => {
  using temporary = temporaryStore();
  await putImage(temporary, "a:1", ["x"], { architecture: "arm64" });
  const reference = parseReference("a:1");
  expect(readImage(temporary.store, reference)).toBeDefined();
  expect(readImage(temporary.store, reference, { os: "linux", architecture: "arm64", variant: "v8" })).toBeDefined();
  expect(readImage(temporary.store, reference, { os: "linux", architecture: "amd64" })).toBeUndefined();
});

test("what is not whole is not there", async () => {
  using temporary = temporaryStore();
  const { store } = temporary;
  const put = await putImage(temporary, "a:1", ["x", "y"]);
  const read = () => readImage(store, parseReference("a:1"));
  const [, top] = put.chainIds;
  rmSync(join(store.layers, top?.slice("sha256:".length) ?? ""), { recursive: true });
  expect(read()).toBeUndefined();
  await putImage(temporary, "a:1", ["x", "y"]);
  expect(read()).toBeDefined();
  truncateSync(blobPath(store, put.config), 10);
  expect(read()).toBeUndefined();
  rmSync(blobPath(store, put.manifest.digest));
  expect(read()).toBeUndefined();
});

test("a damaged manifest is named", async () => {
  using temporary = temporaryStore();
  const { manifest } = await putImage(temporary, "a:1", ["x"]);
  const path = blobPath(temporary.store, manifest.digest);
  writeFileSync(path, "#".repeat(manifest.size));
  expect(failureOf(() => readImage(temporary.store, parseReference("a:1")))).toMatchObject({
    code: "STORE_DAMAGED",
    step: `read ${path}`,
    hint: "pull the image again",
  });
});
