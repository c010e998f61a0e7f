/** What layers save by sharing files, as their records say. */
import { expect, test } from "bun:test";
import { mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { layerDirectory } from "../../../src/store/paths.ts";
import { isLookedThrough, readShared, treeIdentity, writeShared } from "../../../src/store/shared-files.ts";
import { putImage, temporaryStore } from "../../helpers/temporary-store.ts";

async function twoLayers(temporary: ReturnType<typeof temporaryStore>) {
  const [first] = (await putImage(temporary, "first", ["a"])).chainIds;
  const [second] = (await putImage(temporary, "second", ["b"])).chainIds;
  if (first === undefined || second === undefined) throw new Error("a layer each");
  const tree = treeIdentity(temporary.store, first) ?? 0;
  return { first, second, part: { chainId: first, tree, files: 3, bytes: 4096 } };
}

test("nothing is saved before layers have been looked through", async () => {
  using temporary = temporaryStore();
  const { first } = await twoLayers(temporary);
  expect(isLookedThrough(temporary.store, first)).toBe(false);
  expect(readShared(temporary.store)).toEqual({ files: 0, savedBytes: 0 });
});

test("the sum of what layers share", async () => {
  using temporary = temporaryStore();
  const { store } = temporary;
  const { first, second, part } = await twoLayers(temporary);
  writeShared(store, first, []);
  writeShared(store, second, [part, { ...part, files: 1, bytes: 1 }]);
  expect(isLookedThrough(store, first)).toBe(true);
  expect(readShared(store)).toEqual({ files: 4, savedBytes: 4097 });
});

test("with a layer that is gone, or was applied anew, nothing is shared", async () => {
  using temporary = temporaryStore();
  const { store } = temporary;
  const { first, second, part } = await twoLayers(temporary);
  writeShared(store, second, [part]);
  const tree = join(layerDirectory(store, first), "fs");
  // The old tree keeps its inode.
  renameSync(tree, `${tree}-old`);
  expect(readShared(store).files).toBe(0);
  mkdirSync(tree);
  expect(readShared(store).files).toBe(0);
  rmSync(layerDirectory(store, first), { recursive: true });
  expect(readShared(store).files).toBe(0);
});

test.each(["", "{", "[]", '{"with": 1}', '{"with": [{"chainId": "sha256:x"}]}'])(
  "a record %j says nothing",
  async (text) => {
    using temporary = temporaryStore();
    const { second } = await twoLayers(temporary);
    writeFileSync(join(layerDirectory(temporary.store, second), "shared.json"), text);
    expect(readShared(temporary.store)).toEqual({ files: 0, savedBytes: 0 });
  },
);
