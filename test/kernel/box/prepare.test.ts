/** What is wrong with a request is found before anything runs, and nothing of the box stays. */
import { afterAll, expect, test } from "bun:test";
import { mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { makeBox, prepareBundle } from "../../../src/box/prepare.ts";
import type { RunRequest } from "../../../src/box/request.ts";
import type { RunOptions } from "../../../src/bundle/options.ts";
import { readHostFacts } from "../../../src/host/read-facts.ts";
import { removeBox } from "../../../src/store/boxes.ts";
import { runOptions } from "../../helpers/bundle-input.ts";
import { failureOf } from "../../helpers/failure.ts";
import { temporaryStore } from "../../helpers/temporary-store.ts";

const { store, context, [Symbol.dispose]: remove } = temporaryStore();
afterAll(remove);
const facts = readHostFacts(process.env);
const root = join(store.root, "tree");
mkdirSync(root);

/** As `run` does: the box first, then, while its namespaces come into being, the bundle. */
const prepare = async (options: Partial<RunOptions>, helpers: Partial<typeof facts.helpers> = {}) => {
  // It is not started here: any program will do where it is not installed.
  const slirp4netns = facts.helpers.slirp4netns ?? "/bin/true";
  const around = { store, facts: { ...facts, helpers: { ...facts.helpers, slirp4netns, ...helpers } } };
  const request: RunRequest = {
    reference: `dir:${root}`,
    options: runOptions({ command: ["true"], network: "slirp4netns", ...options }),
    pull: "missing",
    platform: undefined,
    tlsVerify: true,
    quiet: true,
    explain: false,
    detach: false,
    cidFile: undefined,
  };
  const box = await makeBox(context, around, { kind: "directory", path: root }, request);
  try {
    await prepareBundle(around, box, request);
    return box;
  } catch (error) {
    box.network[Symbol.dispose]();
    removeBox(store, box.created.paths, box.created.record.name, box.created.lock);
    throw error;
  }
};
const descriptors = (): number => readdirSync("/proc/self/fd").length;
const boxes = (): string[] => readdirSync(store.boxes).filter((name) => /^[0-9a-f]{64}$/.test(name));

test.each([
  [{ user: "nobody-such" }, "USER_NOT_FOUND"],
  [{ command: [] }, "NO_COMMAND"],
  [{ capAdd: ["NO_SUCH"] }, "USAGE"],
] as const)("%p: %s", async (options, code) => {
  const [open, there] = [descriptors(), boxes()];
  const error = await prepare(options).then(
    () => new Error("it was prepared"),
    (thrown) => thrown,
  );
  const thrown = failureOf(() => {
    throw error;
  });
  expect(thrown.exitStatus).toBe(125);
  if (code !== "USAGE") expect(thrown.code).toBe(code);
  expect(descriptors()).toBe(open);
  expect(boxes()).toEqual(there);
  expect(readdirSync(join(store.boxes, ".live"))).toEqual([]);
});

test("without slirp4netns: the package, and what does without", async () => {
  const error = await prepare({}, { slirp4netns: undefined }).catch((thrown: unknown) => thrown);
  expect(error).toMatchObject({ code: "HELPER_MISSING" });
  expect(error).toHaveProperty("hint", expect.stringContaining("--network none"));
  expect(boxes()).toEqual([]);
});

test("a box holds its lock and its network until it is let go", async () => {
  const open = descriptors();
  const { network, created } = await prepare({});
  expect(boxes()).toEqual([created.paths.id]);
  expect(Object.keys(network.held)).toEqual(["exit-hold"]);
  network[Symbol.dispose]();
  created.lock.remove();
  expect(descriptors()).toBe(open);
});
