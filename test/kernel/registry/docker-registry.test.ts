/** The client against Debian's docker-registry: open, with htpasswd, and behind TLS with a CA of its own. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Descriptor } from "../../../src/oci/descriptor.ts";
import { digestHex, digestOf } from "../../../src/oci/digest.ts";
import type { Manifest } from "../../../src/oci/image.ts";
import { parseManifest } from "../../../src/oci/parse.ts";
import { createImageShelf } from "../../helpers/image-shelf.ts";
import { type RunningRegistry, startRegistry } from "../../helpers/registry.ts";
import { failureOf, openClient, patternBytes, readStream, recordingContext } from "../../helpers/registry-client.ts";

const missing = ["docker-registry", "skopeo", "openssl"].filter((program) => Bun.which(program) === null);
const why = missing.length === 0 ? "" : ` (skipped: ${missing.join(", ")} not installed)`;
const account = { user: "user", password: "hunter2" };
const root = mkdtempSync(join(tmpdir(), "devbox-registry-"));
afterAll(() => rmSync(root, { recursive: true }));

interface Pushed {
  readonly descriptor: Descriptor;
  readonly manifest: Manifest;
}

/** Make an image of two layers and push it by skopeo. */
async function push(registry: RunningRegistry, destination: readonly string[]): Promise<Pushed> {
  const shelf = createImageShelf();
  const { descriptor, manifest } = shelf.addImage("team/app", "latest", {
    layers: [
      { tar: patternBytes(3 * 1024 * 1024), compression: "none" },
      { tar: patternBytes(500_000, 5), compression: "gzip" },
    ],
  });
  const directory = mkdtempSync(join(root, "image-"));
  const bytes = shelf.findManifest("team/app", "latest")?.bytes ?? "";
  writeFileSync(join(directory, "version"), "Directory Transport Version: 1.1\n");
  writeFileSync(join(directory, "manifest.json"), bytes);
  for (const { digest } of [manifest.config, ...manifest.layers]) {
    writeFileSync(join(directory, digestHex(digest)), shelf.findBlob(digest) ?? "");
  }
  const target = `docker://${registry.address}/team/app:latest`;
  const skopeo = Bun.spawn(
    ["skopeo", "copy", "--quiet", "--preserve-digests", ...destination, `dir:${directory}`, target],
    {
      stderr: "pipe",
    },
  );
  const said = await skopeo.stderr.text();
  if ((await skopeo.exited) !== 0) throw new Error(`skopeo: ${said}`);
  return { descriptor, manifest };
}

function loginFile(registry: RunningRegistry, password: string): string {
  const path = join(mkdtempSync(join(root, "login-")), "auth.json");
  const auth = Buffer.from(`${account.user}:${password}`).toString("base64");
  writeFileSync(path, JSON.stringify({ auths: { [registry.address]: { auth } } }));
  return path;
}

describe.skipIf(missing.length > 0)(`an open registry${why}`, () => {
  let registry: RunningRegistry;
  let pushed: Pushed;
  beforeAll(async () => {
    registry = await startRegistry({ directory: join(root, "open") });
    pushed = await push(registry, ["--dest-tls-verify=false"]);
  });
  afterAll(() => registry[Symbol.asyncDispose]());

  test("manifest, config and layers are what was pushed", async () => {
    await using client = openClient(registry.address);
    expect(await client.resolve("latest")).toEqual(pushed.descriptor);
    const { bytes, descriptor } = await client.fetchManifest("latest");
    expect(descriptor).toEqual(pushed.descriptor);
    const manifest = parseManifest(bytes, descriptor.mediaType);
    expect(manifest).toEqual(pushed.manifest);
    await client.fetchSmallBlob(manifest.config);
    for (const layer of manifest.layers) {
      const { stream } = await client.fetchBlob(layer);
      expect(digestOf(await readStream(stream))).toBe(layer.digest);
    }
  });

  test("a download goes on where an earlier one stopped", async () => {
    await using client = openClient(registry.address);
    const [layer] = pushed.manifest.layers;
    if (layer === undefined) throw new Error("no layer");
    const whole = await client.fetchBlob(layer);
    const bytes = await readStream(whole.stream);
    expect(whole.validator).toBe(`"${layer.digest}"`);
    const rest = await client.fetchBlob(layer, { offset: 1_000_000, validator: whole.validator ?? "" });
    expect(rest.offset).toBe(1_000_000);
    expect((await readStream(rest.stream)).equals(bytes.subarray(1_000_000))).toBe(true);
  });

  test("what is not there", async () => {
    await using client = openClient(registry.address);
    const tag = await failureOf(client.resolve("absent"));
    expect([tag.code, tag.because]).toEqual([
      "REGISTRY_NOT_FOUND",
      `${registry.address} answered 404: manifest unknown (MANIFEST_UNKNOWN)`,
    ]);
    await using other = openClient(registry.address, recordingContext(), { repository: "team/absent" });
    expect((await failureOf(other.resolve("latest"))).code).toBe("REGISTRY_NOT_FOUND");
  });
});

describe.skipIf(missing.length > 0)(`a registry with passwords, behind TLS${why}`, () => {
  let registry: RunningRegistry;
  let pushed: Pushed;
  beforeAll(async () => {
    registry = await startRegistry({ directory: join(root, "closed"), account, tls: true });
    pushed = await push(registry, ["--dest-tls-verify=false", `--dest-creds=${account.user}:${account.password}`]);
  });
  afterAll(() => registry[Symbol.asyncDispose]());
  const ca = (): string => registry.ca ?? "";

  test("its CA and the password from auth.json open it", async () => {
    const env = { SSL_CERT_FILE: ca(), REGISTRY_AUTH_FILE: loginFile(registry, account.password) };
    await using client = openClient(registry.address, recordingContext(env));
    expect((await client.fetchManifest("latest")).descriptor).toEqual(pushed.descriptor);
    for (const layer of pushed.manifest.layers) {
      const { stream } = await client.fetchBlob(layer);
      expect(digestOf(await readStream(stream))).toBe(layer.digest);
    }
  });

  test("the CA in certs.d will do", async () => {
    const home = join(root, "home");
    const directory = join(home, ".config/containers/certs.d", registry.address);
    mkdirSync(directory, { recursive: true });
    writeFileSync(join(directory, "ca.crt"), await Bun.file(ca()).bytes());
    const env = { HOME: home, REGISTRY_AUTH_FILE: loginFile(registry, account.password) };
    await using client = openClient(registry.address, recordingContext(env));
    expect(await client.resolve("latest")).toEqual(pushed.descriptor);
  });

  test("without the CA: a TLS error", async () => {
    await using client = openClient(registry.address);
    expect((await failureOf(client.resolve("latest"))).code).toBe("REGISTRY_TLS");
  });

  test("without or with a wrong password: an error that does not show it", async () => {
    await using nobody = openClient(registry.address, recordingContext({ SSL_CERT_FILE: ca() }));
    expect((await failureOf(nobody.resolve("latest"))).because).toContain("no credentials are stored");
    const env = { SSL_CERT_FILE: ca(), REGISTRY_AUTH_FILE: loginFile(registry, "wrong-hunter") };
    const context = recordingContext(env);
    await using stranger = openClient(registry.address, context);
    const error = await failureOf(stranger.resolve("latest"));
    expect(error.code).toBe("REGISTRY_AUTH");
    expect([error.message, error.hint, ...context.lines].join()).not.toContain("wrong-hunter");
  });

  test("without verification", async () => {
    const env = { REGISTRY_AUTH_FILE: loginFile(registry, account.password) };
    await using client = openClient(registry.address, recordingContext(env), { tlsVerify: false });
    expect(await client.resolve("latest")).toEqual(pushed.descriptor);
  });
});
