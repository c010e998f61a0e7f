/** devbox images, rmi, prune. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { openHome } from "../helpers/devbox.ts";
import { steady } from "../helpers/filter.ts";
import { imageName } from "../helpers/given.ts";

const home = openHome();
beforeAll(async () => {
  for (const name of ["busybox", "forty-layers"]) await home.ok(["pull", "-q", imageName(name)]);
});
afterAll(() => home[Symbol.asyncDispose]());

const layers = (): number => readdirSync(join(home.store, "store/layers")).length;
const blobs = (): number => readdirSync(join(home.store, "store/images/blobs/sha256")).length;

test("images lists what is there", async () => {
  const table = steady(await home.ok(["images"]), home);
  expect(table).toContain("busybox");
  expect(table).toContain("forty-layers");
  expect(table.trim().split("\n")).toHaveLength(3);
});

test("images --json", async () => {
  const images = JSON.parse(await home.ok(["images", "--json"]));
  expect(JSON.stringify(images)).toContain("forty-layers");
});

test("rmi and prune take an image away with its layers, whoever owns their files", async () => {
  expect(layers()).toBe(41);
  await home.ok(["rmi", imageName("forty-layers")]);
  await home.ok(["prune"]);
  expect(layers()).toBe(1);
  expect(blobs()).toBe(3);
  expect(await home.ok(["images"])).not.toContain("forty-layers");
  expect(await home.ok(["run", "--network=none", imageName("busybox"), "echo", "still there"])).toBe("still there\n");
});

test("an image that a running box uses stays", async () => {
  const image = imageName("busybox");
  await using box = home.start([
    "run",
    "--network=none",
    image,
    "sh",
    "-c",
    "echo ready; read line; cat /etc/os-release",
  ]);
  await box.output(/ready/);
  const { exitCode, stderr } = await home.run(["rmi", image]);
  expect(exitCode).toBe(1);
  expect(stderr).toMatch(/^hint: .*--force/m);
  await home.ok(["prune", "--all"]);
  box.write("go on\n");
  expect((await box.result).stdout).toContain("ID=busybox");
});

test("rmi of an image that is not there", async () => {
  expect((await home.run(["rmi", "no-such-image"])).exitCode).toBe(1);
});

test("prune --all leaves nothing", async () => {
  await home.ok(["prune", "--all"]);
  expect(layers()).toBe(0);
  expect(blobs()).toBe(0);
});
