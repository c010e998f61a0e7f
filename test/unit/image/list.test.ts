import { expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { listImages } from "../../../src/image/shown/list.ts";
import { blobPath } from "../../../src/store/paths.ts";
import { putImage, temporaryStore } from "../../helpers/temporary-store.ts";

test("the newest first, names as people write them, ids of configs, sizes of all layers", async () => {
  using temporary = temporaryStore();
  const { store, context } = temporary;
  const old = await putImage(temporary, "debian:12", ["a"], { created: "2023-01-01T00:00:00Z" });
  await putImage(temporary, "ghcr.io/o/i:v1", ["a", "b"], { created: "2024-01-01T00:00:00Z" });
  await putImage(temporary, "oci:/some/dir:name", ["c"]);
  const images = listImages(context, store);
  expect(images.map(({ repository, tag, sizeBytes, created }) => [repository, tag, sizeBytes, created])).toEqual([
    ["ghcr.io/o/i", "v1", 200, "2024-01-01T00:00:00Z"],
    ["debian", "12", 100, "2023-01-01T00:00:00Z"],
    ["oci:/some/dir", "name", 100, undefined],
  ]);
  expect(images[1]).toMatchObject({
    name: "docker.io/library/debian:12",
    id: old.config,
    digest: old.manifest.digest,
  });
});

test("an image that has lost its name is listed without one", async () => {
  using temporary = temporaryStore();
  await putImage(temporary, "a:1", ["old"]);
  await putImage(temporary, "a:1", ["new"]);
  expect(listImages(temporary.context, temporary.store).map(({ name }) => name)).toEqual([
    "docker.io/library/a:1",
    undefined,
  ]);
});

test("a damaged image is warned of and hides no other", async () => {
  using temporary = temporaryStore();
  const bad = await putImage(temporary, "bad:1", ["x"]);
  await putImage(temporary, "good:1", ["y"]);
  writeFileSync(blobPath(temporary.store, bad.manifest.digest), "#".repeat(bad.manifest.size));
  expect(listImages(temporary.context, temporary.store).map(({ repository }) => repository)).toEqual(["good"]);
  expect(temporary.warnings).toHaveLength(1);
  expect(temporary.warnings[0]).toContain(bad.manifest.digest.slice(7));
});
