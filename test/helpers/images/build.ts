/**
 * Makes all test images once a machine, as root: `bun build.ts CACHE`. Below CACHE afterwards:
 * `layouts/NAME` (OCI layouts) and `registry` (docker-registry's storage with the same images pushed to it).
 */
import { existsSync, mkdirSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { $ } from "bun";
import { startRegistry } from "../registry.ts";
import { debianRelease, debianTree } from "./debian.ts";
import { fortyLayers, linkToBelow } from "./forty-layers.ts";
import { type Compression, joinPlatforms, writeLayout } from "./layout.ts";
import { busyboxTree, manyFilesTree, pack } from "./trees.ts";

const path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
const shell = { Env: [`PATH=${path}`], Cmd: ["sh"] };

/** What `image USER`, `ENTRYPOINT` and the rest of a Dockerfile leave behind. */
const configured = {
  Env: [`PATH=${path}`, "GREETING=hello"],
  User: "dev",
  WorkingDir: "/work/made",
  Entrypoint: ["/bin/echo", "entry"],
  Cmd: ["default"],
  Volumes: { "/data": {} },
  Labels: { origin: "image" },
  StopSignal: "SIGINT",
};

async function build(cache: string): Promise<void> {
  const work = join(cache, "work");
  const layouts = join(cache, "layouts");
  mkdirSync(work, { recursive: true });
  mkdirSync(layouts);
  const tree = async (name: string, fill: (tree: string) => Promise<void> | void): Promise<string> => {
    const at = join(work, name);
    mkdirSync(at);
    await fill(at);
    await pack(at, `${at}.tar`);
    return `${at}.tar`;
  };
  const image = async (name: string, layers: readonly string[], config: object = shell): Promise<void> => {
    for (const [suffix, compression] of [
      ["", "gzip"],
      ["-zstd", "zstd"],
    ] satisfies [string, Compression][]) {
      await writeLayout(join(layouts, `${name}${suffix}`), { layers, compression, config });
    }
  };
  const busybox = await tree("busybox", busyboxTree);
  await image("busybox", [busybox]);
  await writeLayout(join(layouts, "configured"), { layers: [busybox], compression: "gzip", config: configured });
  await foreign(layouts, busybox);
  const layers = await fortyLayers(work);
  await image("forty-layers", layers);
  // For the benches: podman cannot apply a hard link to a layer below.
  await image("forty-podman", [busybox, ...layers.filter((_, number) => number !== linkToBelow)]);
  await image("many-files", [busybox, await tree("many", (at) => manyFilesTree(at, 100_000))]);
  const release = await debianRelease();
  await image("debian", [await tree("debian", (at) => debianTree(at, release))], { ...shell, Cmd: ["bash"] });
  rmSync(work, { recursive: true });
  await push(cache, layouts);
}

/** `platforms`: an index with this machine's and another architecture; `elsewhere`: only the other. */
async function foreign(layouts: string, tar: string): Promise<void> {
  const elsewhere = join(layouts, "elsewhere");
  await writeLayout(elsewhere, { layers: [tar], compression: "gzip", config: shell, architecture: "s390x" });
  const here = process.arch === "arm64" ? "linux/arm64/v8" : "linux/amd64";
  joinPlatforms(join(layouts, "platforms"), { "linux/s390x": elsewhere, [here]: join(layouts, "busybox") });
}

async function push(cache: string, layouts: string): Promise<void> {
  const storage = join(cache, "registry");
  await using registry = await startRegistry({ directory: join(cache, "pushing"), storage });
  for (const name of new Bun.Glob("*").scanSync({ cwd: layouts, onlyFiles: false })) {
    const all = name === "platforms" ? ["--all"] : [];
    await $`skopeo copy --quiet ${all} --insecure-policy --dest-tls-verify=false ${`oci:${join(layouts, name)}:latest`} ${`docker://${registry.address}/${name}:latest`}`.quiet();
  }
  rmSync(join(cache, "pushing"), { recursive: true });
}

const [target] = Bun.argv.slice(2);
if (target === undefined) throw new Error("usage: bun build.ts CACHE");
if (!existsSync(target)) {
  const beside = `${target}.new`;
  rmSync(beside, { recursive: true, force: true });
  await build(beside);
  renameSync(beside, target);
}
