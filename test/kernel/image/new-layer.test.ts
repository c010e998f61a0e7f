/** A tar becomes blob and tree at once; what fails leaves nothing. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { DevboxError } from "../../../src/core/errors.ts";
import { readHostFacts } from "../../../src/host/read-facts.ts";
import { makeLayer, type NewLayerRequest } from "../../../src/image/make/new-layer.ts";
import { openWorkerPool } from "../../../src/image/workers/open-worker-pool.ts";
import type { WorkerPool } from "../../../src/image/workers/worker-pool.ts";
import { chainIds } from "../../../src/oci/chain-id.ts";
import { mediaTypes } from "../../../src/oci/descriptor.ts";
import { digestOf } from "../../../src/oci/digest.ts";
import { storedLayers } from "../../../src/store/images.ts";
import { hasLayer, readLayerRecord } from "../../../src/store/layers.ts";
import { blobPath } from "../../../src/store/paths.ts";
import { temporaryPullStore } from "../../helpers/pulling.ts";
import { tar } from "../../helpers/tar-builder.ts";

const temporary = temporaryPullStore();
const { store } = temporary;
let pool: WorkerPool;
beforeAll(() => {
  pool = openWorkerPool(readHostFacts(process.env));
});
afterAll(async () => {
  await pool[Symbol.asyncDispose]();
  await temporary[Symbol.asyncDispose]();
});

async function* inPieces(bytes: Uint8Array, size = 700): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.byteLength; at += size) yield bytes.subarray(at, at + size);
}

function make(tarOf: NewLayerRequest["tar"], more: Partial<NewLayerRequest> = {}, context = temporary.context) {
  const request = { label: "layer", packing: { compression: "gzip" as const }, below: [], ...more, tar: tarOf };
  return makeLayer({ context, store, pool }, request);
}

/** Everything that is neither finished layers nor locks that stay. */
function left(): readonly string[] {
  const layers = readdirSync(store.layers).filter((name) => name.startsWith("."));
  const locks = readdirSync(store.locks).filter((name) => /^(?:lease|layer|blob)-/.test(name));
  return [...layers, ...locks, ...readdirSync(store.ingest)];
}

const base = tar([
  { path: "etc/", mode: 0o700 },
  { path: "etc/old", content: "old" },
  { path: "etc/stays", content: "stays" },
]);

test("blob, diffID and tree are of the same archive, under the names that they have anywhere", async () => {
  using layer = await make(() => inPieces(base));
  const { descriptor, diffId, chainId } = layer;
  expect({ diffId, chainId }).toEqual({ diffId: digestOf(base), chainId: digestOf(base) });
  const blob = readFileSync(blobPath(store, descriptor.digest));
  expect(descriptor).toEqual({ mediaType: mediaTypes.ociLayerGzip, digest: digestOf(blob), size: blob.length });
  expect(Buffer.compare(gunzipSync(blob), base)).toBe(0);
  const tree = join(store.root, storedLayers([diffId])[0]?.path ?? "");
  expect(readFileSync(join(tree, "etc/old"), "utf8")).toBe("old");
  expect(readLayerRecord(store, chainId)).toMatchObject({ diffId, bytes: base.length, entries: 3 });
});

test("on top of layers that are there, what needs them is done; the same one again is no matter", async () => {
  using below = await make(() => inPieces(base));
  const change = tar([{ path: "etc/.wh.old" }, { path: "etc/hard", type: "1", link: "etc/stays" }]);
  for (const compression of ["zstd", "none", "zstd"] as const) {
    using layer = await make(() => inPieces(change), {
      packing: { compression },
      below: storedLayers([below.diffId]),
    });
    const diffIds = [below.diffId, digestOf(change)];
    expect(layer.chainId).toBe(chainIds(diffIds)[1] ?? layer.chainId);
    const tree = join(store.root, storedLayers(diffIds)[1]?.path ?? "");
    // The hard link was brought up from below, and the whiteout is kept since it hides something.
    expect(readFileSync(join(tree, "etc/hard"), "utf8")).toBe("stays");
    expect(readdirSync(join(tree, "etc")).sort()).toEqual(["hard", "old", "stays"]);
  }
  below[Symbol.dispose]();
  expect(left()).toEqual([]);
});

describe("nothing is left when", () => {
  test("what comes is no archive", async () => {
    const before = readdirSync(store.layers);
    await expect(make(() => inPieces(Buffer.alloc(2_000_000, "no tar ")))).rejects.toMatchObject({
      code: "LAYER_INVALID",
    });
    expect(readdirSync(store.layers)).toEqual(before);
    expect(left()).toEqual([]);
  });

  test("the archive breaks off, in either way", async () => {
    await expect(make(() => inPieces(base.subarray(0, 600)))).rejects.toMatchObject({ code: "LAYER_TRUNCATED" });
    const torn = async function* () {
      yield* inPieces(base.subarray(0, 1000));
      throw new Error("torn");
    };
    await expect(make(torn)).rejects.toThrow("torn");
    expect(left()).toEqual([]);
  });

  test("it is interrupted while it waits", async () => {
    const stop = new AbortController();
    const waiting = async function* (signal: AbortSignal) {
      yield* inPieces(base.subarray(0, 1000));
      const aborted = new Promise((resolve) => signal.addEventListener("abort", resolve));
      stop.abort(new DevboxError("INTERRUPTED", { step: "interrupted by SIGINT" }));
      await aborted;
      signal.throwIfAborted();
    };
    const context = { ...temporary.context, signal: stop.signal };
    await expect(make(waiting, {}, context)).rejects.toMatchObject({ code: "INTERRUPTED" });
    expect(left()).toEqual([]);
  });

  test("a layer below is not there", async () => {
    const below = storedLayers([digestOf("none")]);
    await expect(make(() => inPieces(base), { below })).rejects.toMatchObject({ code: "IMAGE_NOT_FOUND" });
    expect(left()).toEqual([]);
  });

  test("it would be refused as a decompression bomb wherever it is pulled", async () => {
    const size = 300 * 2 ** 20;
    const zeros = async function* () {
      yield tar([{ path: "zeros", size }], false);
      for (const [piece, count] of [
        [Buffer.alloc(2 ** 20), 300],
        [Buffer.alloc(1024), 1],
      ] as const) {
        for (let at = 0; at < count; at++) yield piece;
      }
    };
    await expect(make(zeros, { packing: { compression: "zstd" } })).rejects.toMatchObject({ code: "LAYER_TOO_LARGE" });
    expect(left()).toEqual([]);
    expect(hasLayer(store, digestOf("zeros"))).toBe(false);
  });
});
