import { afterAll, expect, test } from "bun:test";
import { existsSync, mkdirSync, readdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { digestOf } from "../../../src/oci/digest.ts";
import {
  beginLayer,
  finishLayer,
  hasLayer,
  listLayers,
  moveToTrash,
  readLayerRecord,
} from "../../../src/store/layers.ts";
import { layerDirectory } from "../../../src/store/paths.ts";
import { failureOf } from "../../helpers/failure.ts";
import { temporaryStore } from "../../helpers/temporary-store.ts";

const { store, [Symbol.dispose]: remove } = temporaryStore();
afterAll(remove);

const record = (chainId: ReturnType<typeof digestOf>) => ({
  chainId,
  diffId: digestOf("diff"),
  bytes: 3,
  entries: 1,
  created: "2024-01-01T00:00:00Z",
});

test("a layer has its name only when it is whole", () => {
  const chainId = digestOf("whole");
  const build = beginLayer(store, chainId);
  expect(hasLayer(store, chainId)).toBe(false);
  expect(statSync(build.tree).mode & 0o777).toBe(0o755);
  expect(listLayers(store).builds).toEqual([{ path: build.directory, chainId }]);
  finishLayer(store, build, record(chainId));
  expect(hasLayer(store, chainId)).toBe(true);
  expect(readLayerRecord(store, chainId)).toEqual(record(chainId));
  expect(listLayers(store)).toMatchObject({ builds: [], layers: [{ chainId }] });
});

test("two builds of one layer do not meet", () => {
  const chainId = digestOf("twice");
  expect(beginLayer(store, chainId).directory).not.toBe(beginLayer(store, chainId).directory);
});

test("what is moved to the trash is out of use at once", () => {
  const chainId = digestOf("trash");
  finishLayer(store, beginLayer(store, chainId), record(chainId));
  const trash = moveToTrash(layerDirectory(store, chainId), store.layers);
  expect(hasLayer(store, chainId)).toBe(false);
  expect(listLayers(store).trash).toEqual([trash ?? ""]);
  expect(existsSync(trash ?? "")).toBe(true);
  expect(moveToTrash(layerDirectory(store, chainId), store.layers)).toBeUndefined();
});

test("what is not named for a layer is not one", () => {
  mkdirSync(join(store.layers, "lost+found"));
  mkdirSync(join(store.layers, ".new-nonsense-12"));
  const { layers, builds, trash } = listLayers(store);
  const paths = [...layers, ...builds].map(({ path }) => path).concat(trash);
  expect(paths.filter((path) => /lost|nonsense/.test(path))).toEqual([]);
  expect(readdirSync(store.layers)).toContain("lost+found");
});

test("a damaged record is named", () => {
  const chainId = digestOf("damaged");
  finishLayer(store, beginLayer(store, chainId), record(chainId));
  const path = join(layerDirectory(store, chainId), "layer.json");
  writeFileSync(path, "{}");
  expect(failureOf(() => readLayerRecord(store, chainId))).toMatchObject({
    code: "STORE_DAMAGED",
    step: `read ${path}`,
  });
});
