/** Images that are alike take less room: what is the same in both is on the disk once, and no box can tell. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { randomBytes } from "node:crypto";
import { existsSync, lstatSync, mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { $ } from "bun";
import { openHome } from "../helpers/devbox.ts";
import { writeLayout } from "../helpers/images/layout.ts";

const home = openHome();
afterAll(() => home[Symbol.asyncDispose]());
const image = (name: string): string => `oci:${join(home.directory, name)}:latest`;

/** Two builds of one system, by one who has the tools of the test images: a layer each. */
beforeAll(async () => {
  const tree = join(home.directory, "tree");
  for (const directory of ["bin", "dev", "proc", "sys", "etc"]) mkdirSync(join(tree, directory), { recursive: true });
  await $`cp /bin/busybox ${tree}/bin/busybox && ln -s busybox ${tree}/bin/sh`;
  writeFileSync(join(tree, "large"), randomBytes(2_000_000));
  for (const name of ["first", "second", "third"]) {
    await $`echo ${name} > ${tree}/etc/name`;
    const tar = join(home.directory, `${name}.tar`);
    await $`tar --create --format pax --owner 0 --group 0 --file ${tar} --directory ${tree} .`;
    const config = { Env: ["PATH=/bin"], Cmd: ["sh"] };
    await writeLayout(join(home.directory, name), { layers: [tar], compression: "gzip", config });
  }
  rmSync(tree, { recursive: true });
});

/** How many files `/large` is on the disk, in how many layers. */
function largeFiles(): { readonly files: number; readonly layers: number } {
  const layers = join(home.store, "store/layers");
  const paths = readdirSync(layers).map((name) => join(layers, name, "fs/large"));
  const inodes = paths.filter(existsSync).map((path) => lstatSync(path).ino);
  return { files: new Set(inodes).size, layers: inodes.length };
}

const run = ["run", "--network", "none"];

test("pull: the second image shares with the first; df says what that saves", async () => {
  await home.ok(["pull", "-q", image("first")]);
  expect(await home.ok(["df"])).not.toContain("Layers share");
  await home.ok(["pull", "-q", image("second")]);
  expect(largeFiles()).toEqual({ files: 1, layers: 2 });
  expect(await home.ok(["df"])).toMatch(/^Layers share 2 files, and so take .*MB less/m);
});

test("what a box writes to a shared file is its own", async () => {
  const script = "busybox wc -c < /large; echo more >> /large; busybox wc -c < /large; busybox stat -c %h /large";
  expect(await home.ok([...run, image("second"), "sh", "-c", script])).toBe("2000000\n2000005\n1\n");
  for (const name of ["first", "second"]) {
    expect(await home.ok([...run, image(name), "sh", "-c", "busybox wc -c < /large; busybox cat /etc/name"])).toBe(
      `2000000\n${name}\n`,
    );
  }
});

test("what run brings waits for a prune, and for the box that is on it", async () => {
  await using box = home.start([...run, image("third"), "sh", "-c", "echo up; read line; busybox wc -c < /large"]);
  await box.output(/^up$/m);
  await home.ok(["prune"]);
  expect(largeFiles()).toEqual({ files: 2, layers: 3 });
  box.write("end\n");
  expect((await box.result).stdout).toBe("up\n2000000\n");
  await home.ok(["prune"]);
  expect(largeFiles()).toEqual({ files: 1, layers: 3 });
  expect(await home.ok([...run, image("third"), "sh", "-c", "busybox cat /etc/name"])).toBe("third\n");
});

test("the images are whole as far as verify knows, also when the first is gone", async () => {
  await home.ok(["image", "verify"]);
  await home.ok(["rmi", image("first")]);
  await home.ok(["image", "verify"]);
  expect(largeFiles()).toEqual({ files: 1, layers: 2 });
});

test("load shares as well", async () => {
  const archive = join(home.directory, "first.archive");
  await home.ok(["copy", image("first"), `oci-archive:${archive}:first`]);
  await home.ok(["load", "-i", archive]);
  expect(largeFiles()).toEqual({ files: 1, layers: 3 });
});
