/** devbox copy, against skopeo, umoci, podman and docker-registry: what one writes the others read, in both directions. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdirSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { $ } from "bun";
import { type Home, inUserNamespace, openHome } from "../helpers/devbox.ts";
import { type FaultyRegistry, startFaultyRegistry } from "../helpers/faulty-registry.ts";
import { imageName, layouts, registryAddress } from "../helpers/given.ts";
import { differences, listTree } from "../helpers/listing.ts";
import { openPodmanStore } from "../helpers/podman-store.ts";
import { type RunningRegistry, startRegistry } from "../helpers/registry.ts";
import { tar } from "../helpers/tar-builder.ts";

let home: Home;
let registry: RunningRegistry;
beforeAll(async () => {
  home = openHome();
  registry = await startRegistry({ directory: join(home.directory, "registry") });
});
afterAll(async () => {
  await registry[Symbol.asyncDispose]();
  await home[Symbol.asyncDispose]();
});

const layout = (name: string): string => `oci:${join(layouts(), name)}:latest`;
const at = (name: string): string => join(home.directory, name);
const skopeo = (...words: readonly string[]) => $`skopeo --insecure-policy ${words}`.env(home.env).quiet().text();
const digestBySkopeo = async (place: string): Promise<string> => {
  const plain = place.startsWith("docker://") ? ["--tls-verify=false"] : [];
  const raw = await $`skopeo inspect ${plain} --raw ${place}`.env(home.env).quiet().arrayBuffer();
  return `sha256:${new Bun.CryptoHasher("sha256").update(raw).digest("hex")}`;
};
const insecure = ["--src-tls-verify=false", "--dest-tls-verify=false"];

let count = 0;
/** A new place of the kind; names start a registry's repository, too. */
function place(kind: string): string {
  const name = `place-${count++}`;
  if (kind === "docker") return `docker://${registry.address}/${name}:1`;
  return kind === "dir" ? `dir:${at(name)}` : `${kind}:${at(name)}:one`;
}

describe.each(["docker", "oci", "oci-archive", "dir"])("%s:", (kind) => {
  test.each(["busybox", "busybox-zstd", "forty-layers"])(
    "%s keeps its digest, whoever writes and whoever reads",
    async (name) => {
      const wanted = await digestBySkopeo(layout(name));
      const [ours, theirs, back] = [place(kind), place(kind), place("oci")];
      expect(await home.ok(["copy", "-q", layout(name), ours])).toBe(`${wanted}\n`);
      expect(await digestBySkopeo(ours)).toBe(wanted);
      await skopeo("copy", "--quiet", ...insecure, ours, theirs);
      expect(await home.ok(["copy", "-q", theirs, back])).toBe(`${wanted}\n`);
    },
  );

  test("all platforms, and the index by its bytes", async () => {
    const wanted = await digestBySkopeo(layout("platforms"));
    const [ours, theirs, back] = [place(kind), place(kind), place("oci")];
    expect(await home.ok(["copy", "-q", "--all", layout("platforms"), ours])).toBe(`${wanted}\n`);
    await skopeo("copy", "--quiet", "--all", ...insecure, ours, theirs);
    expect(await digestBySkopeo(theirs)).toBe(wanted);
    expect(await home.ok(["copy", "-q", "--all", theirs, back])).toBe(`${wanted}\n`);
  });
});

test("docker-archive: skopeo and podman read it, and the image has its id", async () => {
  const config = JSON.parse(await skopeo("inspect", "--raw", layout("configured"))).config.digest;
  await home.ok(["copy", "-q", layout("configured"), `docker-archive:${at("saved.tar")}:name:1`]);
  await skopeo("copy", "--quiet", `docker-archive:${at("saved.tar")}:name:1`, `dir:${at("from-saved")}`);
  expect(JSON.parse(readFileSync(at("from-saved/manifest.json"), "utf8")).config.digest).toBe(config);
  const store = openPodmanStore(home);
  expect(await store.podman("load", "-q", "-i", at("saved.tar"))).toContain("docker.io/library/name:1");
  expect(await store.podman("image", "inspect", "--format", "{{.Id}}", "name:1")).toBe(`${config.slice(7)}\n`);
});

test("what docker saves is packed with gzip on its way to a registry, and unpacks to the same", async () => {
  await skopeo("copy", "--quiet", layout("busybox"), `docker-archive:${at("docker.tar")}:busybox:1`);
  const [target, again] = [place("docker"), place("docker")];
  const digest = await home.ok(["copy", "-q", `docker-archive:${at("docker.tar")}`, target]);
  expect(await home.ok(["copy", "-q", `docker-archive:${at("docker.tar")}`, again])).toBe(digest);
  const { layers } = JSON.parse(await skopeo("inspect", "--tls-verify=false", "--raw", target));
  expect(layers[0].mediaType).toBe("application/vnd.oci.image.layer.v1.tar+gzip");
  const name = target.slice("docker://".length);
  expect(await home.ok(["run", "--network=none", name, "echo", "in"])).toBe("in\n");
});

test("packed anew with gzip, umoci unpacks the tree that it unpacks of the original", async () => {
  const listing = async (image: string, name: string) => {
    await $`${[...inUserNamespace(), "umoci", "unpack", "--image", image, at(name)]}`.quiet();
    return await listTree(at(`${name}/rootfs`), inUserNamespace());
  };
  await home.ok([
    "copy",
    "-q",
    "--compression",
    "gzip",
    "--level",
    "1",
    imageName("forty-layers-zstd"),
    `oci:${at("repacked")}:x`,
  ]);
  const theirs = await listing(`${join(layouts(), "forty-layers")}:latest`, "theirs");
  expect(theirs.size).toBeGreaterThan(100);
  expect(differences(theirs, await listing(`${at("repacked")}:x`, "ours"))).toEqual([]);
});

test("docker's form for who asks; skopeo reads it and finds OCI's again", async () => {
  const [docker, oci] = [place("docker"), place("oci")];
  await home.ok(["copy", "-q", "--format", "v2s2", layout("busybox"), docker]);
  expect(JSON.parse(await skopeo("inspect", "--tls-verify=false", "--raw", docker)).mediaType).toContain("docker");
  await skopeo("copy", "--quiet", "--src-tls-verify=false", docker, oci);
  expect(await home.ok(["copy", "-q", docker, place("oci")])).toBe(`${await digestBySkopeo(oci)}\n`);
});

test("a directory of skopeo's is pulled and run as the image that it is", async () => {
  await skopeo("copy", "--quiet", layout("busybox"), `dir:${at("skopeos")}`);
  expect(await home.ok(["run", "--network=none", `dir:${at("skopeos")}`, "echo", "in"])).toBe("in\n");
  expect(await home.ok(["pull", "-q", `dir:${at("skopeos")}`])).toBe(`${await digestBySkopeo(layout("busybox"))}\n`);
});

test("prints and writes the digest, and says in JSON what came of it", async () => {
  const target = `oci:${at("printed")}:x`;
  const result = JSON.parse(
    await home.ok(["copy", "--json", "--digestfile", at("digest"), imageName("busybox"), target]),
  );
  const digest = await digestBySkopeo(layout("busybox"));
  expect(result).toEqual({
    source: `${registryAddress()}/busybox:latest`,
    destination: target,
    digest,
    mediaType: "application/vnd.oci.image.manifest.v1+json",
    size: expect.any(Number),
  });
  expect(readFileSync(at("digest"), "utf8")).toBe(digest);
});

describe("a copy that is ended in the middle", () => {
  let faulty: FaultyRegistry;
  beforeAll(async () => {
    faulty = await startFaultyRegistry();
    const content = Buffer.from(crypto.getRandomValues(new Uint8Array(60_000)));
    faulty.addImage("image", "latest", { layers: [{ tar: tar([{ path: "file", content }]), compression: "none" }] });
  });
  afterAll(() => faulty.close());

  test.each(["oci", "oci-archive", "docker-archive", "dir"])("leaves nothing: %s", async (kind) => {
    const directory = at(`ended-${kind}`);
    mkdirSync(directory);
    faulty.requests.length = 0;
    faulty.fault(/GET .*blobs/, { kind: "stall", afterBytes: 30_000 }, 2);
    const running = home.start(["copy", "-q", `${faulty.host}/image`, `${kind}:${join(directory, "to")}`], {
      stdin: "",
    });
    while (!faulty.requests.some(({ path }) => path.includes("/blobs/"))) await Bun.sleep(5);
    running.kill("SIGTERM");
    expect((await running.result).stderr).toContain("interrupted");
    expect(readdirSync(directory)).toEqual([]);
    expect(readdirSync(join(home.store, "store/ingest"))).toEqual([]);
  });
});
