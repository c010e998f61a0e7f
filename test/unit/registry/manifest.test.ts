import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { mediaTypes } from "../../../src/oci/descriptor.ts";
import { digestOf } from "../../../src/oci/digest.ts";
import type { RegistryClient } from "../../../src/registry/client.ts";
import { type FaultyRegistry, startFaultyRegistry } from "../../helpers/faulty-registry.ts";
import { failureOf, openClient } from "../../helpers/registry-client.ts";

let registry: FaultyRegistry;
let client: RegistryClient;
beforeEach(async () => {
  registry = await startFaultyRegistry();
  client = openClient(registry.host);
});
afterEach(async () => {
  await client.close();
  await registry.close();
});

const layers = [{ tar: new Uint8Array(1024), compression: "gzip" }] as const;

function methods(): string[] {
  return registry.requests.filter(({ path }) => path.includes("/manifests/")).map(({ method }) => method);
}

describe("resolve", () => {
  test("is one HEAD, for tags and digests", async () => {
    const { descriptor } = registry.addImage("team/app", "v1", { layers });
    expect(await client.resolve("v1")).toEqual(descriptor);
    expect(await client.resolve(descriptor.digest)).toEqual(descriptor);
    expect(methods()).toEqual(["HEAD", "HEAD"]);
  });

  test("asks for all that devbox reads", async () => {
    registry.addImage("team/app", "v1", { layers });
    await client.resolve("v1");
    const { ociIndex, ociManifest, dockerManifestList, dockerManifest } = mediaTypes;
    const accept = [ociIndex, ociManifest, dockerManifestList, dockerManifest].join(", ");
    expect(registry.requests.at(-1)?.headers["accept"]).toBe(accept);
  });

  const gaps: Record<string, string | undefined>[] = [
    { "docker-content-digest": undefined },
    { "docker-content-digest": "sha256:short" },
    { "docker-content-digest": `sha256:${"0".repeat(64)}`, "content-type": "text/html" },
    { "content-type": undefined },
    { "content-type": "application/json" },
    { "content-length": "0" },
  ];
  test.each(gaps)("falls back to GET where HEAD says %j", async (headers) => {
    const { descriptor } = registry.addImage("team/app", "v1", { layers });
    registry.fault(/HEAD/, { kind: "headers", headers });
    expect(await client.resolve("v1")).toEqual(descriptor);
    expect(methods()).toEqual(["HEAD", "GET"]);
  });

  test("falls back to GET where HEAD is not known", async () => {
    const { descriptor } = registry.addImage("team/app", "v1", { layers });
    registry.fault(/HEAD/, { kind: "status", status: 405 });
    expect(await client.resolve("v1")).toEqual(descriptor);
  });

  test("tells the registry's own words", async () => {
    const error = await failureOf(client.resolve("missing"));
    expect(error.code).toBe("REGISTRY_NOT_FOUND");
    expect(error.message).toBe(
      `fetch ${registry.host}/team/app:missing: ${registry.host} answered 404: manifest unknown (MANIFEST_UNKNOWN)`,
    );
  });

  test("does not believe another digest than the one asked for", async () => {
    const { descriptor } = registry.addImage("team/app", "v1", { layers });
    registry.fault(/HEAD/, { kind: "headers", headers: { "docker-content-digest": `sha256:${"0".repeat(64)}` } });
    expect(await client.resolve(descriptor.digest)).toEqual(descriptor);
  });
});

describe("fetchManifest", () => {
  test("by tag, digest and descriptor", async () => {
    const { descriptor, manifest } = registry.addImage("team/app", "v1", { layers });
    for (const wanted of ["v1", descriptor.digest, descriptor]) {
      const fetched = await client.fetchManifest(wanted);
      expect(fetched.descriptor).toEqual(descriptor);
      expect(JSON.parse(Buffer.from(fetched.bytes).toString())).toEqual(manifest);
    }
  });

  test("an index, whatever Content-Type a careless registry sends", async () => {
    const index = { schemaVersion: 2, manifests: [] };
    const expected = registry.addManifest("team/app", "v1", index, mediaTypes.ociIndex);
    expect((await client.fetchManifest("v1")).descriptor).toEqual(expected);
    registry.fault(/GET/, { kind: "headers", headers: { "content-type": "application/json; charset=utf-8" } });
    expect((await client.fetchManifest("v1")).descriptor).toEqual(expected);
  });

  test("embedded in a descriptor", async () => {
    const { descriptor, manifest } = registry.addImage("team/app", "v1", { layers });
    const data = Buffer.from(JSON.stringify(manifest)).toString("base64");
    expect((await client.fetchManifest({ ...descriptor, data })).bytes.byteLength).toBe(descriptor.size);
    expect(methods()).toEqual([]);
  });

  test("altered content, by tag, digest and descriptor", async () => {
    const { descriptor } = registry.addImage("team/app", "v1", { layers });
    registry.fault(/GET .*manifests/, { kind: "corrupt" });
    for (const wanted of ["v1", descriptor.digest, descriptor]) {
      expect((await failureOf(client.fetchManifest(wanted))).code).toBe("DIGEST_MISMATCH");
    }
    expect((await failureOf(client.fetchManifest({ ...descriptor, size: 5 }))).code).toBe("SIZE_MISMATCH");
  });

  test("a tag without Docker-Content-Digest is named by its content", async () => {
    const { descriptor } = registry.addImage("team/app", "v1", { layers });
    registry.fault(/GET/, { kind: "headers", headers: { "docker-content-digest": undefined } });
    expect((await client.fetchManifest("v1")).descriptor).toEqual(descriptor);
  });

  test("a cut body is asked for again", async () => {
    registry.addImage("team/app", "v1", { layers });
    registry.fault(/GET .*manifests/, { kind: "cut", afterBytes: 10 }, 2);
    await client.fetchManifest("v1");
    expect(methods()).toEqual(["GET", "GET", "GET"]);
  });

  test("Content-Type and content must agree (CVE-2021-41190)", async () => {
    const { manifest } = registry.addImage("team/app", "v1", { layers });
    registry.addManifest("team/app", "v2", manifest, mediaTypes.ociIndex);
    expect((await failureOf(client.fetchManifest("v2"))).code).toBe("BAD_MANIFEST");
  });

  test("docker schema 1 is refused by name", async () => {
    const schema1 = { schemaVersion: 1, name: "team/app", fsLayers: [] };
    const type = "application/vnd.docker.distribution.manifest.v1+prettyjws";
    registry.addManifest("team/app", "old", schema1, type);
    const error = await failureOf(client.fetchManifest("old"));
    expect(error.code).toBe("UNSUPPORTED_MEDIA_TYPE");
    expect(error.because).toContain("docker schema 1");
  });

  test("more than 4 MiB is not read", async () => {
    registry.addManifest("team/app", "huge", new Uint8Array(4 * 1024 * 1024 + 1).fill(0x20));
    const error = await failureOf(client.fetchManifest("huge"));
    expect([error.code, error.because]).toEqual([
      "REGISTRY_REFUSED",
      `the answer of ${registry.host} is longer than 4194304 bytes`,
    ]);
  });

  test("sha512 digests are verified as such", async () => {
    const { manifest } = registry.addImage("team/app", "v1", { layers });
    const bytes = Buffer.from(JSON.stringify(manifest));
    const digest = digestOf(bytes, "sha512");
    registry.addManifest("team/app", digest, bytes);
    expect((await client.fetchManifest(digest)).descriptor.digest).toBe(digest);
  });
});
