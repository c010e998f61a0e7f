/** Several processes on one store, and processes that are killed. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { randomBytes } from "node:crypto";
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { readHostFacts } from "../../../src/host/read-facts.ts";
import { prune } from "../../../src/image/garbage/prune.ts";
import { readEntries } from "../../../src/store/index-file.ts";
import { listLayers } from "../../../src/store/layers.ts";
import type { Store } from "../../../src/store/types.ts";
import { type FaultyRegistry, startFaultyRegistry } from "../../helpers/faulty-registry.ts";
import { descendants, gone } from "../../helpers/processes.ts";
import { type PullingProcess, pullElsewhere, pullHere, temporaryPullStore } from "../../helpers/pulling.ts";
import { tar } from "../../helpers/tar-builder.ts";

let registry: FaultyRegistry;
beforeAll(async () => {
  registry = await startFaultyRegistry();
});
afterAll(() => registry[Symbol.asyncDispose]());

/** Layers of files that other ids own, in directories that are closed to us: not ours to remove without the namespace. */
const layers = [0, 1, 2].map((index) => ({
  tar: tar([
    { path: `d${index}/`, mode: 0o700, uid: 1000, gid: 1000 },
    { path: `d${index}/random`, content: randomBytes(400_000), mode: 0o600, uid: 1000, gid: 1000 },
    ...(index === 0 ? [] : [{ path: `d${index}/linked`, type: "1", link: "d0/random" }]),
  ]),
  compression: "gzip" as const,
}));

const facts = () => readHostFacts(process.env);

function expectWhole(store: Store, count = layers.length): void {
  expect(listLayers(store)).toMatchObject({ builds: [] });
  expect(listLayers(store).layers).toHaveLength(count);
  for (const { path } of listLayers(store).layers) expect(existsSync(join(path, "layer.json"))).toBe(true);
}

/** Without small files that were being written: they are known to be nobody's only after an hour. */
function partials(store: Store): readonly string[] {
  return readdirSync(store.ingest).filter((name) => !name.startsWith(".tmp-"));
}

test("processes that pull the same image share the work: nothing is fetched twice", async () => {
  await using temporary = temporaryPullStore();
  const { store } = temporary;
  const { manifest } = registry.addImage("shared", "latest", { layers });
  const pulls = [1, 2, 3].map(() => pullElsewhere(store, `${registry.host}/shared`));
  for (const each of pulls) {
    expect(await each.errors()).toBe("");
    expect(await each.exited).toBe(0);
  }
  for (const { digest } of manifest.layers) {
    const fetches = registry.requests.filter(({ path }) => path === `/v2/shared/blobs/${digest}`);
    expect(fetches).toHaveLength(1);
  }
  expectWhole(store);
  expect(readEntries(store)).toHaveLength(1);
});

test("processes that pull different images share a blob that both have", async () => {
  await using temporary = temporaryPullStore();
  const { store } = temporary;
  const [a, b, shared] = layers;
  if (a === undefined || b === undefined || shared === undefined) throw new Error("three layers");
  const { manifest } = registry.addImage("left-of", "latest", { layers: [a, shared] });
  registry.addImage("right-of", "latest", { layers: [a, b, shared] });
  const digest = manifest.layers[1]?.digest ?? "missing";
  // Slow enough for the other to come while it is under way.
  registry.fault(new RegExp(`GET .*-of/blobs/${digest}`), { kind: "slow", chunkBytes: 20_000, everyMs: 20 });
  const pulls = ["left-of", "right-of"].map((name) => pullElsewhere(store, `${registry.host}/${name}`));
  for (const each of pulls) {
    expect(await each.errors()).toBe("");
    expect(await each.exited).toBe(0);
  }
  expect(registry.requests.filter(({ path }) => path.endsWith(`-of/blobs/${digest}`))).toHaveLength(1);
  expectWhole(store, 4);
});

/** Kill the process at its `nth` event; false: it was through before. */
async function killAt(pulling: PullingProcess, nth: number): Promise<boolean> {
  let count = 0;
  for await (const event of pulling.events) {
    count += 1;
    if (event === "pulled") return false;
    if (count < nth) continue;
    const workers = descendants(pulling.pid).map(({ pid }) => pid);
    pulling.kill();
    await pulling.exited;
    // The workers end with their parent: nobody writes into the store any more.
    await gone(workers);
    return true;
  }
  return false;
}

describe("a pull that is killed", () => {
  test.each([1, 2, 4, 7, 11, 16, 22, 29])("at event %i harms no later pull", async (nth) => {
    await using temporary = temporaryPullStore();
    const { context, store } = temporary;
    registry.addImage("killed", "latest", { layers });
    await killAt(pullElsewhere(store, `${registry.host}/killed`), nth);
    for (const { path } of listLayers(store).layers) expect(existsSync(join(path, "layer.json"))).toBe(true);
    const { image } = await pullHere(context, store, `${registry.host}/killed`);
    expect(image.layers).toHaveLength(3);
    expectWhole(store);
    // A second name of a blob that is whole may be left: it costs nothing, and prune takes it.
    for (const name of partials(store)) expect(statSync(join(store.ingest, name)).nlink).toBe(2);
    const names = readdirSync(store.locks).filter((name) => /^(?:blob|layer)-/.test(name));
    await prune(context, store, facts(), { all: false });
    expect(readdirSync(store.locks).filter((name) => names.includes(name))).toEqual([]);
    expectWhole(store);
    expect(partials(store)).toEqual([]);
  });

  test("leaves what prune takes away, whoever owns it", async () => {
    await using temporary = temporaryPullStore();
    const { context, store } = temporary;
    registry.addImage("left", "latest", { layers });
    registry.fault(/GET .*left\/blobs/, { kind: "slow", chunkBytes: 50_000, everyMs: 5 });
    expect(await killAt(pullElsewhere(store, `${registry.host}/left`), 12)).toBe(true);
    expect(listLayers(store).builds.length).toBeGreaterThan(0);
    expect(partials(store).length).toBeGreaterThan(0);
    await prune(context, store, facts(), { all: true });
    expect(listLayers(store)).toEqual({ layers: [], builds: [], trash: [] });
    expect(partials(store)).toEqual([]);
    expect(readdirSync(join(store.images, "blobs/sha256"))).toEqual([]);
  });
});

test("prune beside a pull takes nothing of it, also what is there but not yet named", async () => {
  await using temporary = temporaryPullStore();
  const { context, store } = temporary;
  const { manifest } = registry.addImage("pruned", "latest", { layers });
  const last = manifest.layers[2]?.digest ?? "missing";
  const reached = Promise.withResolvers<void>();
  registry.fault(new RegExp(`GET .*pruned/blobs/${last}`), { kind: "slow", chunkBytes: 20_000, everyMs: 20 }, 1);
  const watching = {
    ...context,
    progress: {
      task: () => ({
        update: () => {},
        phase: () => {},
        done: () => reached.resolve(),
      }),
    },
  };
  const pulling = pullHere(watching, store, `${registry.host}/pruned`);
  // The first layer has its name, the image has none.
  await reached.promise;
  expect(readEntries(store)).toEqual([]);
  await prune(context, store, facts(), { all: true });
  const { image } = await pulling;
  expectWhole(store);
  const top = join(store.root, image.layers[2]?.path ?? "missing", "d2/random");
  if (process.geteuid?.() === 0) expect(readFileSync(top).length).toBe(400_000);
});

test("a cancelled pull ends its workers", async () => {
  await using temporary = temporaryPullStore();
  const { context, store } = temporary;
  registry.addImage("cancelled", "latest", { layers });
  registry.fault(/GET .*cancelled\/blobs/, { kind: "slow", chunkBytes: 50_000, everyMs: 5 });
  const controller = new AbortController();
  let workers: readonly number[] = [];
  const progress = {
    task: () => ({
      update: (bytes: number) => {
        if (bytes < 100_000) return;
        workers = descendants(process.pid).flatMap(({ pid, command }) =>
          command.includes("__apply-worker") ? [pid] : [],
        );
        controller.abort();
      },
      phase: () => {},
      done: () => {},
    }),
  };
  const pulling = pullHere({ ...context, signal: controller.signal, progress }, store, `${registry.host}/cancelled`);
  await expect(pulling).rejects.toMatchObject({ code: "INTERRUPTED" });
  expect(workers.length).toBeGreaterThan(0);
  await gone(workers);
  expect(listLayers(store).builds).toEqual([]);
});
