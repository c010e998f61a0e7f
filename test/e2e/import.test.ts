/** devbox import: the tree of the image is the one that was packed; skopeo and umoci read it. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { open } from "node:fs/promises";
import { join } from "node:path";
import { $ } from "bun";
import { makeBusyboxRoot } from "../helpers/busybox-box.ts";
import { inUserNamespace, openHome } from "../helpers/devbox.ts";
import { steady } from "../helpers/filter.ts";
import { devboxBinary } from "../helpers/given.ts";
import { differences, listTree } from "../helpers/listing.ts";

const home = openHome();
afterAll(() => home[Symbol.asyncDispose]());
const root = join(home.directory, "rootfs");
const at = (name: string) => join(home.directory, name);
const env = { SOURCE_DATE_EPOCH: "1700000000" };

/** Owners, modes, links, holes, times, names and attributes that only a user namespace can make. */
const furnish = `cd "$1" && mkdir -p d/e && echo x > d/file && ln d/file d/hard && ln -s ../d/file d/sym && mkfifo d/fifo &&
  chown 1000:100 d/file && chmod 4755 d/file && chown -h 5:6 d/sym && chmod 1777 d/e && truncate -s 1M d/hole &&
  printf 'a' > "d/$(printf 'n\\303\\244\\377me')" && setfattr -n user.note -v value d/hole &&
  touch -d '2001-02-03 04:05:06.789' d/e && chmod 700 .`;

beforeAll(async () => {
  mkdirSync(root);
  makeBusyboxRoot(root);
  const words = inUserNamespace();
  await $`${[...words, "sh", "-c", furnish, "sh", root]}`.quiet();
  const pack = [
    "tar",
    "-C",
    root,
    "--xattrs",
    "--xattrs-include=*",
    "--format=pax",
    "--sparse",
    "-cf",
    at("root.tar"),
    ".",
  ];
  await $`${[...words, ...pack]}`.quiet();
});
afterAll(async () => {
  await $`${[...inUserNamespace(), "/bin/rm", "-rf", root, at("bundle")]}`.quiet();
});

test("every path, type, mode, owner, time, xattr and content; umoci unpacks the same", async () => {
  await home.ok(["import", "-q", "root.tar", "tree:1"]);
  const theirs = await listTree(root, inUserNamespace());
  expect(theirs.size).toBeGreaterThan(12);
  const [layer = ""] = readdirSync(join(home.store, "store/layers"));
  const tree = join(home.store, "store/layers", layer, "fs");
  expect(differences(theirs, await listTree(tree, inUserNamespace()))).toEqual([]);
  const image = `${join(home.store, "store/images")}:docker.io/library/tree:1`;
  await $`skopeo --insecure-policy copy -q ${`oci:${image}`} ${`oci:${at("layout")}:tree`}`;
  await $`${[...inUserNamespace(), "umoci", "unpack", "--image", `${at("layout")}:tree`, at("bundle")]}`.quiet();
  expect(differences(theirs, await listTree(join(at("bundle"), "rootfs"), inUserNamespace()))).toEqual([]);
});

describe("config", () => {
  test("what --change says is how boxes run", async () => {
    const changes = ['CMD ["sh","-c","echo $A in $PWD as $(id -u)"]', "ENV A=hello", "WORKDIR /d", "USER 1000:100"];
    await home.ok(["import", "-q", ...changes.flatMap((text) => ["-c", text]), "root.tar", "changed"]);
    // The root directory of this tree is closed to others.
    expect(await home.ok(["run", "--network", "none", "-u", "0", "changed"])).toBe("hello in /d as 0\n");
  });

  test("history, author, platform and time; equal input gives equal ids, stdin and compression or not", async () => {
    const args = ["import", "-q", "-m", "from a tar", "-a", "me", "--platform", "linux/arm64", "--json"];
    const one = JSON.parse(await home.ok([...args, "root.tar", "same:1"], { env }));
    await $`gzip -k ${at("root.tar")}`;
    const two = JSON.parse(await home.ok([...args, "root.tar.gz", "same:2"], { env }));
    expect(two).toEqual({ ...one, image: "docker.io/library/same:2" });
    const script = `zstd -qc root.tar | SOURCE_DATE_EPOCH=1700000000 "$1" ${args.map((word) => `'${word}'`).join(" ")} -`;
    const piped = await $`sh -c ${script} sh ${devboxBinary()}`.env(home.env).cwd(home.directory).json();
    expect(piped).toEqual({ id: one.id, digest: one.digest });
    const config = JSON.parse(readFileSync(join(home.store, "store/images/blobs/sha256", one.id.slice(7)), "utf8"));
    expect(config).toEqual({
      created: "2023-11-14T22:13:20.000Z",
      author: "me",
      os: "linux",
      architecture: "arm64",
      rootfs: { type: "layers", diff_ids: [expect.stringMatching(/^sha256:/)] },
      history: [{ created: "2023-11-14T22:13:20.000Z", author: "me", comment: "from a tar" }],
    });
    await home.ok(["import", "-q", "--compression", "zstd", "--level", "6", "root.tar", "small"]);
  });
});

test("what cannot be, in words; nothing is left", async () => {
  const layers = readdirSync(join(home.store, "store/layers"));
  const said = async (...args: readonly string[]) => {
    const { exitCode, stderr, stdout } = await home.run(["import", "-q", ...args]);
    expect(stdout).toBe("");
    return `${exitCode} ${steady(stderr, home)}`;
  };
  expect(await said("none.tar")).toMatchInlineSnapshot(`
    "1 error: open none.tar: no such file or directory (ENOENT)
    hint: check the path
    "
  `);
  expect(await said("/etc")).toMatchInlineSnapshot(`
    "1 error: open /etc
      because: it is a directory
    hint: pack it on its way: tar -C DIR -c . | devbox import -
    "
  `);
  writeFileSync(at("text"), "no archive\n".repeat(100));
  expect(await said("text")).toMatchInlineSnapshot(`
    "125 error: import text
      because: apply the layer of text: at byte 0 of the archive: this is no tar header: its checksum is wrong
    hint: give a whole tar archive of a root file system
    "
  `);
  writeFileSync(at("root.tar.xz"), Buffer.from("\xfd7zXZ\0 and more", "latin1"));
  expect(await said("root.tar.xz")).toMatchInlineSnapshot(`
    "125 error: read root.tar.xz
      because: it is packed with xz; devbox reads gzip and zstd
    hint: unpack it first: xz -dc FILE
    "
  `);
  expect(await said("-c", "CND x", "root.tar")).toMatchInlineSnapshot(`
    "125 error: read --change "CND x"
      because: it begins with none of the instructions CMD, ENTRYPOINT, ENV, EXPOSE, HEALTHCHECK, LABEL, ONBUILD, STOPSIGNAL, USER, VOLUME, WORKDIR
    hint: did you mean CMD?
    "
  `);
  expect(await said("--level", "10", "root.tar")).toMatchInlineSnapshot(`
    "125 error: read --level 10
      because: gzip has levels from 1 to 9
    hint: for example --level 6
    "
  `);
  expect(await said("root.tar", "Bad:Name")).toMatchInlineSnapshot(`
    "125 error: read image reference "Bad:Name"
      because: the repository name "Bad" must be lower case
    hint: an image reference looks like NAME[:TAG][@DIGEST], for example debian:12
    "
  `);
  expect(readdirSync(join(home.store, "store/layers"))).toEqual(layers);
  expect(readdirSync(join(home.store, "store/ingest"))).toEqual([]);
});

test("interrupted while it waits for a writer, it ends and leaves nothing", async () => {
  await $`mkfifo ${at("fifo")}`;
  await using running = home.start(["import", "-q", "fifo"]);
  // Opened when devbox has it open, too (fifo(7)).
  const writer = await open(at("fifo"), "w");
  running.kill("SIGTERM");
  expect((await running.result).exitCode).toBe(130);
  await writer.close();
  expect(readdirSync(join(home.store, "store/ingest"))).toEqual([]);
});
