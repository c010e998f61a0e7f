/** Files in registries: pushed, pulled and listed by the compiled program; read and written by skopeo as well. */
import { afterAll, beforeAll, beforeEach, expect, test } from "bun:test";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { $ } from "bun";
import { mediaTypes } from "../../src/oci/descriptor.ts";
import { openHome } from "../helpers/devbox.ts";
import { startFaultyRegistry } from "../helpers/faulty-registry.ts";
import { layouts } from "../helpers/given.ts";
import { type RunningRegistry, startRegistry } from "../helpers/registry.ts";
import { type SpecRegistry, startSpecRegistry } from "../helpers/spec-registry.ts";

const home = openHome();
const busybox = `oci:${join(layouts(), "busybox")}:latest`;
let old: RunningRegistry;
let modern: SpecRegistry;
/** Where the program runs. */
let cwd: string;

beforeAll(async () => {
  old = await startRegistry({ directory: join(home.directory, "registry") });
  modern = await startSpecRegistry();
  for (const host of [old.address, modern.host]) {
    await $`skopeo copy --quiet --insecure-policy --dest-tls-verify=false ${busybox} docker://${host}/team/app:1`.quiet();
  }
});
afterAll(async () => {
  await old[Symbol.asyncDispose]();
  await modern[Symbol.asyncDispose]();
  await home[Symbol.asyncDispose]();
});
beforeEach(() => {
  cwd = mkdtempSync(join(home.directory, "work-"));
  mkdirSync(join(cwd, "docs"));
  writeFileSync(join(cwd, "feature.tgz"), "not really packed\n");
  writeFileSync(join(cwd, "docs/sbom.json"), '{"spdxVersion":"SPDX-2.3"}\n');
});

const ok = (args: readonly string[], env = {}): Promise<string> => home.ok(["artifact", ...args], { cwd, env });
const hosts = (): readonly string[] => [old.address, modern.host];

test("files there and back: names, bytes, digest; the same files make the same artifact everywhere", async () => {
  const digests = new Set<string>();
  for (const host of hosts()) {
    const files = ["feature.tgz:application/vnd.devcontainers.layer.v1+tar", "docs/sbom.json"];
    const digest = await ok(["push", "--digestfile=digest", `${host}/team/f:1`, ...files]);
    expect(digest).toMatch(/^sha256:[0-9a-f]{64}\n$/);
    expect(readFileSync(join(cwd, "digest"), "utf8")).toBe(digest.trim());
    const out = mkdtempSync(join(cwd, "out-"));
    const printed = await ok(["pull", "-o", out, `${host}/team/f:1`]);
    expect(printed).toBe(`${out}/feature.tgz\n${out}/docs/sbom.json\n${digest}`);
    for (const file of ["feature.tgz", "docs/sbom.json"]) {
      expect(readFileSync(join(out, file))).toEqual(readFileSync(join(cwd, file)));
    }
    digests.add(digest);
    const raw = await ok(["inspect", "--raw", `${host}/team/f:1`]);
    expect(`sha256:${new Bun.CryptoHasher("sha256").update(raw).digest("hex")}\n`).toBe(digest);
    expect(JSON.parse(await ok(["inspect", `${host}/team/f:1`]))).toEqual(JSON.parse(raw));
  }
  expect(digests.size).toBe(1);
});

test("what belongs to an image is listed there, by the API and by the tag that stands in for it; its tags stay", async () => {
  for (const host of hosts()) {
    const image = `${host}/team/app:1`;
    const before = await $`skopeo inspect --raw --tls-verify=false docker://${image}`.text();
    const attach = ["push", "--subject", image, "--artifact-type"];
    const env = { SOURCE_DATE_EPOCH: "1700000000" };
    const sbom = (await ok([...attach, "application/spdx+json", `${host}/team/app`, "docs/sbom.json"], env)).trim();
    const other = (await ok([...attach, "application/x.sig", `${host}/team/app`, "feature.tgz"])).trim();
    const lines = (await ok(["ls", image])).trimEnd().split("\n");
    expect(lines[0]).toMatch(/^DIGEST +ARTIFACT TYPE +MANIFEST SIZE +CREATED$/);
    expect(lines.slice(1).map((line) => line.split(/ {2,}/).slice(0, 2))).toEqual([
      [sbom, "application/spdx+json"],
      [other, "application/x.sig"],
    ]);
    expect(lines[1]).toMatch(/ \d years? ago$/);
    const { referrers } = JSON.parse(await ok(["ls", "--json", "--artifact-type=application/x.sig", image]));
    expect(referrers).toMatchObject([{ digest: other, artifactType: "application/x.sig" }]);
    await ok(["pull", "-o", "found", `${host}/team/app@${sbom}`]);
    expect(existsSync(join(cwd, "found/docs/sbom.json"))).toBe(true);
    expect(await $`skopeo inspect --raw --tls-verify=false docker://${image}`.text()).toBe(before);
    const { Tags } = await $`skopeo list-tags --tls-verify=false docker://${host}/team/app`.json();
    const { subject } = JSON.parse(await ok(["inspect", `${host}/team/app@${sbom}`]));
    const fallback = subject.digest.replace(":", "-");
    expect(Tags.sort()).toEqual(host === old.address ? ["1", fallback] : ["1"]);
    rmSync(join(cwd, "found"), { recursive: true });
  }
});

test("skopeo copies it with the digest kept, and devbox reads what skopeo has written", async () => {
  const digest = (await ok(["push", `${old.address}/team/s:1`, "docs/sbom.json:application/spdx+json"])).trim();
  const from = `docker://${old.address}/team/s:1`;
  await $`skopeo copy --quiet --insecure-policy --src-tls-verify=false ${from} oci:${cwd}/layout:s`.quiet();
  await $`skopeo copy --quiet --insecure-policy --dest-tls-verify=false oci:${cwd}/layout:s docker://${modern.host}/team/s:2`.quiet();
  await $`skopeo copy --quiet --insecure-policy oci:${cwd}/layout:s dir:${cwd}/plain`.quiet();
  await $`tar -C ${cwd}/layout -cf ${cwd}/layout.tar .`.quiet();
  for (const reference of ["oci:layout:s", "oci-archive:layout.tar", "dir:plain", `${modern.host}/team/s:2`]) {
    expect(await ok(["pull", "-o", "out", "--force", reference])).toEndWith(`${digest}\n`);
    expect(readFileSync(join(cwd, "out/docs/sbom.json"))).toEqual(readFileSync(join(cwd, "docs/sbom.json")));
  }
});

test("an artifact is no image: the error of run and pull says what fetches it", async () => {
  await ok(["push", `${modern.host}/team/n:1`, "feature.tgz"]);
  for (const command of [["run"], ["pull"]]) {
    const { exitCode, stderr } = await home.run([...command, `${modern.host}/team/n:1`]);
    expect(exitCode).toBe(125);
    expect(stderr).toContain("application/vnd.oci.empty.v1+json");
    expect(stderr).toContain("devbox artifact pull");
  }
});

test("hostile words reach neither the directory nor the terminal", async () => {
  await using registry = await startFaultyRegistry();
  const annotations = { "org.opencontainers.image.title": "../../\u001b[31mescape" };
  const layer = { ...registry.addBlob(Buffer.from("x")), annotations };
  const config = registry.addBlob(Buffer.from("{}"), "application/vnd.oci.empty.v1+json");
  const subject = registry.addManifest("team/app", "1", {
    schemaVersion: 2,
    mediaType: mediaTypes.ociManifest,
    config,
    layers: [layer],
  });
  const { exitCode, stderr } = await home.run(["artifact", "pull", "-o", "out", `${registry.host}/team/app:1`], {
    cwd,
  });
  expect(exitCode).toBe(125);
  expect(stderr).toContain(String.raw`"../../\u001b[31mescape": it leads out of the directory`);
  expect(readdirSync(cwd).sort()).toEqual(["docs", "feature.tgz"]);
  const referrer = { ...subject, artifactType: "application/\u001b[2J" };
  const index = { schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests: [referrer] };
  registry.addManifest("team/app", subject.digest.replace(":", "-"), index, mediaTypes.ociIndex);
  expect(await ok(["ls", `${registry.host}/team/app:1`])).toMatch(/^DIGEST .*\nsha256:\P{Cc}*\n$/u);
});

test("SIGTERM in the middle leaves nothing behind", async () => {
  await using registry = await startFaultyRegistry();
  const layer = {
    ...registry.addBlob(Buffer.alloc(2_000_000, "x")),
    annotations: { "org.opencontainers.image.title": "big" },
  };
  const config = registry.addBlob(Buffer.from("{}"), "application/vnd.oci.empty.v1+json");
  registry.addManifest("app", "1", { schemaVersion: 2, mediaType: mediaTypes.ociManifest, config, layers: [layer] });
  registry.fault(new RegExp(layer.digest), { kind: "stall", afterBytes: 1_000_000 });
  const args = ["artifact", "pull", "--json", "-o", "out", `${registry.host}/app:1`];
  await using pull = home.start(args, { cwd, stdin: "" });
  const asked = (): boolean => registry.requests.some(({ path }) => path.endsWith(layer.digest));
  const ended = pull.result.then(({ stderr }) => {
    if (!asked()) throw new Error(stderr);
  });
  while (!asked()) await Promise.race([Bun.sleep(2), ended]);
  pull.kill("SIGTERM");
  expect((await pull.result).exitCode).toBe(130);
  expect(readdirSync(join(cwd, "out"))).toEqual([]);
});
