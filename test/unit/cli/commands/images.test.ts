import { expect, test } from "bun:test";
import { renderImages } from "../../../../src/cli/commands/images.ts";
import type { ImageSummary } from "../../../../src/image/list.ts";

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
  expect(renderImages([image, nameless], { now, full: false, digests: false })).toMatchInlineSnapshot(`
    "REPOSITORY   TAG      IMAGE ID       CREATED         SIZE
    debian       12       0123456789ab   2 weeks ago   116 MB
    <none>       <none>   0123456789ab   unknown          0 B
    "
  `);
});

test("ids in full", () => {
  expect(renderImages([image], { now, full: true, digests: false })).toContain(image.id);
});
