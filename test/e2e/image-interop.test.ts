/**
 * What devbox makes is read by podman, skopeo and umoci, and what they make by devbox: ids equal where a config is kept,
 * trees equal where they are unpacked. (What copy, push, save and load keep by their bytes: in the tests of those.)
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { $ } from "bun";
import { inUserNamespace, openHome } from "../helpers/devbox.ts";
import { imageName, layouts } from "../helpers/given.ts";
import { differences, type Listing, listTree } from "../helpers/listing.ts";
import { openPodmanStore } from "../helpers/podman-store.ts";
import { type RunningRegistry, startRegistry } from "../helpers/registry.ts";

const home = openHome();
const podmans = openPodmanStore(home);
let registry: RunningRegistry;
const at = (name: string): string => join(home.directory, name);
const layout = (name: string): string => `oci:${join(layouts(), name)}:latest`;
const plain = ["--src-tls-verify=false", "--dest-tls-verify=false"];
const skopeo = (...words: readonly string[]) => $`skopeo --insecure-policy ${words}`.env(home.env).quiet().text();
const inspect = async (place: string, ...words: readonly string[]) =>
  JSON.parse(
    await skopeo("inspect", ...(place.startsWith("docker://") ? ["--tls-verify=false"] : []), ...words, place),
  );
const run = (image: string, ...command: readonly string[]) =>
  home.ok(["run", "--rm", "--network=none", "--pull=never", image, ...command]);
const idOf = async (image: string): Promise<string> =>
  (await home.ok(["image", "inspect", "--format", "{{.Id}}", image])).trim();

beforeAll(async () => {
  registry = await startRegistry({ directory: at("registry") });
  await home.ok(["pull", "-q", imageName("busybox"), imageName("configured")]);
});
afterAll(async () => {
  await registry[Symbol.asyncDispose]();
  await home[Symbol.asyncDispose]();
});

/** The tree that umoci unpacks of a layout's image. */
async function umociTree(image: string, name: string): Promise<Listing> {
  await $`${[...inUserNamespace(), "umoci", "unpack", "--image", image, at(name)]}`.quiet();
  return await listTree(at(`${name}/rootfs`), inUserNamespace());
}

/** The tree of a tar, by GNU tar, without mount points of a box, and what lies beside them; podman's times have no fractions. */
async function tarTree(file: string): Promise<Listing> {
  mkdirSync(at(`${file}.tree`));
  const words = ["tar", "-C", at(`${file}.tree`), "--numeric-owner", "--xattrs", "-xpf", at(file)];
  await $`${[...inUserNamespace(), ...words]}`.quiet();
  const listing = await listTree(at(`${file}.tree`), inUserNamespace());
  const mounted = /^\.\/(?:proc|sys|dev|run|data|etc)(?:\/|$)|^\.$/;
  const lines = [...listing].filter(([path]) => !mounted.test(path));
  return new Map(lines.map(([path, line]) => [path, line.replace(/(mtime=\d+)\.\d+/, "$1")]));
}

describe("what is made here", () => {
  const id: Record<string, string> = {};

  beforeAll(async () => {
    const script =
      "rm /bin/wget && rm -r /tmp && mkdir -p /tmp/new && echo x > /tmp/new/file && ln /tmp/new/file /tmp/link && " +
      "chown 33:44 /tmp/new/file && touch -d '2001-02-03 04:05:06' /tmp/new/file && ln -s new /tmp/soft";
    const flags = ["--name=changed", "--network=none", "--user=0", "--entrypoint=/bin/sh"];
    await home.ok(["run", ...flags, imageName("configured"), "-c", script]);
    await home.ok([
      "commit",
      "-q",
      "-c",
      "CMD []",
      "-c",
      'ENTRYPOINT ["/bin/cat","/tmp/link"]',
      "changed",
      "here/made:1",
    ]);
    await home.ok(["commit", "-q", "--compression=zstd", "changed", "here/zstd:1"]);
    await home.ok(["export", "-o", "changed.tar", "changed"]);
    await home.ok(["import", "-q", "-c", 'CMD ["/bin/cat","/tmp/link"]', "changed.tar", "here/imported:1"]);
    for (const name of ["made", "zstd", "imported"]) id[name] = await idOf(`here/${name}:1`);
  });

  test.each(["docker:", "docker-archive:", "oci-archive:", "dir:"])(
    "podman reads it from %s by its id",
    async (kind) => {
      for (const name of ["made", "zstd", "imported"]) {
        const place =
          kind === "docker:" ? `docker://${registry.address}/podman/${name}:1` : `${kind}${at(`${name}-${kind}`)}x`;
        await home.ok(["push", "-q", `here/${name}:1`, place]);
        const pulled = await podmans.podman("pull", "-q", "--tls-verify=false", place);
        expect(`sha256:${pulled.trim()}`).toBe(id[name] ?? "");
      }
    },
  );

  test("podman's tree of it is the one of the box", async () => {
    await podmans.podman("create", "--name", "made", id["made"]?.slice(7) ?? "");
    await podmans.podman("export", "-o", at("podman.tar"), "made");
    const ours = await tarTree("changed.tar");
    expect(ours.size).toBeGreaterThan(100);
    expect(differences(ours, await tarTree("podman.tar"))).toEqual([]);
  });

  test("skopeo converts it to docker's form and back with its id", async () => {
    const [source, docker, back] = ["converted:made", "converted:docker", "converted:back"].map(
      (name) => `docker://${registry.address}/${name}`,
    ) as [string, string, string];
    await home.ok(["push", "-q", "here/made:1", source]);
    await skopeo("copy", "-q", ...plain, "--format=v2s2", source, docker);
    await skopeo("copy", "-q", ...plain, "--format=oci", docker, back);
    for (const place of [source, docker]) expect((await inspect(place, "--raw")).config.digest).toBe(id["made"]);
    // To OCI's form skopeo writes the config anew.
    expect(await inspect(back, "--config")).toEqual(await inspect(source, "--config"));
    expect((await inspect(source)).Layers).toEqual((await inspect(back)).Layers);
  });

  test("docker's form with all platforms: skopeo and podman read the list", async () => {
    const list = `${registry.address}/list:docker`;
    await home.ok(["copy", "-q", "--all", "--format=v2s2", layout("platforms"), list]);
    const { manifests, mediaType } = await inspect(`docker://${list}`, "--raw");
    expect(mediaType).toContain("manifest.list.v2");
    for (const { digest, platform } of manifests) {
      const origin = platform.architecture === "s390x" ? "elsewhere" : "busybox";
      const name = `${registry.address}/list@${digest}`;
      const config: string = (await inspect(`docker://${name}`, "--raw")).config.digest;
      expect(config).toBe((await inspect(layout(origin), "--raw")).config.digest);
      expect(`sha256:${(await podmans.podman("pull", "-q", "--tls-verify=false", name)).trim()}`).toBe(config);
    }
    await skopeo("copy", "-q", "--all", ...plain, `docker://${list}`, `oci:${at("list")}:x`);
  });
});

test("forty layers through docker's archive: umoci unpacks the same tree", async () => {
  await home.ok(["copy", "-q", layout("forty-layers-zstd"), `docker-archive:${at("forty.tar")}:forty:1`]);
  await skopeo("copy", "-q", `docker-archive:${at("forty.tar")}`, `oci:${at("forty")}:x`);
  const theirs = await umociTree(`${join(layouts(), "forty-layers")}:latest`, "forty-theirs");
  const ours = await umociTree(`${at("forty")}:x`, "forty-ours");
  expect(theirs.size).toBeGreaterThan(100);
  expect(differences(theirs, ours)).toEqual([]);
});

describe("what others make", () => {
  const umoci = (...words: readonly string[]) => $`umoci ${words}`.cwd(home.directory).quiet();

  test("umoci: insert, config, repack, an image of nothing", async () => {
    await skopeo("copy", "-q", layout("busybox"), `oci:${at("umoci")}:base`);
    writeFileSync(at("file"), "hi\n");
    await umoci("insert", "--rootless", "--image", "umoci:base", "--tag", "inserted", "file", "/dir/file");
    const config = ["--config.cmd=cat", "--config.cmd=/dir/file", "--config.label=a=b", "--config.user=1000"];
    await umoci("config", "--image", "umoci:inserted", "--tag", "configured", ...config);
    await home.ok(["pull", "-q", "oci:umoci:configured"]);
    expect(await run("oci:umoci:configured")).toBe("hi\n");
    const inside = "cd bundle/rootfs && rm bin/wget && rm -r tmp && mkdir n && ln dir/file n/link && chown 5:6 n";
    await $`${[...inUserNamespace(), "umoci", "unpack", "--image", "umoci:configured", "bundle"]}`
      .cwd(home.directory)
      .quiet();
    await $`${[...inUserNamespace(), "sh", "-c", inside]}`.cwd(home.directory).quiet();
    await $`${[...inUserNamespace(), "umoci", "repack", "--image", "umoci:repacked", "bundle"]}`
      .cwd(home.directory)
      .quiet();
    await home.ok(["pull", "-q", "oci:umoci:repacked"]);
    const seen = "stat -c '%u:%g %h' /n /n/link; ls -d /tmp /bin/wget 2>/dev/null || echo none; id -u";
    expect(await run("oci:umoci:repacked", "sh", "-c", seen)).toBe("5:6 2\n0:0 2\nnone\n1000\n");
    await umoci("new", "--image", "umoci:nothing");
    await home.ok(["pull", "-q", "oci:umoci:nothing"]);
    await home.ok(["copy", "-q", "oci:umoci:repacked", `docker-archive:${at("umoci.tar")}:u:1`]);
    expect(await podmans.podman("load", "-q", "-i", "umoci.tar")).toContain("docker.io/library/u:1");
  });

  test("podman: commit in both forms, save in every form, and push", async () => {
    await skopeo("copy", "-q", layout("busybox"), `docker-archive:${at("base.tar")}:base:1`);
    await podmans.podman("load", "-q", "-i", "base.tar");
    writeFileSync(at("hello"), "hello\n");
    await podmans.podman("create", "--name=built", "base:1");
    await podmans.podman("cp", "hello", "built:/tmp/there");
    const changes = ["ENV A=b", 'CMD ["cat","/tmp/there"]', "WORKDIR /tmp"].flatMap((text) => ["--change", text]);
    for (const format of ["oci", "docker"]) {
      const name = `localhost/built:${format}`;
      const id = (await podmans.podman("commit", "-q", "--format", format, ...changes, "built", name)).trim();
      for (const kind of ["docker-archive", "oci-archive"]) {
        await podmans.podman("save", "-q", "--format", kind, "-o", `${format}.${kind}`, name);
        await home.ok(["load", "-q", "-i", `${format}.${kind}`]);
        expect(await run(name)).toBe("hello\n");
        // What podman makes OCI's of docker's is another config (its members for builds are left out).
        if (kind === "docker-archive" || format === "oci") expect(await idOf(name)).toBe(`sha256:${id}`);
        await home.ok(["rmi", "-f", name]);
      }
      const [dir, pushed] = [`${format}.dir`, `${registry.address}/built:${format}`];
      await podmans.podman("save", "-q", "--format", `${format}-dir`, "-o", dir, name);
      await podmans.podman("push", "-q", "--tls-verify=false", name, `docker://${pushed}`);
      const image = `${format === "oci" ? "oci" : "dir"}:${dir}`;
      for (const each of [image, pushed]) {
        await home.ok(["pull", "-q", each]);
        expect(await run(each)).toBe("hello\n");
      }
      expect(await idOf(pushed)).toBe(`sha256:${id}`);
    }
  });

  test("podman: a list of manifests is pulled whole and pushed on by its bytes", async () => {
    const [list, again] = [`${registry.address}/podman-list:1`, `${registry.address}/podman-list:2`];
    await podmans.podman("manifest", "create", "list:1");
    for (const name of ["busybox", "elsewhere"]) await podmans.podman("manifest", "add", "list:1", layout(name));
    await podmans.podman("manifest", "push", "-q", "--all", "--tls-verify=false", "list:1", `docker://${list}`);
    await home.ok(["pull", "-q", "--all-platforms", list]);
    await home.ok(["push", "-q", "--all", list, again]);
    const raw = async (name: string) => await skopeo("inspect", "--tls-verify=false", "--raw", `docker://${name}`);
    expect(await raw(again)).toBe(await raw(list));
  });

  test("skopeo: zstd:chunked is read, and its table of contents stays behind when it is packed anew", async () => {
    const [chunked, gzip] = [`${registry.address}/chunked:1`, `${registry.address}/chunked:gzip`];
    // Of a layer that it has seen elsewhere, packed otherwise, skopeo takes that one.
    const script = "head -c 16 /dev/urandom > /unique";
    await home.ok(["run", "--name=unique", "--network=none", imageName("busybox"), "sh", "-c", script]);
    await home.ok(["export", "-o", "unique.tar", "unique"]);
    await home.ok(["import", "-q", "-c", 'CMD ["echo","in"]', "unique.tar", "for/chunked:1"]);
    await home.ok(["save", "-q", "-o", "plain.tar", "for/chunked:1"]);
    const format = "--dest-compress-format=zstd:chunked";
    await skopeo("copy", "-q", ...plain, format, `docker-archive:${at("plain.tar")}`, `docker://${chunked}`);
    const [layer] = (await inspect(`docker://${chunked}`, "--raw")).layers;
    expect(Object.keys(layer.annotations).join()).toContain("zstd-chunked");
    await home.ok(["pull", "-q", chunked]);
    expect(await run(chunked)).toBe("in\n");
    await home.ok(["copy", "-q", "--compression=gzip", chunked, gzip]);
    expect((await inspect(`docker://${gzip}`, "--raw")).layers[0].annotations).toBeUndefined();
  });

  test("skopeo: an encrypted image is copied as it is, and refused where it must be unpacked", async () => {
    await $`openssl genrsa -out ${at("key.pem")} 2048`.quiet();
    await $`openssl rsa -in ${at("key.pem")} -pubout -out ${at("public.pem")}`.quiet();
    const encrypted = `oci:${at("encrypted")}:x`;
    await skopeo("copy", "-q", "--encryption-key", `jwe:${at("public.pem")}`, layout("busybox"), encrypted);
    const { manifests } = JSON.parse(readFileSync(at("encrypted/index.json"), "utf8"));
    expect(await home.ok(["copy", "-q", encrypted, `${registry.address}/encrypted:1`])).toBe(
      `${manifests[0].digest}\n`,
    );
    const archive = `docker-archive:${at("never.tar")}`;
    for (const command of [
      ["pull", encrypted],
      ["copy", encrypted, archive],
    ]) {
      const { exitCode, stderr } = await home.run(command);
      expect(exitCode).toBe(125);
      expect(stderr).toContain("hint: decrypt the image first: skopeo copy --decryption-key KEY");
    }
  });
});

test("a dev-container Feature, byte for byte as its tools publish it", async () => {
  const put = async (path: string, type: string, body: string | Uint8Array): Promise<void> => {
    const answer = await fetch(`http://${registry.address}/v2/features/go/${path}`, {
      method: "PUT",
      body,
      headers: { "content-type": type },
    });
    expect(answer.status).toBe(201);
  };
  const describe = (mediaType: string, bytes: string) => ({
    mediaType,
    digest: `sha256:${new Bun.CryptoHasher("sha256").update(bytes).digest("hex")}`,
    size: bytes.length,
  });
  const feature = "a tar of install.sh and devcontainer-feature.json";
  const [config, layer] = [
    describe("application/vnd.devcontainers", ""),
    describe("application/vnd.devcontainers.layer.v1+tar", feature),
  ];
  for (const [{ digest }, content] of [
    [config, ""],
    [layer, feature],
  ] as const) {
    const opened = await fetch(`http://${registry.address}/v2/features/go/blobs/uploads/`, { method: "POST" });
    const place = new URL(opened.headers.get("location") ?? "");
    await put(
      `${place.pathname.split("/go/")[1]}${place.search}&digest=${digest}`,
      "application/octet-stream",
      content,
    );
  }
  const manifest = JSON.stringify({
    schemaVersion: 2,
    mediaType: "application/vnd.oci.image.manifest.v1+json",
    config,
    layers: [{ ...layer, annotations: { "org.opencontainers.image.title": "devcontainer-feature-go.tgz" } }],
    annotations: {
      "dev.containers.metadata": '{"id":"go","version":"1.2.3"}',
      "com.github.package.type": "devcontainer_feature",
    },
  });
  await put("manifests/1", "application/vnd.oci.image.manifest.v1+json", manifest);
  const name = `${registry.address}/features/go:1`;
  await home.ok(["artifact", "pull", "-o", "feature", name]);
  expect(readFileSync(at("feature/devcontainer-feature-go.tgz"), "utf8")).toBe(feature);
  expect(await home.ok(["artifact", "inspect", "--raw", name])).toBe(manifest);
  expect(await home.ok(["copy", "-q", name, `${registry.address}/features/copied:1`])).toBe(
    `${describe("", manifest).digest}\n`,
  );
});
