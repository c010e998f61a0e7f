/** devbox commit: a box becomes an image that boxes run from, and that other tools read. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdirSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { $ } from "bun";
import { boxHome } from "../helpers/box.ts";
import { inUserNamespace, openHome } from "../helpers/devbox.ts";
import { differences, type Listing, listTree } from "../helpers/listing.ts";

const box = boxHome();
const { home } = box;
const other = openHome();
afterAll(() => other[Symbol.asyncDispose]());

const changes =
  "mkdir -m 2750 /new && echo one > /new/file && ln /new/file /new/link && chown 33:44 /new/file && rm /bin/wget && " +
  "echo more >> /etc/passwd && rm -r /tmp && mkdir /tmp && mkfifo /fifo && truncate -s 5M /sparse && ln -s new /soft && " +
  "touch -d '2001-02-03 04:05:06' /new/file && touch \"$(printf '/new/b\\377')\"";

beforeAll(async () => {
  const flags = [
    "-e",
    "KEY=value",
    "-w",
    "/work",
    "-u",
    "0:0",
    "--label",
    "tier=web",
    "-v",
    "data:/mounted",
    "-v",
    "/own",
  ];
  await box.out(changes, ["--name", "web", ...flags]);
});

const inspect = async (image: string, format: string): Promise<string> =>
  (await home.ok(["inspect", "--type", "image", "-f", format, image])).trim();
const manifestOf = async (image: string) => {
  const { manifests } = JSON.parse(readFileSync(join(home.store, "store/images/index.json"), "utf8"));
  const { digest } = manifests.find(
    ({ annotations }: { annotations?: Record<string, string> }) =>
      annotations?.["org.opencontainers.image.ref.name"] === `docker.io/library/${image}`,
  );
  return readBlob(digest);
};
const readBlob = (digest: string) =>
  JSON.parse(readFileSync(join(home.store, "store/images/blobs", digest.replace(":", "/")), "utf8"));

test("the image runs as the box did, with what it has changed", async () => {
  const id = await home.ok(["commit", "-q", "-a", "me", "-m", "why", "web", "app:1"]);
  expect(id).toMatch(/^sha256:[0-9a-f]{64}\n$/);
  expect(await inspect("app:1", "{{.Id}} {{.Author}} {{.Comment}}")).toBe(`${id.trim()} me why`);
  const script =
    "pwd; echo $KEY; stat -c '%n %u:%g %a %h %Y' /new/file /new; ls /bin/wget; tail -1 /etc/passwd; ls -d /own /mounted";
  const run = await home.run(["run", "--network", "none", "app:1", "sh", "-c", script]);
  expect(run.stdout).toBe(
    "/work\nvalue\n/new/file 33:44 644 2 981173106\n" +
      `/new 0:0 2750 2 ${/\/new 0:0 2750 2 (\d+)/.exec(run.stdout)?.[1]}\nmore\n/own\n`,
  );
  const { config, history, author } = readBlob((await manifestOf("app:1")).config.digest);
  expect(author).toBe("me");
  expect(config).toMatchObject({
    Cmd: ["sh", "-c", changes],
    User: "0:0",
    WorkingDir: "/work",
    Labels: { tier: "web" },
    Volumes: { "/own": {} },
  });
  expect(config.Env).toContain("KEY=value");
  expect(history.at(-1)).toMatchObject({ author: "me", comment: "why", created_by: `sh -c ${changes}` });
});

test("other tools read the layer as the tree of the box", async () => {
  await home.ok(["commit", "-q", "--annotation", "a.key=with=equals", "web", "tree:1"]);
  const manifest = await manifestOf("tree:1");
  expect(manifest.annotations).toMatchObject({
    "a.key": "with=equals",
    "org.opencontainers.image.base.name": box.image,
  });
  expect(manifest.annotations["org.opencontainers.image.base.digest"]).toMatch(/^sha256:/);
  const layout = join(home.directory, "layout");
  await $`skopeo --policy /dev/null copy --insecure-policy -q oci:${home.store}/store/images:docker.io/library/tree:1 oci:${layout}:tree`
    .env(home.env)
    .quiet();
  const bundle = join(home.directory, "bundle");
  await $`${[...inUserNamespace(), "umoci", "unpack", "--image", `${layout}:tree`, bundle]}`
    .env({ ...home.env })
    .quiet();
  await home.ok(["export", "-o", "web.tar", "web"]);
  const tree = join(home.directory, "web");
  mkdirSync(tree);
  await $`${[...inUserNamespace(), "tar", "-C", tree, "--xattrs", "-xpf", join(home.directory, "web.tar")]}`.quiet();
  const theirs = await listTree(join(bundle, "rootfs"), inUserNamespace());
  const ours = await listTree(tree, inUserNamespace());
  expect(differences(comparable(theirs), comparable(ours))).toEqual([]);
});

/** Without the mount points that are no change, and the times of the directories that they are in. */
function comparable(listing: Listing): Listing {
  const mounted = /^\.\/(?:proc|sys|dev|mounted|own|etc\/(?:hosts|hostname|resolv\.conf))(?:\/|$)/;
  return new Map(
    [...listing]
      .filter(([path]) => !mounted.test(path) && path !== ".")
      .map(([path, line]) => [path, line.replace(/ xattrs=.*/, "")]),
  );
}

test("equal boxes make equal images with SOURCE_DATE_EPOCH, whatever packs them", async () => {
  for (const name of ["one", "two"]) await box.out("mkdir /new; echo x > /new/file; rm /bin/wget", ["--name", name]);
  const env = { SOURCE_DATE_EPOCH: "1700000000" };
  const ids = new Set<string>();
  for (const name of ["one", "two"]) {
    await home.ok(["commit", "-q", name, `same:${name}`], { env });
    ids.add(JSON.stringify(await manifestOf(`same:${name}`)));
  }
  expect(ids.size).toBe(1);
  const types: string[] = [];
  for (const [compression, level] of [
    ["zstd", "19"],
    ["gzip", "1"],
  ]) {
    await home.ok(["commit", "-q", "--compression", compression ?? "", "--level", level ?? "", "one", "same:packed"], {
      env,
    });
    const manifest = await manifestOf("same:packed");
    types.push(manifest.layers.at(-1).mediaType);
    ids.add(readBlob(manifest.config.digest).rootfs.diff_ids.at(-1));
  }
  expect(types).toEqual(["application/vnd.oci.image.layer.v1.tar+zstd", "application/vnd.oci.image.layer.v1.tar+gzip"]);
  // The archive in them is the same.
  expect(ids.size).toBe(2);
});

test("a box that has changed nothing makes no layer, but another config", async () => {
  await box.out(":", ["--name", "still", "-v", "data:/made/for/it"]);
  await home.ok(["commit", "-q", "-c", 'CMD ["echo","hello"]', "-c", "ENV A=b", "still", "config:1"]);
  const manifest = await manifestOf("config:1");
  const { history, rootfs } = readBlob(manifest.config.digest);
  expect(rootfs.diff_ids).toHaveLength(manifest.layers.length);
  expect(history.at(-1)).toMatchObject({ empty_layer: true });
  expect(manifest.layers).toHaveLength((await manifestOf("app:1")).layers.length - 1);
  expect(await home.ok(["run", "--network", "none", "config:1"])).toBe("hello\n");
});

test("a box that runs is frozen meanwhile and goes on, also when it fails; a name is not needed", async () => {
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
  const id = (await home.ok(["commit", "-q", "up"])).trim();
  expect(await home.ok(["run", "--network", "none", id.slice(7, 19), "cat", "/seen"])).toBe("x\n");
  const events = async (): Promise<string[]> =>
    (await home.ok(["events", "--since", "0", "--until", "0s", "--filter", "box=up", "--format", "{{.Action}}"])).split(
      "\n",
    );
  expect((await events()).filter((action) => action.includes("pause"))).toEqual(["pause", "unpause"]);
  await home.ok(["exec", "up", "sh", "-c", "echo x > /.wh.bad"]);
  const failed = await home.run(["commit", "-q", "up", "bad:1"]);
  expect(failed).toMatchObject({ exitCode: 1, stdout: "" });
  expect(failed.stderr).toContain("/.wh.bad");
  expect(await home.ok(["ps", "--filter", "name=up", "--format", "{{.State}}"])).toBe("running\n");
  await home.ok(["exec", "up", "rm", "/.wh.bad"]);
  await home.ok(["commit", "-q", "-p=false", "up"]);
  expect((await events()).filter((action) => action === "pause")).toHaveLength(2);
  await home.ok(["rm", "-f", "up"]);
  expect(readdirSync(join(home.store, "store/ingest"))).toEqual([]);
  expect(readdirSync(join(home.store, "store/layers")).filter((name) => name.startsWith("."))).toEqual([]);
});

test("a box in the foreground that is removed at its end", async () => {
  await using running = home.start([
    "run",
    "-i=false",
    "--rm",
    "--name",
    "brief",
    "--network",
    "none",
    "-e",
    "SEEN=1",
    "-w",
    "/tmp",
    box.image,
    "sh",
    "-c",
    "echo x > /seen; echo up; exec sleep 1000",
  ]);
  await running.output(/up/);
  await home.ok(["commit", "-q", "brief", "brief:1"]);
  const { config } = readBlob((await manifestOf("brief:1")).config.digest);
  expect(config).toMatchObject({ WorkingDir: "/tmp", Cmd: ["sh", "-c", "echo x > /seen; echo up; exec sleep 1000"] });
  expect(config.Env).toContain("SEEN=1");
  expect(config.Env.some((text: string) => /^(HOSTNAME|container)=/.test(text))).toBe(false);
});

test("an image whose name is gone is still the one below", async () => {
  await other.ok(["pull", "--quiet", box.image]);
  await other.ok(["run", "--name", "last", "--network", "none", box.image, "sh", "-c", "echo x > /seen"]);
  await other.ok(["rmi", "--force", box.image]);
  await other.ok(["commit", "-q", "last", "kept:1"]);
  expect(await other.ok(["run", "--network", "none", "kept:1", "cat", "/seen"])).toBe("x\n");
});

test("what cannot be is said before anything is done", async () => {
  for (const [args, words] of [
    [["-c", "NONSENSE x", "web"], "NONSENSE"],
    [["--annotation", "nothing", "web"], "KEY=VALUE"],
    [["web", "UPPER CASE"], "UPPER CASE"],
    [["nobody"], "nobody"],
  ] as const) {
    const { exitCode, stderr, stdout } = await home.run(["commit", ...args]);
    expect(exitCode).not.toBe(0);
    expect(stdout).toBe("");
    expect(stderr).toContain(words);
  }
});
