import { expect, test } from "bun:test";
import fc from "fast-check";
import { growTree, imageTree, type LayeredImage, type TreeLayer } from "../../../src/image/shown/image-tree.ts";
import type { Digest } from "../../../src/oci/descriptor.ts";
import { putImage, temporaryStore } from "../../helpers/temporary-store.ts";

/** Names at the layers that images end with, and how layers stand upon one another. */
type Shape = { readonly images: readonly string[]; readonly children: readonly Shape[] };

const shapeOf = ({ images, children }: TreeLayer): Shape => ({ images, children: children.map(shapeOf) });

const leaf = (...images: string[]): Shape => ({ images, children: [] });

test("images stand under the layers that they have in common", async () => {
  using temporary = temporaryStore();
  await putImage(temporary, "base:1", ["a"]);
  await putImage(temporary, "app:1", ["a", "b"]);
  await putImage(temporary, "app:2", ["a", "c", "d"]);
  await putImage(temporary, "other:1", ["x"]);
  const names = (name: string): string => `docker.io/library/${name}`;
  const [base, other] = imageTree(temporary.context, temporary.store, undefined).map(shapeOf);
  expect(base).toEqual({
    images: [names("base:1")],
    children: [leaf(names("app:1")), { images: [], children: [leaf(names("app:2"))] }],
  });
  expect(other).toEqual(leaf(names("other:1")));
  const [alone] = imageTree(temporary.context, temporary.store, "app:1").map(shapeOf);
  expect(alone).toEqual({ images: [names("base:1")], children: [leaf(names("app:1"))] });
});

test("law: every image is a path from a root, and every layer is there once", () => {
  const chain = fc.array(fc.constantFrom("a", "b", "c"), { minLength: 1, maxLength: 4 });
  fc.assert(
    fc.property(fc.array(chain, { maxLength: 6 }), (chains) => {
      const images = chains.map((letters, index): LayeredImage => {
        const layers = letters.map((_, end) => {
          const id: Digest = `sha256:${letters.slice(0, end + 1).join("")}`;
          return { chainId: id, diffId: id };
        });
        return { name: `${index}`, digest: `sha256:${index}`, layers };
      });
      const found: string[] = [];
      const ends = new Map<string, string>();
      const visit = (layers: readonly TreeLayer[], parent: string): void => {
        for (const { chainId, images: names, children } of layers) {
          found.push(chainId);
          expect(chainId.slice(0, -1)).toBe(parent === "" ? "sha256:" : parent);
          for (const name of names) ends.set(name, chainId);
          visit(children, chainId);
        }
      };
      visit(
        growTree(images, images, () => 1),
        "",
      );
      expect(new Set(found).size).toBe(found.length);
      for (const [index, letters] of chains.entries()) expect(ends.get(`${index}`)).toBe(`sha256:${letters.join("")}`);
    }),
  );
});
