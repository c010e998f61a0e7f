/** A compiled Bun program would preload what a bunfig.toml names and read .env, from whatever directory it is called in. */
import { afterAll, expect, test } from "bun:test";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { openHome } from "../helpers/devbox.ts";

const home = openHome();
afterAll(() => home[Symbol.asyncDispose]());

test("nothing in the working directory steers devbox", async () => {
  const cwd = join(home.directory, "hostile");
  mkdirSync(cwd);
  writeFileSync(join(cwd, "bunfig.toml"), 'preload = ["./preload.ts"]\n');
  writeFileSync(join(cwd, "preload.ts"), 'console.log("preloaded");\n');
  writeFileSync(join(cwd, ".env"), `DEVBOX_STORE=${cwd}/stolen\n`);
  expect(await home.run(["images", "-q"], { cwd })).toEqual({ stdout: "", stderr: "", exitCode: 0 });
  expect(await home.run(["rmi", "nosuch"], { cwd })).toMatchObject({ stdout: "", exitCode: 1 });
  expect(existsSync(join(cwd, "stolen"))).toBe(false);
});
