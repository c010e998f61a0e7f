/** What a registry is asked: blobs before the manifests that name them, nothing twice, and never more than skopeo asks. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { $ } from "bun";
import { openHome } from "../helpers/devbox.ts";
import { imageName, layouts } from "../helpers/given.ts";
import { type SpecRegistry, startSpecRegistry } from "../helpers/spec-registry.ts";

const home = openHome();
let registry: SpecRegistry;
/** Digests as what they are of. */
const roles = new Map<string, string>();

beforeAll(async () => {
  registry = await startSpecRegistry();
  await home.ok(["pull", "-q", imageName("busybox"), imageName("forty-layers")]);
  await home.ok(["pull", "-q", "--all-platforms", imageName("platforms")]);
  await Bun.write(join(home.directory, "note"), "x");
  for (const [name, suffix] of [
    ["busybox", ""],
    ["elsewhere", "2"],
  ] as const) {
    const directory = join(layouts(), name);
    const blob = (digest: string) =>
      JSON.parse(readFileSync(join(directory, "blobs", digest.replace(":", "/")), "utf8"));
    const [{ digest }] = JSON.parse(readFileSync(join(directory, "index.json"), "utf8")).manifests;
    const { config, layers } = blob(digest);
    roles.set(digest, `MANIFEST${suffix}`);
    roles.set(config.digest, `CONFIG${suffix}`);
    roles.set(layers[0].digest, "LAYER");
  }
});
afterAll(async () => {
  await registry[Symbol.asyncDispose]();
  await home[Symbol.asyncDispose]();
});

/**
 * The requests of what is done, digests as their roles. Blobs go side by side: between two manifests the order does not matter,
 * so they are sorted there.
 */
async function asked(action: () => Promise<unknown>, of = registry): Promise<readonly string[]> {
  const before = of.requests.length;
  await action();
  const lines = of.requests.slice(before).map((request) =>
    request
      .replace(/sha256(?::|%3A|-)([0-9a-f]{64})/g, (_, hex) => roles.get(`sha256:${hex}`) ?? "OTHER")
      .replace(/[0-9a-f-]{36}\?state=of-[0-9a-f-]{36}&/, "?")
      .replace("/v2/", ""),
  );
  const rounds: string[][] = [[]];
  for (const line of lines) {
    if (line.includes("/manifests/")) rounds.push([line], []);
    else rounds.at(-1)?.push(line);
  }
  return rounds.flatMap((round) => round.sort());
}

const push = (...words: readonly string[]) => asked(() => home.ok(["push", "-q", ...words]));
const upload = (repository: string, role: string): readonly string[] => [
  `HEAD ${repository}/blobs/${role}`,
  `POST ${repository}/blobs/uploads/`,
  `PUT ${repository}/blobs/uploads/?digest=${role}`,
];

describe("a push", () => {
  test("of what is not there: three requests a blob, one for the manifest", async () => {
    const blobs = [...upload("new", "LAYER"), ...upload("new", "CONFIG")].sort();
    expect(await push(imageName("busybox"), `${registry.host}/new:1`)).toEqual([...blobs, "PUT new/manifests/1"]);
  });

  test("of what is there: one request a blob, one for the manifest; the same for another tag", async () => {
    for (const tag of ["1", "2"]) {
      expect(await push(imageName("busybox"), `${registry.host}/new:${tag}`)).toEqual([
        "HEAD new/blobs/CONFIG",
        "HEAD new/blobs/LAYER",
        `PUT new/manifests/${tag}`,
      ]);
    }
  });

  test("of what another repository has: mounted", async () => {
    await home.ok(["pull", "-q", `${registry.host}/new:1`]);
    expect(await push(`${registry.host}/new:1`, `${registry.host}/mounted:1`)).toEqual([
      "HEAD mounted/blobs/CONFIG",
      "HEAD mounted/blobs/LAYER",
      "POST mounted/blobs/uploads/?mount=CONFIG&from=new",
      "POST mounted/blobs/uploads/?mount=LAYER&from=new",
      "PUT mounted/manifests/1",
    ]);
  });

  test("of all platforms: a layer that they share is asked for once; manifests by digest, the index at last", async () => {
    await push("--all", imageName("platforms"), `${registry.host}/all:1`);
    expect(await push("--all", imageName("platforms"), `${registry.host}/all:1`)).toEqual([
      "HEAD all/blobs/CONFIG2",
      "HEAD all/blobs/LAYER",
      "PUT all/manifests/MANIFEST2",
      "HEAD all/blobs/CONFIG",
      "PUT all/manifests/MANIFEST",
      "PUT all/manifests/1",
    ]);
  });
});

test("a copy within a registry reads the manifest and nothing else", async () => {
  const copy = () => asked(() => home.ok(["copy", "-q", `${registry.host}/new:1`, `${registry.host}/copied:1`]));
  const mounts = ["CONFIG", "LAYER"].map((role) => `POST copied/blobs/uploads/?mount=${role}&from=new`);
  const heads = ["HEAD copied/blobs/CONFIG", "HEAD copied/blobs/LAYER"];
  expect(await copy()).toEqual(["GET new/manifests/1", ...heads, ...mounts, "PUT copied/manifests/1"]);
  expect(await copy()).toEqual(["GET new/manifests/1", ...heads, "PUT copied/manifests/1"]);
});

test("an artifact: its subject by one request; listed by hand only where the registry does not, and there checked", async () => {
  await using old = await startSpecRegistry({ referrers: false });
  for (const of of [registry, old]) {
    await home.ok(["push", "-q", imageName("busybox"), `${of.host}/with:1`]);
    const words = [
      "artifact",
      "push",
      "-q",
      `--subject=${of.host}/with:1`,
      "--artifact-type=a/b",
      `${of.host}/with`,
      "note",
    ];
    const attach = () => asked(() => home.ok(words), of);
    const first = ["HEAD with/manifests/1", ...[...upload("with", "OTHER"), ...upload("with", "OTHER")].sort()];
    const byHand =
      of === old ? ["GET with/manifests/MANIFEST", "PUT with/manifests/MANIFEST", "GET with/manifests/MANIFEST"] : [];
    expect(await attach()).toEqual([...first, "PUT with/manifests/OTHER", ...byHand]);
    const again = [
      "HEAD with/manifests/1",
      "HEAD with/blobs/OTHER",
      "HEAD with/blobs/OTHER",
      "PUT with/manifests/OTHER",
    ];
    expect(await attach()).toEqual([...again, ...byHand.slice(0, 1)]);
  }
});

test("a copy of an artifact is listed with its subject, too, wherever it goes", async () => {
  await using old = await startSpecRegistry({ referrers: false });
  const words = ["artifact", "push", "-q", `--subject=${registry.host}/new:1`, "--artifact-type=a/b"];
  await home.ok([...words, "--annotation=key=value", `${registry.host}/new:attached`, "note"]);
  for (const { host } of [registry, old]) {
    await home.ok(["copy", "-q", `${registry.host}/new:1`, `${host}/moved:1`]);
    await home.ok(["copy", "-q", `${registry.host}/new:attached`, `${host}/moved:attached`]);
    const { referrers } = JSON.parse(await home.ok(["artifact", "ls", "--json", `${host}/moved:1`]));
    expect(referrers).toMatchObject([{ artifactType: "a/b", annotations: { key: "value" } }]);
  }
});

test("fewer requests than skopeo's, of everything", async () => {
  const skopeo = (name: string, target: string) => {
    const words = ["--insecure-policy", "copy", "-q", "--all", "--dest-tls-verify=false"];
    const places = [`oci:${join(layouts(), name)}:latest`, `docker://${registry.host}/${target}`];
    return asked(() => $`skopeo ${words} ${places}`.env(home.env).quiet());
  };
  for (const name of ["busybox", "forty-layers", "platforms"]) {
    for (const target of [`counted/${name}:1`, `counted/${name}:1`, `counted/${name}:2`]) {
      const ours = await push("--all", imageName(name), `${registry.host}/ours/${target}`);
      expect(ours.length).toBeLessThan((await skopeo(name, `theirs/${target}`)).length);
    }
  }
});
