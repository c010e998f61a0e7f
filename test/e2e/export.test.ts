/** devbox export: all files of a box as an archive, which import makes an image of again. */
import { beforeAll, expect, test } from "bun:test";
import { existsSync, mkdirSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { $ } from "bun";
import { boxHome } from "../helpers/box.ts";
import { inUserNamespace } from "../helpers/devbox.ts";
import { differences, listTree } from "../helpers/listing.ts";

const box = boxHome();
const { home } = box;
const file = (name: string): string => join(home.directory, name);

beforeAll(async () => {
  await box.out(
    "mkdir -m 2750 /new && echo one > /new/file && ln /new/file /new/link && chown 33:44 /new/file && chmod 4751 /new/file && " +
      "touch -d '2001-02-03 04:05:06' /new && rm /bin/wget && ln -s new /soft && mkfifo /fifo && echo x > /data/kept",
    ["--name", "web", "-v", "data:/data"],
  );
});

test("a box that has ended, and an image of it: the same tree, without what was mounted", async () => {
  expect(await home.ok(["export", "-o", "web.tar", "web"])).toBe("");
  await home.ok(["import", "web.tar", "flat:1"]);
  await home.ok(["run", "--name", "flat", "--network", "none", "flat:1", "/bin/true"]);
  await home.ok(["export", "-o", "again.tar", "flat"]);
  for (const name of ["web", "again"]) {
    mkdirSync(file(name));
    await $`${[...inUserNamespace(), "tar", "-C", file(name), "--xattrs", "-xpf", file(`${name}.tar`)]}`.quiet();
  }
  const [web, again] = [
    await listTree(file("web"), inUserNamespace()),
    await listTree(file("again"), inUserNamespace()),
  ];
  // The root of a box has the time of its start.
  const withoutRoot = (listing: typeof web) => new Map([...listing].filter(([at]) => at !== "."));
  expect(differences(withoutRoot(web), withoutRoot(again))).toEqual([]);
  expect(web.get("./new/link")).toContain("mode=4751 owner=33:44");
  expect(web.get("./new/link")).toContain("same-as=./new/file");
  expect(web.get("./new")).toContain("d mode=2750");
  expect(web.get("./new")).toContain("mtime=981173106.0");
  expect(web.has("./bin/wget")).toBe(false);
  expect(web.has("./bin/busybox")).toBe(true);
  expect(web.has("./data/kept")).toBe(false);
});

test("a box that runs, to stdout", async () => {
  await home.ok([
    "run",
    "-d",
    "--name",
    "up",
    "--network",
    "none",
    box.image,
    "sh",
    "-c",
    "echo x > /seen; exec sleep 1000",
  ]);
  await home.ok(["exec", "up", "sh", "-c", "until [ -e /seen ]; do :; done"]);
  const names = await home.ok(["export", "up"], { prefix: ["sh", "-c", '"$@" | tar t', "sh"] });
  expect(names.split("\n")).toEqual(expect.arrayContaining(["./seen", "./bin/busybox"]));
  // Neither the kernel's own file systems nor anything else that is mounted there.
  expect(names.split("\n").filter((name) => /^\.\/(?:proc|sys|dev)\/./.test(name))).toEqual([]);
  await home.ok(["rm", "-f", "up"]);
});

test("an archive is nothing for a terminal, and a file that cannot be whole is not there", async () => {
  const refused = await home.run(["export", "web"], {
    prefix: ["script", "-qec", 'exec "$0" "$@"', "/dev/null", "--"],
  });
  expect(refused.exitCode).not.toBe(0);
  const nowhere = await home.run(["export", "-o", file("none/web.tar"), "web"]);
  expect(nowhere.exitCode).toBe(1);
  expect(nowhere.stderr).toContain(file("none/web.tar"));
  const failed = await home.run(["export", "-o", file("nobody.tar"), "nobody"]);
  expect(failed.exitCode).toBe(1);
  expect(existsSync(file("nobody.tar"))).toBe(false);
  expect(readdirSync(home.directory).filter((name) => name.includes(".tmp-"))).toEqual([]);
});

test("what is no regular file is written to, and stays", async () => {
  await home.ok(["export", "-o", "/dev/null", "web"]);
  expect(statSync("/dev/null").isCharacterDevice()).toBe(true);
});
