import { describe, expect, test } from "bun:test";
import { mediaTypes } from "../../../src/oci/descriptor.ts";
import { digestOf } from "../../../src/oci/digest.ts";
import { startFaultyRegistry } from "../../helpers/faulty-registry.ts";
import { failureOf, openClient, recordingContext } from "../../helpers/registry-client.ts";
import { startSpecRegistry } from "../../helpers/spec-registry.ts";

const empty = new TextEncoder().encode("{}");
const config = { mediaType: "application/vnd.oci.empty.v1+json", digest: digestOf(empty), size: empty.byteLength };
const type = mediaTypes.ociManifest;

function manifestOf(more: object = {}): Uint8Array {
  return new TextEncoder().encode(
    JSON.stringify({ schemaVersion: 2, mediaType: type, artifactType: "a/b", config, layers: [config], ...more }),
  );
}

const push = { access: "push" } as const;

describe("putManifest", () => {
  test("by tag and by digest, of sha256 and sha512", async () => {
    await using registry = await startSpecRegistry();
    await using client = openClient(registry.host, recordingContext(), push);
    const { blobs, manifests, tags } = registry.repository("team/app");
    blobs.set(config.digest, empty);
    const bytes = manifestOf();
    expect(await client.putManifest("latest", bytes, type)).toEqual({ digest: digestOf(bytes), subject: false });
    expect(tags.get("latest")).toBe(digestOf(bytes));
    for (const digest of [digestOf(bytes), digestOf(bytes, "sha512")]) {
      expect((await client.putManifest(digest, bytes, type)).digest).toBe(digest);
      expect(manifests.get(digest)).toEqual({ bytes, mediaType: type });
    }
  });

  test("a registry that knows subjects says so", async () => {
    const bytes = manifestOf({ subject: { ...config, mediaType: type } });
    for (const referrers of [true, false]) {
      await using registry = await startSpecRegistry({ referrers });
      await using client = openClient(registry.host, recordingContext(), push);
      registry.repository("team/app").blobs.set(config.digest, empty);
      expect((await client.putManifest(digestOf(bytes), bytes, type)).subject).toBe(referrers);
    }
  });

  test("under a digest that is not its own it is not sent", async () => {
    await using registry = await startFaultyRegistry();
    await using client = openClient(registry.host, recordingContext(), push);
    const error = await failureOf(client.putManifest(config.digest, manifestOf(), type));
    expect(error.code).toBe("DIGEST_MISMATCH");
    expect(registry.requests).toEqual([]);
  });

  test("nor where it is larger than registries take", async () => {
    await using registry = await startFaultyRegistry();
    await using client = openClient(registry.host, recordingContext(), push);
    const bytes = new Uint8Array(4 * 1024 * 1024 + 1);
    expect((await failureOf(client.putManifest("latest", bytes, type))).because).toContain("registries take 4194304");
    expect(registry.requests).toEqual([]);
  });

  test("the registry may be ill for a while", async () => {
    await using registry = await startFaultyRegistry();
    registry.fault(/^PUT/, { kind: "status", status: 503 }, 1);
    registry.fault(/^PUT/, { kind: "break", afterBytes: 10, keeps: false }, 1);
    await using client = openClient(registry.host, recordingContext(), push);
    await client.resolve("none").catch(() => {});
    await client.putManifest("latest", manifestOf(), type);
    expect(registry.findManifest("team/app", "latest")?.bytes).toEqual(manifestOf());
  });

  test("a registry that stored something else is found out", async () => {
    await using registry = await startFaultyRegistry();
    const headers = { "docker-content-digest": config.digest };
    registry.fault(/^PUT/, { kind: "headers", headers });
    await using client = openClient(registry.host, recordingContext(), push);
    const error = await failureOf(client.putManifest("latest", manifestOf(), type));
    expect([error.code, error.because]).toEqual([
      "DIGEST_MISMATCH",
      `${registry.host} says that it stored ${config.digest} where ${digestOf(manifestOf())} was sent`,
    ]);
  });

  test.each([
    [400, "TAG_INVALID", "manifest tag did not match URI", "REGISTRY_REFUSED", "try again later"],
    [400, "MANIFEST_BLOB_UNKNOWN", "blob unknown to registry", "REGISTRY_REFUSED", "try again later"],
    [401, "UNAUTHORIZED", "authentication required", "REGISTRY_AUTH", "devbox login 127.0.0.1"],
    [403, "DENIED", "requested access is denied", "REGISTRY_AUTH", "may push to team/app"],
    [404, "NAME_UNKNOWN", "repository name not known", "REGISTRY_NOT_FOUND", "made first"],
    [405, "UNSUPPORTED", "The operation is unsupported.", "REGISTRY_REFUSED", "read-only"],
    [413, "SIZE_INVALID", "too large", "REGISTRY_REFUSED", "takes nothing of this size"],
  ])("status %d %s in words", async (status, code, message, kind, hint) => {
    await using registry = await startFaultyRegistry();
    registry.fault(/^PUT/, { kind: "status", status, body: JSON.stringify({ errors: [{ code, message }] }) });
    await using client = openClient(registry.host, recordingContext(), push);
    const error = await failureOf(client.putManifest("latest", manifestOf(), type));
    expect([error.code as string, error.step, error.because]).toEqual([
      kind,
      `push manifest ${registry.host}/team/app:latest`,
      `${registry.host} answered ${status}: ${message} (${code})`,
    ]);
    expect(error.hint).toContain(hint);
  });
});
