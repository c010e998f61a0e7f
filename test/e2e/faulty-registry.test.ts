/** What a real registry does not do on demand: broken bodies, wrong bytes, waits, tokens, hostile layers. */
import { afterEach, beforeEach, expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { type Home, openHome } from "../helpers/devbox.ts";
import { type FaultyRegistry, startFaultyRegistry } from "../helpers/faulty-registry.ts";
import { machineArchitecture } from "../helpers/images/layout.ts";
import { type TarItem, tar } from "../helpers/tar-builder.ts";

let home: Home;
let registry: FaultyRegistry;
beforeEach(async () => {
  home = openHome();
  registry = await startFaultyRegistry();
});
afterEach(async () => {
  await registry.close();
  await home[Symbol.asyncDispose]();
});

const busybox = readFileSync("/bin/busybox");
const program: readonly TarItem[] = [
  { path: "bin/" },
  { path: "bin/busybox", content: busybox, mode: 0o755 },
  { path: "bin/echo", type: "2", link: "busybox" },
];

/** Puts an image of one uncompressed layer up; returns its reference and its layer's digest. */
function shelve(items: readonly TarItem[], on: FaultyRegistry = registry): { image: string; layer: string } {
  const layers = [{ tar: tar(items), compression: "none" as const }];
  const { manifest } = on.addImage("image", "latest", { layers, architecture: machineArchitecture });
  return { image: `${on.host}/image`, layer: manifest.layers[0]?.digest ?? "" };
}

const ranges = (layer: string): readonly (string | undefined)[] =>
  registry.requests.filter(({ path }) => path.endsWith(layer)).map(({ headers }) => headers["range"]);

const works = async (image: string): Promise<void> =>
  expect(await home.ok(["run", "--network=none", image, "/bin/echo", "works"])).toBe("works\n");

test("a body that is cut goes on where it was cut", async () => {
  const { image, layer } = shelve(program);
  registry.fault(new RegExp(layer), { kind: "cut", afterBytes: 500_000 }, 2);
  await works(image);
  const [first, ...rest] = ranges(layer);
  expect(first).toBeUndefined();
  expect(rest.length).toBeGreaterThan(0);
  for (const range of rest) expect(range).toMatch(/^bytes=[1-9]\d*-/);
});

test("a download goes on after kill -9", async () => {
  const { image, layer } = shelve(program);
  registry.fault(new RegExp(layer), { kind: "stall", afterBytes: 1_000_000 }, 1);
  await using pull = home.start(["pull", "--json", image], { stdin: "" });
  const partial = join(home.store, "store/ingest");
  const arrived = (): boolean => {
    try {
      return readdirSync(partial).some((name) => Bun.file(join(partial, name)).size >= 900_000);
    } catch {
      return false;
    }
  };
  for (let round = 0; round < 2000 && !arrived(); round++) await Bun.sleep(5);
  expect(arrived()).toBe(true);
  pull.kill("SIGKILL");
  await pull.result;
  await works(image);
  expect(ranges(layer).at(-1)).toMatch(/^bytes=[1-9]\d{5,}-/);
});

test("bytes that are not those of the digest are refused, and the next pull is whole", async () => {
  const { image, layer } = shelve(program);
  registry.fault(new RegExp(layer), { kind: "corrupt" }, 100);
  const { exitCode, stderr } = await home.run(["pull", "-q", image]);
  expect(exitCode).toBe(125);
  expect(stderr).toMatch(/^error: .*\n {2}because: /);
  expect(readdirSync(join(home.store, "store/layers")).filter((name) => !name.startsWith("."))).toEqual([]);
  const other = await startFaultyRegistry();
  const again = shelve(program, other);
  await works(again.image);
  await other.close();
});

test("a registry that gives tokens to anyone", async () => {
  await using other = await startFaultyRegistry({ auth: { kind: "bearer" } });
  await works(shelve(program, other).image);
});

test.each([
  ["out of the root", [{ path: "../../escape", content: "x" }]],
  ["a hard link to nothing", [{ path: "link", type: "1", link: "nothing" }]],
] satisfies [string, TarItem[]][])("a layer with %s is refused by name, and nothing of it stays", async (_, items) => {
  const { image } = shelve([...program, ...items]);
  const { exitCode, stderr } = await home.run(["run", "--network=none", image, "true"]);
  expect(exitCode).toBe(125);
  expect(stderr).toContain("layer 1");
  expect(stderr).toContain(items[0]?.path ?? "");
  expect(readdirSync(join(home.store, "store/layers")).filter((name) => !name.startsWith("."))).toEqual([]);
  expect((await home.ok(["images"])).trim().split("\n")).toHaveLength(1);
});
