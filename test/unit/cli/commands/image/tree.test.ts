import { expect, test } from "bun:test";
import { renderChain, renderTree } from "../../../../../src/cli/commands/image/tree.ts";
import type { TreeLayer } from "../../../../../src/image/shown/image-tree.ts";

const layer = (letter: string, images: string[], ...children: TreeLayer[]): TreeLayer => ({
  chainId: `sha256:${letter.repeat(64)}`,
  diffId: `sha256:${letter.repeat(64)}`,
  sizeBytes: 1_000_000,
  images,
  children,
});

const tree = [
  layer(
    "a",
    [],
    layer(
      "b",
      ["docker.io/library/base:1"],
      layer("c", ["docker.io/library/app:1", "ghcr.io/o/app:1"]),
      layer("d", [], layer("e", [], layer("f", ["docker.io/library/app:2"]))),
    ),
  ),
  layer("9", ["sha256:1234"]),
];

test("layers that lead nowhere else are one line", () => {
  expect(renderTree(tree)).toMatchInlineSnapshot(`
    "bbbbbbbbbbbb 2.0 MB (2 layers)  base:1
    ├── cccccccccccc 1.0 MB  app:1  ghcr.io/o/app:1
    └── ffffffffffff 3.0 MB (3 layers)  app:2
    999999999999 1.0 MB  sha256:1234
    "
  `);
});

test("of one image, each layer, base first", () => {
  const chain = [layer("a", [], layer("b", ["docker.io/library/base:1"], layer("c", ["docker.io/library/app:1"])))];
  expect(renderChain(chain)).toMatchInlineSnapshot(`
    "├── aaaaaaaaaaaa 1.0 MB
    ├── bbbbbbbbbbbb 1.0 MB  base:1
    └── cccccccccccc 1.0 MB  app:1
    "
  `);
});
