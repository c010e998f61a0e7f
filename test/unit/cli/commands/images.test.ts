import { expect, test } from "bun:test";
import { renderList } from "../../../../src/cli/format/list.ts";
import { imageShape } from "../../../../src/cli/format/shapes/image.ts";
import type { ImageSummary } from "../../../../src/image/shown/list.ts";

const image: ImageSummary = {
  name: "docker.io/library/debian:12",
  repository: "debian",
  tag: "12",
  id: `sha256:${"0123456789abcdef".repeat(4)}`,
  digest: `sha256:${"f".repeat(64)}`,
  created: "2026-06-01T00:00:00Z",
  sizeBytes: 116_000_000,
  labels: {},
};
const now = new Date("2026-06-15T00:00:00Z");

test("a line an image", () => {
  const nameless = {
    ...image,
    name: undefined,
    repository: undefined,
    tag: undefined,
    created: "yesterday",
    sizeBytes: 0,
  };
  expect(renderList(imageShape(now, false, false), undefined, [image, nameless])).toMatchInlineSnapshot(`
    "REPOSITORY   TAG       IMAGE ID       CREATED       SIZE
    debian       12        0123456789ab   2 weeks ago   116MB
    <none>       <none>    0123456789ab   unknown       0B
    "
  `);
});

test("ids in full", () => {
  expect(renderList(imageShape(now, true, false), undefined, [image])).toContain(image.id);
});
