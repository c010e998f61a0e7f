/** devbox image verify, with and without --repair: damage on the disk, and boxes that run after the repair. */
import { afterAll, beforeAll, beforeEach, expect, test } from "bun:test";
import { readdirSync, rmSync, truncateSync } from "node:fs";
import { join } from "node:path";
import { $ } from "bun";
import { inUserNamespace, openHome } from "../helpers/devbox.ts";
import { steady } from "../helpers/filter.ts";
import { imageName } from "../helpers/given.ts";

const home = openHome();
const image = imageName("busybox");
const store = join(home.store, "store");
beforeAll(async () => {
  await home.ok(["pull", "-q", image]);
});
afterAll(() => home[Symbol.asyncDispose]());

const tree = (): string => join(store, "layers", readdirSync(join(store, "layers"))[0] ?? "", "fs");

/** As root of the user namespace, which owns the files. */
async function harm(script: string): Promise<void> {
  await $`${[...inUserNamespace(), "sh", "-c", `cd "$1" && ${script}`, "sh", tree()]}`.quiet();
}

async function verify(...options: string[]) {
  const { exitCode, stdout, stderr } = await home.run(["image", "verify", ...options]);
  return { exitCode, stdout: steady(stdout, home), stderr: steady(stderr, home) };
}

const runs = async (): Promise<void> =>
  expect(await home.ok(["run", "--network=none", image, "busybox", "echo", "it runs"])).toBe("it runs\n");

beforeEach(async () => {
  expect((await verify("-q", "--repair")).exitCode).toBe(0);
});

test("a whole image", async () => {
  const { exitCode, stdout } = await verify();
  expect([exitCode, stdout]).toEqual([0, "REGISTRY/busybox:latest: ok\n"]);
});

test.each([
  [
    "other bytes, the same size and times",
    "touch -r etc/os-release /tmp/time.$$ && printf X | dd of=etc/os-release conv=notrunc 2>/dev/null && touch -r /tmp/time.$$ etc/os-release && rm /tmp/time.$$",
    /^ {4}etc\/os-release: content$/m,
  ],
  ["a mode", "chmod 4711 bin/busybox", /^ {4}bin\/busybox: mode 04711, not 0755$/m],
  ["a file less", "rm etc/os-release", /^ {4}etc\/os-release: missing$/m],
  ["a file more", "echo 1 >etc/more", /^ {4}etc\/more: not in the image$/m],
])("a layer: %s", async (_name, script, path) => {
  await harm(script);
  const found = await verify(image);
  expect(found.exitCode).toBe(1);
  expect(found.stdout).toStartWith("REGISTRY/busybox:latest: damaged\n  layer sha256:DIGEST: ");
  expect(found.stdout).toMatch(path);
  const repaired = await verify("--repair", image);
  expect(repaired.exitCode).toBe(0);
  expect(repaired.stdout).toContain("(repaired)\n");
  expect((await verify()).stdout).toBe("REGISTRY/busybox:latest: ok\n");
  await runs();
});

test("blobs cut and gone, fetched again from the registry", async () => {
  const blobs = join(store, "images/blobs/sha256");
  for (const [index, name] of readdirSync(blobs).entries()) {
    if (index === 0) rmSync(join(blobs, name));
    else truncateSync(join(blobs, name), 10);
  }
  expect((await verify()).exitCode).toBe(1);
  expect((await verify("--repair")).exitCode).toBe(0);
  expect((await verify()).stdout).toBe("REGISTRY/busybox:latest: ok\n");
  await runs();
});

test("a layer that a box has mounted stays until the box has ended", async () => {
  await using box = home.start([
    "run",
    "--name",
    "user",
    "--network=none",
    image,
    "sh",
    "-c",
    "echo ready; [ -e again ] || { >again; read line; }",
  ]);
  await box.output(/ready/);
  await harm("echo 1 >etc/more");
  const refused = await verify("--repair");
  expect(refused.exitCode).toBe(1);
  expect(refused.stdout).toContain("(not repaired)\n");
  expect(refused.stdout).toContain("    because: it is used by user (running)\n");
  box.write("\n");
  await box.result;
  expect((await verify("--repair")).exitCode).toBe(0);
  expect(await home.ok(["start", "--attach", "user"])).toBe("ready\n");
  await home.ok(["rm", "-f", "user"]);
});

test("--json", async () => {
  await harm("rm etc/os-release");
  const { exitCode, stdout } = await home.run(["image", "verify", "--json"]);
  expect(exitCode).toBe(1);
  expect(JSON.parse(stdout)).toMatchObject([
    {
      names: [image],
      isWhole: false,
      damages: [
        { part: "layer", count: 2, differences: [{ path: "etc" }, { path: "etc/os-release", what: "missing" }] },
      ],
    },
  ]);
});

test("an image that is not here", async () => {
  expect((await verify("no-such-image")).exitCode).toBe(1);
});
