/** Every document and layer that devbox writes, read by the letter of image-spec; equal inputs make equal bytes, whoever makes them. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { $ } from "bun";
import { type Home, inUserNamespace, openHome } from "../helpers/devbox.ts";
import { imageName, layouts } from "../helpers/given.ts";
import { documentFaults, layoutFaults, oci, savedFaults, unpack } from "../helpers/image-spec.ts";
import { type SpecRegistry, startSpecRegistry } from "../helpers/spec-registry.ts";
import { layerFaults, readMembers } from "../helpers/tar-rules.ts";

const home = openHome();
const env = { SOURCE_DATE_EPOCH: "1700000000" };
let registry: SpecRegistry;
const at = (name: string): string => join(home.directory, name);
const layout = (name: string): string => `oci:${join(layouts(), name)}:latest`;

/** Whiteouts, opaque directories, hard links, owners, times, long and odd names, a replaced type; more than is packed in one piece. */
const changes =
  "rm /bin/wget && rm -r /tmp && mkdir /tmp && mkdir -p /new/deep && echo one > /new/file && ln /new/file /new/deep/link && " +
  `ln /new/file /first && chown 33:44 /new/file && touch "/new/$(printf 'b\\377')" && touch /new/${"n".repeat(200)} && ` +
  "touch -d '1960-01-01 00:00:00' /new/old && mkfifo /fifo && ln -s new /soft && truncate -s 3M /sparse && seq 1 500000 > /large && rm /bin/vi && mkdir /bin/vi";

beforeAll(async () => {
  registry = await startSpecRegistry();
  for (const name of ["busybox", "configured", "forty-layers"]) await home.ok(["pull", "-q", imageName(name)]);
  await home.ok(["pull", "-q", "--all-platforms", imageName("platforms")]);
  await makeImages(home);
});
afterAll(async () => {
  await registry[Symbol.asyncDispose]();
  await home[Symbol.asyncDispose]();
});

/** made:committed, made:config, made:imported and made:plain, of inputs that are always equal. */
async function makeImages(where: Home, prefix: readonly string[] = []): Promise<void> {
  const box = (name: string, image: string, script: string) =>
    where.ok(["run", "--name", name, "--network=none", "--user=0", "--entrypoint=/bin/sh", image, "-c", script]);
  // In steps of their own: a change of the first box is of the second as well.
  await box("changed", imageName("configured"), changes);
  await box("same", imageName("busybox"), ":");
  const flags = ["-a", "me", "-m", "why", "-c", 'HEALTHCHECK --interval=5s CMD ["true"]', "-c", "EXPOSE 80"];
  await where.ok(["commit", "-q", ...flags, "-c", "ONBUILD RUN x", "changed", "made:committed"], { env, prefix });
  await where.ok(["commit", "-q", "--annotation", "org.example.a=b", "-c", "ENV A=", "same", "made:config"], { env });
  const script =
    "mkdir -p tree/d && echo x > tree/d/file && touch -d @1600000000 tree/d/file tree/d tree && " +
    "tar -C tree --sort=name --owner=0 --group=0 --numeric-owner --mode=go= -cf tree.tar .";
  await $`sh -c ${script}`.cwd(where.directory).quiet();
  await where.ok(["import", "-q", "--compression", "zstd", "-c", "CMD a b", "tree.tar", "made:imported"], { env });
  await where.ok(["import", "-q", "--compression", "none", "tree.tar", "made:plain"], { env });
}

const made = ["made:committed", "made:config", "made:imported", "made:plain"];
const inDirectory = (directory: string) => (path: string) =>
  existsSync(join(directory, path)) ? new Uint8Array(readFileSync(join(directory, path))) : undefined;
/** An archive of devbox's, of which each member is there once. */
function inArchive(path: string): (path: string) => Uint8Array | undefined {
  const members = readMembers(readFileSync(path));
  const contents = new Map(members.map((member) => [member.path, member.content]));
  expect(contents.size).toBe(members.length);
  return (name) => contents.get(name);
}

interface Entry {
  readonly digest: string;
  readonly annotations?: Readonly<Record<string, string>>;
}
function manifestOf(where: Home, name: string) {
  const images = join(where.store, "store/images");
  const { manifests }: { manifests: Entry[] } = JSON.parse(readFileSync(join(images, "index.json"), "utf8"));
  const entry = manifests.find((each) => each.annotations?.["org.opencontainers.image.ref.name"]?.endsWith(name));
  const blob = (digest: string) => readFileSync(join(images, "blobs", digest.replace(":", "/")));
  return { digest: entry?.digest, blob, document: JSON.parse(blob(entry?.digest ?? "").toString()) };
}

test("the store is a layout", () => {
  expect(layoutFaults(inDirectory(join(home.store, "store/images")))).toEqual([]);
});

describe("copies of every image", () => {
  const sources = ["busybox", "configured", "forty-layers", "busybox-zstd", "elsewhere"];

  test("layouts and their archives, one with all of them", async () => {
    for (const name of sources) await home.ok(["copy", "-q", layout(name), `oci:${at("layout")}:${name}`]);
    await home.ok(["copy", "-q", "--all", layout("platforms"), `oci:${at("layout")}:all`]);
    await home.ok(["copy", "-q", layout("busybox"), `oci:${at("layout")}`]);
    await home.ok(["copy", "-q", layout("configured"), `oci:${at("layout")}:busybox`]);
    for (const name of made) await home.ok(["push", "-q", name, `oci:${at("layout")}:${name}`]);
    expect(layoutFaults(inDirectory(at("layout")))).toEqual([]);
    await home.ok(["save", "-q", "--format=oci-archive", "-o", at("saved.oci"), ...made, imageName("busybox")]);
    expect(layoutFaults(inArchive(at("saved.oci")))).toEqual([]);
    await home.ok(["save", "-q", "--all", "--format=oci-archive", "-o", at("all.oci"), imageName("platforms")]);
    expect(layoutFaults(inArchive(at("all.oci")))).toEqual([]);
  });

  test("docker's archives", async () => {
    await home.ok(["save", "-q", "-o", at("saved.tar"), ...made, imageName("forty-layers")]);
    expect(savedFaults(inArchive(at("saved.tar")))).toEqual([]);
  });

  test("registries, in both forms, packed anew and not; skopeo's directories", async () => {
    const targets: readonly (readonly string[])[] = [
      ...[...sources, "platforms"].flatMap((name) => [
        ["--all", layout(name), `${registry.host}/as-is:${name}`],
        ["--all", "--format=v2s2", "--compression=gzip", "--level=1", layout(name), `${registry.host}/docker:${name}`],
      ]),
      ["--all", "--compression=zstd", "--level=1", layout("platforms"), `${registry.host}/zstd:1`],
    ];
    for (const target of targets) await home.ok(["copy", "-q", ...target]);
    for (const name of made) {
      await home.ok(["push", "-q", name, `${registry.host}/made:${name.slice(5)}`]);
      await home.ok([
        "push",
        "-q",
        "--format=v2s2",
        "--compression=gzip",
        name,
        `${registry.host}/docker:${name.slice(5)}`,
      ]);
    }
    // Back from docker's form to OCI's.
    await home.ok([
      "copy",
      "-q",
      "--all",
      "--format=oci",
      `${registry.host}/docker:platforms`,
      `${registry.host}/back:1`,
    ]);
    for (const repository of ["as-is", "docker", "zstd", "made", "back"])
      expect(repositoryFaults(repository)).toEqual([]);
  });
});

function repositoryFaults(name: string): readonly string[] {
  const { blobs, manifests, tags } = registry.repository(name);
  expect(tags.size).toBeGreaterThan(0);
  const read = (digest: string) => manifests.get(digest)?.bytes ?? blobs.get(digest);
  return [...manifests].flatMap(([digest, { bytes, mediaType }]) =>
    documentFaults({ digest, mediaType, size: bytes.byteLength }, read, `${name} ${digest}`),
  );
}

test("artifacts, with and without files, config, subject; the index that stands in for the referrers API", async () => {
  await using old = await startSpecRegistry({ referrers: false });
  for (const { host, repository } of [registry, old]) {
    await home.ok(["copy", "-q", layout("busybox"), `${host}/artifacts:image`]);
    writeFileSync(at("note"), "text\n");
    const push = (...args: readonly string[]) => home.ok(["artifact", "push", "-q", ...args], { env });
    await push("--artifact-type=application/x.note", `${host}/artifacts:one`, "note:text/plain");
    await push(`--config=/dev/null:application/x.config`, `${host}/artifacts:two`, "note");
    for (const type of ["application/x.a", "application/x.b"]) {
      await push(`--subject=${host}/artifacts:image`, `--artifact-type=${type}`, `${host}/artifacts`, "note");
    }
    const { blobs, manifests, tags } = repository("artifacts");
    const read = (digest: string) => manifests.get(digest)?.bytes ?? blobs.get(digest);
    for (const [digest, { bytes, mediaType }] of manifests) {
      expect(documentFaults({ digest, mediaType, size: bytes.byteLength }, read, "artifact")).toEqual([]);
    }
    const image = tags.get("image") ?? "";
    const standIn = tags.get(image.replace(":", "-"));
    expect(standIn === undefined).toBe(host === registry.host);
    // Nothing but these: a tag that is rewritten leaves what it was before.
    expect(manifests.size).toBe(standIn === undefined ? 5 : 7);
    expect(standIn === undefined ? oci.index : manifests.get(standIn)?.mediaType).toBe(oci.index);
  }
});

test("what is committed is OCI's, on docker's form and on plain layers as well", async () => {
  await home.ok(["copy", "-q", "--format=v2s2", layout("busybox"), `${registry.host}/base:docker`]);
  await home.ok(["save", "-q", "-o", "base.tar", imageName("busybox")]);
  await home.ok(["pull", "-q", `${registry.host}/base:docker`, "docker-archive:base.tar"]);
  for (const [name, base] of [
    ["on-docker", `${registry.host}/base:docker`],
    ["on-plain", "docker-archive:base.tar"],
  ] as const) {
    await home.ok(["run", "--name", name, "--network=none", base, "sh", "-c", "echo x > /new"]);
    await home.ok(["commit", "-q", name, `made:${name}`]);
    expect(manifestOf(home, `made:${name}`).document.mediaType).toBe(oci.manifest);
    await home.ok(["push", "-q", `made:${name}`, `${registry.host}/on:${name}`]);
  }
  // The name of what was pulled from a file is its path, which the grammar of names has no place for.
  await home.ok(["rmi", "--force", "docker-archive:base.tar"]);
  expect(layoutFaults(inDirectory(join(home.store, "store/images")))).toEqual([]);
  expect(repositoryFaults("on")).toEqual([]);
});

describe("layers that are made", () => {
  const plainLayer = (name: string): Buffer => {
    const { document, blob } = manifestOf(home, name);
    const { digest, mediaType } = document.layers.at(-1);
    return Buffer.from(unpack(mediaType, blob(digest)));
  };

  test("commit: sorted, ustar with pax, each path once; GNU tar agrees", async () => {
    const layer = plainLayer("made:committed");
    expect(layerFaults(layer, "layer")).toEqual([]);
    const members = readMembers(layer);
    const paths = members.map(({ path }) => path);
    expect(paths).toEqual(expect.arrayContaining(["bin/.wh.wget", "tmp/.wh..wh..opq", "first", "new/b\xff", "bin/vi"]));
    expect(members.filter(({ type }) => type === "1").map(({ path, link }) => `${path} ${link}`)).toHaveLength(2);
    expect(Math.max(...members.map(({ mtime }) => mtime))).toBe(1_700_000_000);
    writeFileSync(at("layer.tar"), layer);
    const listed = await $`tar --warning=all --quoting-style=escape -tf ${at("layer.tar")}`.quiet();
    expect(listed.stderr.toString()).toBe("");
    expect(listed.stdout.toString().trim().split("\n")).toHaveLength(paths.length);
    await $`mkdir ${at("unpacked")}`;
    const words = [...inUserNamespace(), "tar", "-C", at("unpacked")];
    await $`${[...words, "-xpf", at("layer.tar")]}`.quiet();
    const compared = await $`${[...words, "--compare", "-f", at("layer.tar")]}`.nothrow().quiet();
    expect(compared.stdout.toString() + compared.stderr.toString()).toBe("");
  });

  test("archives are made by the same rules", async () => {
    await home.ok(["export", "-o", at("exported.tar"), "changed"]);
    for (const name of ["exported.tar", "saved.tar", "saved.oci"]) {
      expect(layerFaults(readFileSync(at(name)), name)).toEqual([]);
    }
  });
});

test("equal everywhere: the archive of these changes is this one, as an ordinary user and as root", () => {
  const { document, blob } = manifestOf(home, "made:committed");
  const { rootfs } = JSON.parse(blob(document.config.digest).toString());
  expect(rootfs.diff_ids.at(-1)).toBe("sha256:3bd3efbc9476854f5d0fc17b501ba4007bad5118bd843631c9f2700a61194125");
});

test("equal in another store, and packed with another number of threads", async () => {
  await using other = openHome();
  for (const name of ["busybox", "configured"]) await other.ok(["pull", "-q", imageName(name)]);
  await makeImages(other, ["taskset", "1"]);
  for (const name of made) expect(manifestOf(other, name).digest).toBe(manifestOf(home, name).digest ?? "");
  const save = async (where: Home, name: string): Promise<Buffer> => {
    const flags = name.endsWith(".oci") ? ["--format=oci-archive"] : [];
    await where.ok(["save", "-q", ...flags, "-o", name, ...made], { prefix: where === other ? ["taskset", "1"] : [] });
    return readFileSync(join(where.directory, name));
  };
  for (const name of ["equal.tar", "equal.oci"]) expect(await save(other, name)).toEqual(await save(home, name));
  expect(readdirSync(join(other.store, "store/ingest"))).toEqual([]);
});
