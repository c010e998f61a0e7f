/** Pushing to Debian's docker-registry: open, with htpasswd behind TLS, over a line that breaks, and ended in the middle. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Context } from "../../../src/core/context.ts";
import { type Descriptor, mediaTypes } from "../../../src/oci/descriptor.ts";
import { digestOf } from "../../../src/oci/digest.ts";
import type { Credentials } from "../../../src/registry/authentication/credentials.ts";
import { checkLogin } from "../../../src/registry/authentication/login.ts";
import type { RegistryClient, RegistryClientOptions } from "../../../src/registry/client.ts";
import { startCuttingProxy } from "../../helpers/cutting-proxy.ts";
import { createImageShelf } from "../../helpers/image-shelf.ts";
import { type RunningRegistry, startRegistry } from "../../helpers/registry.ts";
import { failureOf, openClient, patternBytes, readStream, recordingContext } from "../../helpers/registry-client.ts";
import { contentOf } from "../../helpers/upload-content.ts";

const missing = ["docker-registry", "skopeo", "openssl"].filter((program) => Bun.which(program) === null);
const why = missing.length === 0 ? "" : ` (skipped: ${missing.join(", ")} not installed)`;
const MiB = 1024 * 1024;
const root = mkdtempSync(join(tmpdir(), "devbox-push-"));
afterAll(() => rmSync(root, { recursive: true }));

function openPush(
  address: string,
  repository: string,
  options: { readonly context?: Context } & Partial<RegistryClientOptions> = {},
): RegistryClient {
  const { context = recordingContext(), ...rest } = options;
  return openClient(address, context, { access: "push", repository, ...rest });
}

/** An image of two layers, one of them larger than one request. */
async function pushImage(client: RegistryClient, tag: string): Promise<Descriptor> {
  const shelf = createImageShelf();
  const { descriptor, manifest } = shelf.addImage("any", tag, {
    layers: [
      { tar: patternBytes(3 * MiB), compression: "none" },
      { tar: patternBytes(500_000, 5), compression: "gzip" },
    ],
  });
  for (const blob of [manifest.config, ...manifest.layers]) {
    const bytes = shelf.findBlob(blob.digest) ?? new Uint8Array();
    await client.pushBlob({ descriptor: blob, open: contentOf(bytes).open });
  }
  const bytes = shelf.findManifest("any", tag)?.bytes ?? new Uint8Array();
  expect(await client.putManifest(tag, bytes, descriptor.mediaType)).toEqual({
    digest: descriptor.digest,
    subject: false,
  });
  return descriptor;
}

/** What skopeo finds after it has fetched and verified all of an image. */
async function digestBySkopeo(image: string, more: readonly string[]): Promise<string> {
  const file = join(mkdtempSync(join(root, "skopeo-")), "digest");
  const target = `oci:${join(root, `copy-${crypto.randomUUID()}`)}`;
  const command = ["skopeo", "copy", "--quiet", "--preserve-digests", "--digestfile", file, ...more];
  const skopeo = Bun.spawn([...command, `docker://${image}`, target], { stderr: "pipe" });
  const said = await skopeo.stderr.text();
  if ((await skopeo.exited) !== 0) throw new Error(`skopeo: ${said}`);
  return Bun.file(file).text();
}

describe.skipIf(missing.length > 0)(`an open registry${why}`, () => {
  let registry: RunningRegistry;
  beforeAll(async () => {
    registry = await startRegistry({ directory: join(root, "open") });
  });
  afterAll(() => registry[Symbol.asyncDispose]());

  test("skopeo pulls what was pushed", async () => {
    await using client = openPush(registry.address, "team/app");
    const { digest } = await pushImage(client, "latest");
    expect(await digestBySkopeo(`${registry.address}/team/app:latest`, ["--src-tls-verify=false"])).toBe(digest);
    expect(await client.listTags()).toEqual(["latest"]);
  });

  test.each([0, 1, MiB, MiB + 1, 5 * MiB])("a blob of %d bytes, pushed, and pushed again", async (size) => {
    await using client = openPush(registry.address, "team/blobs");
    const content = contentOf(patternBytes(size, size + 7));
    expect(await client.hasBlob(content.descriptor)).toBe(false);
    expect(await client.pushBlob(content)).toBe("copied");
    expect(await client.pushBlob(content)).toBe("there");
    const { stream } = await client.fetchBlob(content.descriptor);
    expect((await readStream(stream)).equals(content.bytes)).toBe(true);
  });

  test("sha512", async () => {
    await using client = openPush(registry.address, "team/sha512");
    const content = contentOf(patternBytes(2 * MiB), { algorithm: "sha512" });
    expect(await client.pushBlob(content)).toBe("copied");
    expect(await client.hasBlob(content.descriptor)).toBe(true);
  });

  test("another repository's blob is mounted", async () => {
    await using client = openPush(registry.address, "team/source");
    const content = contentOf(patternBytes(2 * MiB, 99), { mountFrom: ["team/nothing", "team/source"] });
    await client.pushBlob(content);
    await using other = openPush(registry.address, "team/target");
    const opened = content.opened.length;
    expect(await other.pushBlob(content)).toBe("mounted");
    expect(content.opened.length).toBe(opened);
    expect(await other.hasBlob(content.descriptor)).toBe(true);
  });

  test("a line that breaks twice in the middle: the blob gets there", async () => {
    await using line = await startCuttingProxy(registry.address, 2 * MiB, 2);
    await using client = openPush(line.address, "team/broken");
    const content = contentOf(patternBytes(6 * MiB, 3));
    expect(await client.pushBlob(content)).toBe("copied");
    expect(line.cuts).toBe(2);
    await using direct = openPush(registry.address, "team/broken");
    const { stream } = await direct.fetchBlob(content.descriptor);
    expect(digestOf(await readStream(stream))).toBe(content.descriptor.digest);
  });

  test("a push that is done again sends nothing that is there", async () => {
    await using line = await startCuttingProxy(registry.address, 2 * MiB, Number.POSITIVE_INFINITY);
    const small = contentOf(patternBytes(900_000, 11));
    const large = contentOf(patternBytes(6 * MiB, 12));
    {
      await using client = openPush(line.address, "team/again");
      expect(await client.pushBlob(small)).toBe("copied");
      expect((await failureOf(client.pushBlob(large))).code).toBe("REGISTRY_UNREACHABLE");
    }
    await using client = openPush(registry.address, "team/again");
    expect(await client.pushBlob(small)).toBe("there");
    expect(await client.pushBlob(large)).toBe("copied");
  });

  test("referrers by their tag", async () => {
    await using client = openPush(registry.address, "team/referred");
    const subject = await pushImage(client, "latest");
    const empty = contentOf(new TextEncoder().encode("{}"));
    await client.pushBlob(empty);
    const config = { ...empty.descriptor, mediaType: "application/vnd.oci.empty.v1+json" };
    const referrers: Descriptor[] = [];
    for (const artifactType of ["signature/x", "sbom/y"]) {
      const document = { schemaVersion: 2, mediaType: mediaTypes.ociManifest, artifactType, config, layers: [config] };
      const bytes = new TextEncoder().encode(JSON.stringify({ ...document, subject }));
      const stored = await client.putManifest(digestOf(bytes), bytes, mediaTypes.ociManifest);
      expect(stored.subject).toBe(false);
      const referrer = {
        mediaType: mediaTypes.ociManifest,
        digest: stored.digest,
        size: bytes.byteLength,
        artifactType,
      };
      await client.putReferrersTag(subject.digest, referrer);
      referrers.push(referrer);
    }
    expect(await client.referrers(subject.digest)).toEqual(referrers);
    expect(await client.referrers(subject.digest, "sbom/y")).toEqual(referrers.slice(1));
  });

  test("in words: which blob is missing", async () => {
    await using client = openPush(registry.address, "team/missing");
    const config = { mediaType: mediaTypes.ociConfig, digest: digestOf("nothing"), size: 7 };
    const document = { schemaVersion: 2, mediaType: mediaTypes.ociManifest, config, layers: [] };
    const bytes = new TextEncoder().encode(JSON.stringify(document));
    const error = await failureOf(client.putManifest("latest", bytes, mediaTypes.ociManifest));
    expect(error.because).toContain(`blob unknown to registry ${config.digest} (MANIFEST_BLOB_UNKNOWN)`);
    expect((await failureOf(client.resolve("latest"))).code).toBe("REGISTRY_NOT_FOUND");
  });
});

describe.skipIf(missing.length > 0)(`other registries${why}`, () => {
  const account = { user: "user", password: "hunter2" };
  const credentials: Credentials = {
    kind: "password",
    username: account.user,
    password: account.password,
    source: "the test",
  };

  test("with a password, behind TLS", async () => {
    await using registry = await startRegistry({ directory: join(root, "closed"), account, tls: true });
    const env = { SSL_CERT_FILE: registry.ca ?? "" };
    const { address } = registry;
    await using client = openPush(address, "team/app", { context: recordingContext(env), credentials });
    const { digest } = await pushImage(client, "latest");
    const login = ["--src-tls-verify=false", `--src-creds=${account.user}:${account.password}`];
    expect(await digestBySkopeo(`${address}/team/app:latest`, login)).toBe(digest);
    await using nobody = openPush(address, "team/app", { context: recordingContext(env) });
    expect((await failureOf(nobody.pushBlob(contentOf(patternBytes(10))))).code).toBe("REGISTRY_AUTH");
  });

  test("the check of a login", async () => {
    await using registry = await startRegistry({ directory: join(root, "login"), account });
    const check = { registry: registry.address, tlsVerify: true };
    await checkLogin(recordingContext(), { ...check, credentials });
    const wrong = { ...credentials, password: "wrong-hunter" };
    const error = await failureOf(checkLogin(recordingContext(), { ...check, credentials: wrong }));
    expect([error.code, error.message.includes("wrong-hunter")]).toEqual(["REGISTRY_AUTH", false]);
  });

  test("that takes nothing", async () => {
    await using registry = await startRegistry({ directory: join(root, "readonly"), readonly: true });
    await using client = openPush(registry.address, "team/app");
    const error = await failureOf(client.pushBlob(contentOf(patternBytes(10))));
    expect(error.because).toContain(`${registry.address} answered 405`);
    expect(error.hint).toContain("read-only");
  });

  test("that ends in the middle: no tag, and the next push makes it whole", async () => {
    const storage = join(root, "ended-storage");
    {
      const registry = await startRegistry({ directory: join(root, "ended"), storage });
      await using client = openPush(registry.address, "team/app");
      const content = contentOf(patternBytes(8 * MiB));
      let isEnded = false;
      const onProgress = (done: number): void => {
        if (done < 4 * MiB || isEnded) return;
        isEnded = true;
        void registry[Symbol.asyncDispose]();
      };
      expect((await failureOf(client.pushBlob(content, { onProgress }))).code).toBe("REGISTRY_UNREACHABLE");
    }
    await using registry = await startRegistry({ directory: join(root, "ended"), storage });
    await using client = openPush(registry.address, "team/app");
    expect((await failureOf(client.resolve("latest"))).code).toBe("REGISTRY_NOT_FOUND");
    const { digest } = await pushImage(client, "latest");
    expect((await client.resolve("latest")).digest).toBe(digest);
  });
});
