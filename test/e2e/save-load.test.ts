/** devbox save and load, against themselves, skopeo and podman, in both directions. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { $ } from "bun";
import { type Home, openHome } from "../helpers/devbox.ts";
import { steady } from "../helpers/filter.ts";
import { imageName } from "../helpers/given.ts";
import { openPodmanStore, type PodmanStore } from "../helpers/podman-store.ts";
import { tar } from "../helpers/tar-builder.ts";
import { openTerminal } from "../helpers/terminal.ts";

let home: Home;
let podmans: PodmanStore;
/** Another store, without anything in it. */
let other: Home;
const names = { gzip: "docker.io/library/packed:gzip", zstd: "docker.io/library/packed:zstd" };

beforeAll(async () => {
  home = openHome();
  other = openHome();
  podmans = openPodmanStore(other);
  await home.ok(["pull", "-q", imageName("busybox"), imageName("busybox-zstd")]);
  await home.ok(["tag", imageName("busybox"), names.gzip]);
  await home.ok(["tag", imageName("busybox-zstd"), names.zstd]);
});
afterAll(async () => {
  await other[Symbol.asyncDispose]();
  await home[Symbol.asyncDispose]();
});

const at = (name: string) => join(home.directory, name);

interface Known {
  readonly id: string;
  readonly digest: string;
}

async function known(where: Home, name: string): Promise<Known | undefined> {
  const images: readonly (Known & { name: string })[] = JSON.parse(await where.ok(["images", "--json"]));
  const found = images.find((image) => image.name === name);
  return found === undefined ? undefined : { id: found.id, digest: found.digest };
}

/** Loads into a store that has nothing, and says what came. */
async function loadedElsewhere(...args: readonly string[]): Promise<string> {
  await other.run(["rmi", "--force", ...(await other.ok(["images", "-q"])).split("\n").filter(Boolean)]);
  await other.ok(["prune", "--all"]);
  return await other.ok(["load", "-q", ...args]);
}

test("docker-archive: several images in one file, equal ids, a shared layer once", async () => {
  await home.ok(["save", "-q", "-o", at("two.tar"), names.gzip, names.zstd]);
  const members = (await $`tar -tf ${at("two.tar")}`.text()).trim().split("\n");
  // Both have the same layers, packed otherwise: plain, they are one.
  expect(members.filter((name) => name.endsWith(".tar"))).toHaveLength(1);
  expect(await loadedElsewhere("-i", at("two.tar"))).toBe("Loaded image: packed:gzip\nLoaded image: packed:zstd\n");
  for (const name of Object.values(names)) {
    expect((await known(other, name))?.id).toBe((await known(home, name))?.id ?? "");
  }
  expect(await other.ok(["run", "--network", "none", "packed:zstd", "echo", "runs"])).toBe("runs\n");
  expect(readdirSync(join(other.store, "store/ingest"))).toEqual([]);
});

test("oci-archive: manifests and compressed layers stay as they are; equal images make equal files", async () => {
  const args = ["save", "-q", "--format", "oci-archive", names.gzip, names.zstd];
  await home.ok([...args, "-o", at("oci.tar")]);
  await home.ok([...args, "-o", at("again.tar")]);
  expect(readFileSync(at("again.tar")).equals(readFileSync(at("oci.tar")))).toBe(true);
  await loadedElsewhere("-i", at("oci.tar"));
  for (const name of Object.values(names)) {
    // The name stood for the index of a registry; what is saved is the manifest of this platform.
    expect((await known(other, name))?.id).toBe((await known(home, name))?.id ?? "");
    const manifest = async (where: Home) => JSON.parse(await where.ok(["inspect", name]))[0].Digest;
    expect(await manifest(other)).toBe(await manifest(home));
  }
});

test("through pipes, packed or not, and by id without a name", async () => {
  const id = (await known(home, names.gzip))?.id ?? "";
  const script = `"$DEVBOX" save ${id} 2>/dev/null | gzip -1 > by-id.tar.gz; "$DEVBOX" load -q --json < by-id.tar.gz`;
  await using session = openTerminal(home, script);
  const { shown, exitCode } = await session.result;
  expect(exitCode).toBe(0);
  expect(JSON.parse(shown)).toMatchObject({ names: [], id });
  const piped = Bun.spawn(["sh", "-c", `cat ${at("by-id.tar.gz")} | ${Bun.env["DEVBOX_TEST_BINARY"]} load -q`], {
    env: other.env,
    stdout: "pipe",
  });
  expect(await new Response(piped.stdout).text()).toBe(`Loaded image ID: ${id}\n`);
});

test("skopeo reads what is saved, and what it writes is loaded", async () => {
  const policy = ["--insecure-policy"];
  for (const format of ["docker-archive", "oci-archive"]) {
    await home.ok(["save", "-q", "--format", format, "-o", at(`${format}.tar`), names.gzip]);
    const source = `${format}:${at(`${format}.tar`)}:${names.gzip}`;
    const raw = await $`skopeo inspect --config --raw ${source}`.text();
    expect(`sha256:${new Bun.CryptoHasher("sha256").update(raw).digest("hex")}`).toBe(
      (await known(home, names.gzip))?.id ?? "",
    );
    await $`skopeo ${policy} copy -q ${source} ${format}:${at(`skopeo-${format}.tar`)}:skopeo.example/copy:1`;
    expect(await loadedElsewhere("-i", at(`skopeo-${format}.tar`))).toBe("Loaded image: skopeo.example/copy:1\n");
    expect((await known(other, "skopeo.example/copy:1"))?.id).toBe((await known(home, names.gzip))?.id ?? "");
  }
});

test("podman loads what is saved, and what it saves is loaded: several images", async () => {
  await podmans.podman("load", "-q", "-i", at("two.tar"));
  const ids = (await podmans.podman("images", "--no-trunc", "--format", "{{.ID}} {{.Repository}}:{{.Tag}}"))
    .trim()
    .split("\n");
  for (const name of Object.values(names)) expect(ids).toContain(`${(await known(home, name))?.id} ${name}`);
  await podmans.podman("save", "-q", "-m", "-o", "podman.tar", ...Object.values(names));
  await loadedElsewhere("-i", join(other.directory, "podman.tar"));
  for (const name of Object.values(names)) {
    expect((await known(other, name))?.id).toBe((await known(home, name))?.id ?? "");
  }
  await podmans.podman("save", "-q", "--format", "oci-archive", "-o", "podman-oci.tar", names.gzip);
  expect(await loadedElsewhere("-i", join(other.directory, "podman-oci.tar"))).toBe("Loaded image: packed:gzip\n");
}, 60_000);

test("what cannot be, in words", async () => {
  const said = async (...args: readonly string[]) => {
    const { exitCode, stderr, stdout } = await home.run(args);
    expect(stdout).toBe("");
    return `${exitCode} ${steady(stderr, home)}`;
  };
  writeFileSync(at("root.tar"), tar([{ path: "etc/passwd", content: "" }]));
  expect(await said("load", "-i", "root.tar")).toMatchInlineSnapshot(`
    "125 error: read root.tar
      because: it is a tar, but of no image: there is neither manifest.json nor index.json in it
    hint: of a root file system, an image is made by: devbox import
    "
  `);
  expect(await said("load", "-i", "none.tar")).toMatchInlineSnapshot(`
    "1 error: open none.tar: no such file or directory (ENOENT)
    hint: check the path
    "
  `);
  expect(await said("save", "-o", "never.tar", names.gzip, "none")).toMatchInlineSnapshot(`
    "1 error: find the image none
      because: it is not here
    hint: see: devbox images
    "
  `);
  expect(await said("save", "--all", "-o", "never.tar", names.gzip)).toMatchInlineSnapshot(`
    "125 error: save with --all
      because: docker's archives hold one platform of each image
    hint: add --format oci-archive
    "
  `);
  expect(existsSync(at("never.tar"))).toBe(false);
  await using session = openTerminal(home, `"$DEVBOX" save ${names.gzip}; "$DEVBOX" load`);
  const { shown } = await session.result;
  expect(shown).toContain("save to a terminal");
  expect(shown).toContain("load from a terminal");
});

test("a full disk or a reader that goes away leaves no half file", async () => {
  const { exitCode, stderr } = await home.run(["save", "-o", "/proc/never.tar", names.gzip]);
  expect(exitCode).not.toBe(0);
  expect(stderr).toContain("/proc/never.tar");
  await using session = openTerminal(home, `"$DEVBOX" save -q ${names.gzip} | head -c 1000 >/dev/null; echo done`);
  expect((await session.result).shown).toContain("done");
  expect(readdirSync(join(home.store, "store/ingest"))).toEqual([]);
});
