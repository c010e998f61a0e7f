import { afterAll, expect, test } from "bun:test";
import { lstatSync, lutimesSync, mkdirSync, readFileSync, readlinkSync, rmSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { parseReference } from "../../../src/oci/reference.ts";
import { readImage } from "../../../src/store/images.ts";
import { hasLayer, isNamed } from "../../../src/store/layers.ts";
import { layerDirectory } from "../../../src/store/paths.ts";
import { confirmImage, confirmLayers } from "../../../src/store/unsynced.ts";
import { putImage, temporaryStore } from "../../helpers/temporary-store.ts";

const temporary = temporaryStore();
afterAll(temporary[Symbol.dispose]);
const { context, store } = temporary;

const thisBoot = readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
const otherBoot = "00000000-1111-2222-3333-444444444444";

/** A fresh layer of one image, and its mark. */
async function freshLayer(name: string) {
  const { chainIds } = await putImage(temporary, name, [name]);
  const [chainId] = chainIds;
  if (chainId === undefined) throw new Error("no layer");
  return { chainId, mark: join(layerDirectory(store, chainId), "unsynced") };
}

function replaceMark(mark: string, target: string): void {
  rmSync(mark);
  symlinkSync(target, mark);
}

function isMarked(mark: string): boolean {
  return lstatSync(mark, { throwIfNoEntry: false }) !== undefined;
}

const later = (minutes: number) => ({ ...context, now: () => new Date(Date.now() + minutes * 60_000) });

test("a fresh layer is marked with this boot, and is there", async () => {
  const { chainId, mark } = await freshLayer("fresh");
  expect(readlinkSync(mark)).toBe(thisBoot);
  expect(hasLayer(store, chainId)).toBe(true);
});

test("a layer that was not known to be on disk when the machine went down is missing", async () => {
  const { chainId, mark } = await freshLayer("lost");
  replaceMark(mark, otherBoot);
  expect(hasLayer(store, chainId)).toBe(false);
  expect(isNamed(store, chainId)).toBe(true);
  expect(readImage(store, parseReference("lost"))).toBeUndefined();
});

test("a layer without a mark is there, whatever the boot", async () => {
  const { chainId, mark } = await freshLayer("old");
  rmSync(mark);
  expect(hasLayer(store, chainId)).toBe(true);
  expect(readImage(store, parseReference("old"))).toBeDefined();
});

test("marks of this boot go when they are two minutes old, not before", async () => {
  const { chainId, mark } = await freshLayer("confirmed");
  confirmLayers(later(1), store);
  expect(isMarked(mark)).toBe(true);
  confirmLayers(later(3), store);
  expect(isMarked(mark)).toBe(false);
  expect(hasLayer(store, chainId)).toBe(true);
});

test("a run confirms the layers of its image, when the last of them is due", async () => {
  const { mark } = await freshLayer("run");
  const image = readImage(store, parseReference("run"));
  if (image === undefined) throw new Error("no image");
  confirmImage(later(1), store, image);
  expect(isMarked(mark)).toBe(true);
  confirmImage(later(3), store, image);
  expect(isMarked(mark)).toBe(false);
});

test("a mark of another boot stays: syncing now says nothing about then", async () => {
  const { chainId, mark } = await freshLayer("foreign");
  replaceMark(mark, otherBoot);
  lutimesSync(mark, 1, 1);
  confirmLayers(later(3), store);
  expect(readlinkSync(mark)).toBe(otherBoot);
  expect(hasLayer(store, chainId)).toBe(false);
});

test("what is no layer is not touched", () => {
  for (const name of ["lost+found", ".new-00-00", ".trash-00"]) {
    mkdirSync(join(store.layers, name));
    symlinkSync(thisBoot, join(store.layers, name, "unsynced"));
  }
  confirmLayers(later(3), store);
  for (const name of ["lost+found", ".new-00-00", ".trash-00"]) {
    expect(isMarked(join(store.layers, name, "unsynced"))).toBe(true);
  }
});
