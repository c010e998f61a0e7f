/** devbox bundle: the same bundle, its hooks included, runs under other runtimes as under devbox. */
import { expect, test } from "bun:test";
import { existsSync, mkdirSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { $ } from "bun";
import { boxHome } from "../helpers/box.ts";
import { inUserNamespace } from "../helpers/devbox.ts";
import { devboxBinary, imageName, layouts } from "../helpers/given.ts";
import { differences, type Listing, listTree } from "../helpers/listing.ts";
import { isPossible, runtimes } from "../helpers/runtimes.ts";

const { home, image } = boxHome();
let made = 0;

async function bundle(flags: readonly string[], command: readonly string[]): Promise<string> {
  made += 1;
  const directory = join(home.directory, `bundle-${made}`);
  expect(await home.ok(["bundle", ...flags, image, directory, "--", ...command])).toBe(`${directory}\n`);
  return directory;
}

/** stdout of the box under each runtime that can run here. */
async function outputs(directory: string): Promise<Readonly<Record<string, string>>> {
  const state = join(directory, "..", `state-${made}`);
  mkdirSync(state, { recursive: true });
  const run = async (words: readonly string[]): Promise<string> => {
    const result = await $`${[...words, "--root", state, "run", "--bundle", directory, `t${made}`]}`
      .env(home.env)
      .quiet()
      .nothrow();
    expect({ words: words[0], exitCode: result.exitCode, stderr: result.stderr.toString() }).toMatchObject({
      exitCode: 0,
    });
    return result.stdout.toString();
  };
  const seen: Record<string, string> = { own: await run([devboxBinary(), "oci"]) };
  for (const name of ["runc", "crun"] as const) if (isPossible(name)) seen[name] = await run(runtimes[name]);
  return seen;
}

test("one tree of all layers, with its owners; and equal results", async () => {
  const directory = await bundle(
    ["--network", "none", "--env", "A=1", "--workdir", "/data", "--hostname", "bundled"],
    ["sh", "-c", "id; pwd; hostname; echo $A; stat -c '%u:%g' /data/from-image; cat /data/from-image"],
  );
  expect(readdirSync(directory).sort()).toEqual(["config.json", "hostname", "hosts", "resolv.conf", "rootfs"]);
  const seen = await outputs(directory);
  expect(seen["own"]).toContain("bundled\n1\n1000:1000\n");
  for (const output of Object.values(seen)) expect(output).toBe(seen["own"] ?? "");
});

test("forty layers as one tree, as umoci unpacks them: owners, modes, links, times, attributes, holes, odd names", async () => {
  const directory = join(home.directory, "forty");
  await home.ok(["bundle", "--network", "none", imageName("forty-layers"), directory, "--", "/x"]);
  const theirs = join(home.directory, "umoci");
  const layout = `${join(layouts(), "forty-layers")}:latest`;
  await $`${[...inUserNamespace(), "umoci", "unpack", "--image", layout, theirs]}`.quiet();
  const [reference, ours] = await Promise.all(
    [theirs, directory].map((each) => listTree(join(each, "rootfs"), inUserNamespace())),
  );
  if (reference === undefined || ours === undefined) throw new Error("no listing");
  expect(reference.size).toBeGreaterThan(100);
  expect(differences(comparable(reference), comparable(ours))).toEqual([]);
});

/** Without what nobody promises: times of directories that no layer has an entry for. */
function comparable(listing: Listing): Listing {
  return new Map(
    [...listing].map(([path, line]) => [path, line.startsWith("d ") ? line.replace(/mtime=\S+/, "") : line]),
  );
}

test("its hooks start the network", async () => {
  const directory = await bundle(
    ["--network", "slirp4netns"],
    ["sh", "-c", "ip -o -4 addr show tap0 | tr -s ' ' | cut -d' ' -f4"],
  );
  const config = JSON.parse(readFileSync(join(directory, "config.json"), "utf8"));
  expect(config.hooks.createRuntime[0].path).toBe(devboxBinary());
  for (const output of Object.values(await outputs(directory))) expect(output).toBe("10.0.2.100/24\n");
});

test("a directory that is not empty is refused, and left as it is", async () => {
  const directory = join(home.directory, "full");
  mkdirSync(join(directory, "mine"), { recursive: true });
  const { exitCode, stderr } = await home.run(["bundle", image, directory]);
  expect(exitCode).toBe(125);
  expect(stderr).toContain("it is not empty");
  expect(existsSync(join(directory, "mine"))).toBe(true);
});
