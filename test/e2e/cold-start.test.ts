/**
 * What a start loads. A compiled file does not tell, so the same sources are run by bun with a preloaded observer that
 * writes down at exit which modules there are: imports that are not awaited on this path would show.
 */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join, relative, resolve } from "node:path";
import { $ } from "bun";
import { openHome } from "../helpers/devbox.ts";
import { imageName } from "../helpers/given.ts";

const project = resolve(import.meta.dir, "../..");
const home = openHome();
beforeAll(async () => {
  await home.ok(["pull", "-q", imageName("busybox")]);
});
afterAll(() => home[Symbol.asyncDispose]());

/** Paths of the modules that a command line loads, relative to the project. */
async function loadedBy(...args: string[]): Promise<readonly string[]> {
  const list = join(home.directory, "modules");
  const observer = join(project, "test/helpers/programs/module-observer.ts");
  const main = join(project, "src/main.ts");
  const { exitCode, stderr } = await $`${process.execPath} --preload ${observer} ${main} ${args}`
    .env({ ...home.env, MODULE_LIST: list })
    .nothrow()
    .quiet();
  expect({ exitCode, stderr: stderr.toString() }).toEqual({ exitCode: 0, stderr: "" });
  return readFileSync(list, "utf8")
    .split("\n")
    .filter((path) => path.startsWith(project) && path !== observer)
    .map((path) => relative(project, path));
}

const packagesOf = (modules: readonly string[]): readonly string[] =>
  modules.filter((path) => path.startsWith("node_modules/")).map((path) => path.split("/")[1] ?? "");

test("the observer sees packages where there are some", async () => {
  await home.ok(["prune", "--all"]);
  expect(packagesOf(await loadedBy("pull", "-q", imageName("busybox")))).toContain("undici-http");
});

test("--version loads the version and nothing more", async () => {
  const modules = (await loadedBy("--version")).filter((path) => path.startsWith("src/"));
  expect(modules.filter((path) => path !== "src/main.ts")).toEqual([expect.stringMatching(/version\.ts$/)]);
});

test("a warm run loads no package at all, no registry client, no tar", async () => {
  await home.ok(["pull", "-q", imageName("busybox")]);
  const modules = await loadedBy("run", "--network=none", imageName("busybox"), "true");
  expect(packagesOf(modules)).toEqual([]);
  expect(modules.filter((path) => /^src\/(?:registry|layer)\//.test(path))).toEqual([]);
});
