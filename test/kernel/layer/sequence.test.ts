/** Law: what a box sees of layers applied side by side is what unpacking them one over another would give. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import fc from "fast-check";
import { type Laboratory, openLaboratory } from "../../helpers/layer-stack.ts";
import type { Listing } from "../../helpers/listing.ts";
import { ordinaryUser, temporaryDirectory } from "../../helpers/machine.ts";
import { type TarItem, tar } from "../../helpers/tar-builder.ts";
import { Refused, unpack } from "./model.ts";

const temporary = temporaryDirectory("devbox-sequence");
let lab: Laboratory;
beforeAll(async () => {
  lab = await openLaboratory(await ordinaryUser(), temporary);
});
afterAll(async () => {
  await lab[Symbol.asyncDispose]();
  await temporary[Symbol.asyncDispose]();
});

const name = fc.constantFrom("a", "b", "c");
const path = fc.array(name, { minLength: 1, maxLength: 3 }).map((names) => names.join("/"));
const file = fc.record({
  path,
  content: fc.string({ unit: fc.constantFrom("x", "y", "z"), minLength: 1, maxLength: 3 }),
});
const directory = fc.record({ path: path.map((text) => `${text}/`), uid: fc.integer({ min: 0, max: 9 }) });
const hardLink = fc.record({ path, link: path, type: fc.constant("1") });
const target = fc.tuple(fc.constantFrom("", "/", "../", "../../"), path).map(([start, end]) => `${start}${end}`);
const symlink = fc.record({ path, link: target, type: fc.constant("2") });
const hidden = path.map((text) => text.replace(/[^/]*$/, ".wh.$&"));
const opaque = path.map((text) => `${text}/.wh..wh..opq`);
const whiteout = fc.oneof(hidden, opaque).map((text) => ({ path: text }));

const layerOf = (...kinds: fc.Arbitrary<TarItem>[]): fc.Arbitrary<TarItem[]> =>
  fc.array(fc.oneof(...kinds), { maxLength: 12 });

/** The same words as the model's, out of a listing. */
function inWords(listing: Listing, contents: ReadonlyMap<string, string>): [string, string][] {
  return [...listing].map(([at, line]) => {
    const owner = /owner=(\d+)/.exec(line)?.[1];
    if (line.startsWith("d")) return [at, `d ${owner}`];
    if (line.startsWith("l")) return [at, `l ${/target=(\S*)/.exec(line)?.[1]}`];
    return [at, `f ${contents.get(/sha256=(\w*)/.exec(line)?.[1] ?? "")}`];
  });
}

function contentsOf(layers: readonly (readonly TarItem[])[]): ReadonlyMap<string, string> {
  const texts = layers.flat().map(({ content }) => String(content ?? ""));
  return new Map(texts.map((text) => [new Bun.CryptoHasher("sha256").update(text).digest("hex"), text]));
}

/** undefined: the model refuses the layers. */
function expectedOf(layers: readonly TarItem[][]): ReadonlyMap<string, string> | undefined {
  try {
    return unpack(layers);
  } catch (error) {
    if (error instanceof Refused) return undefined;
    throw error;
  }
}

async function obeys(layers: readonly TarItem[][]): Promise<void> {
  const expected = expectedOf(layers);
  fc.pre(expected !== undefined);
  const trees = await lab.stack(layers.map((items) => tar(items)));
  expect(inWords(await lab.listMerged(trees), contentsOf(layers))).toEqual([...expected]);
}

const runs = { numRuns: 60 };

test("one layer of anything", async () => {
  await fc.assert(
    fc.asyncProperty(layerOf(file, directory, hardLink, symlink), (layer) => obeys([layer])),
    runs,
  );
});

// Not with hard links: one that leads nowhere is forgiven if a later entry takes its place.
test("one layer that cannot be is refused", async () => {
  await fc.assert(
    fc.asyncProperty(layerOf(file, directory, symlink), async (layer) => {
      fc.pre(expectedOf([layer]) === undefined);
      await expect(lab.stack([tar(layer)])).rejects.toThrow("LAYER_INVALID");
    }),
    runs,
  );
});

test("three layers with whiteouts", async () => {
  const layer = layerOf(file, directory, whiteout);
  await fc.assert(
    fc.asyncProperty(layer, layer, layer, (...layers) => obeys(layers)),
    runs,
  );
});

test("hard links to layers below", async () => {
  const layer = layerOf(file, directory, hardLink);
  await fc.assert(
    fc.asyncProperty(layer, layer, (...layers) => obeys(layers)),
    runs,
  );
});
