import { expect, test } from "bun:test";
import { imageHistory } from "../../../src/image/shown/history.ts";
import { failureOf } from "../../helpers/failure.ts";
import { putImage, temporaryStore } from "../../helpers/temporary-store.ts";

const created = "2024-01-01T00:00:00Z";

test("the last step first; layers go to the steps that have left one; the id is the last step's", async () => {
  using temporary = temporaryStore();
  const history = [
    { created, created_by: "ADD rootfs.tar /", comment: "base" },
    { created, created_by: 'CMD ["sh"]', empty_layer: true },
    { created_by: "RUN make", author: "me" },
    { created_by: "ENV A=1", empty_layer: true },
  ];
  const image = await putImage(temporary, "debian:12", ["a", "b"], { created, history });
  const steps = imageHistory(temporary.store, "debian:12", {});
  expect(steps.map(({ createdBy, sizeBytes, id }) => [createdBy, sizeBytes, id])).toEqual([
    ["ENV A=1", 0, image.config],
    ["RUN make", 100, undefined],
    ['CMD ["sh"]', 0, undefined],
    ["ADD rootfs.tar /", 100, undefined],
  ]);
  expect(steps.map(({ diffId }) => diffId)).toEqual([undefined, image.layerBlobs[1], undefined, image.layerBlobs[0]]);
  expect(steps[0]?.names).toEqual(["docker.io/library/debian:12"]);
  expect(steps[1]).toMatchObject({ author: "me", created: undefined, comment: "", names: [] });
  expect(steps[3]).toMatchObject({ comment: "base", created });
});

test.each([
  ["none", []],
  ["fewer steps than layers", [{ created_by: "one" }]],
])("a history that says nothing of the layers: %s", async (_name, history) => {
  using temporary = temporaryStore();
  await putImage(temporary, "i:1", ["a", "b"], { created, history });
  expect(
    imageHistory(temporary.store, "i:1", {}).map((step) => [step.created, step.createdBy, step.sizeBytes]),
  ).toEqual([
    [created, "", 100],
    [created, "", 100],
  ]);
});

test("an image that is not here", () => {
  using temporary = temporaryStore();
  expect(failureOf(() => imageHistory(temporary.store, "none", {})).code).toBe("IMAGE_NOT_FOUND");
});
