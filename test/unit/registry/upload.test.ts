import { describe, expect, test } from "bun:test";
import { DevboxError } from "../../../src/core/errors.ts";
import type { RegistryClient, RegistryClientOptions } from "../../../src/registry/client.ts";
import { type FaultyRegistry, startFaultyRegistry } from "../../helpers/faulty-registry.ts";
import {
  failureOf,
  openClient,
  patternBytes,
  quickRetry,
  recordingContext,
  shortTimeouts,
} from "../../helpers/registry-client.ts";
import { startSpecRegistry } from "../../helpers/spec-registry.ts";
import { contentOf } from "../../helpers/upload-content.ts";

const MiB = 1024 * 1024;
const large = patternBytes(3 * MiB + 17);

function openPush(host: string, options: Partial<RegistryClientOptions> = {}): RegistryClient {
  return openClient(host, recordingContext(), { access: "push", ...options });
}

/** `PATCH 1000`: method and bytes of what concerned uploads, in order. */
function sent(registry: FaultyRegistry): readonly string[] {
  return registry.requests
    .filter(({ path }) => path.includes("/blobs/"))
    .map(({ bodyBytes, method }) => (bodyBytes === 0 ? method : `${method} ${bodyBytes}`));
}

function stored(registry: FaultyRegistry, content: { readonly descriptor: { readonly digest: string } }) {
  return registry.findBlob(content.descriptor.digest);
}

describe("what goes over the wire", () => {
  test("what is there is not sent", async () => {
    await using registry = await startFaultyRegistry();
    const content = contentOf(large);
    registry.addBlob(large);
    await using client = openPush(registry.host);
    expect(await client.pushBlob(content)).toBe("there");
    expect(sent(registry)).toEqual(["HEAD"]);
    expect(content.opened).toEqual([]);
  });

  test.each([0, 1, 1000, MiB])("%d bytes: one request after the upload is opened", async (size) => {
    await using registry = await startFaultyRegistry();
    const content = contentOf(patternBytes(size));
    await using client = openPush(registry.host);
    expect(await client.pushBlob(content)).toBe("copied");
    expect(sent(registry)).toEqual(["HEAD", "POST", size === 0 ? "PUT" : `PUT ${size}`]);
    expect(stored(registry, content)).toEqual(Buffer.from(content.bytes));
  });

  test("more: in one piece, then completed; every request names its range and type", async () => {
    await using registry = await startFaultyRegistry();
    const content = contentOf(large);
    await using client = openPush(registry.host);
    const progress: number[] = [];
    expect(await client.pushBlob(content, { onProgress: (done) => progress.push(done) })).toBe("copied");
    expect(sent(registry)).toEqual(["HEAD", "POST", `PATCH ${large.byteLength}`, "PUT"]);
    const headers = registry.requests.find(({ method }) => method === "PATCH")?.headers;
    expect([headers?.["content-range"], headers?.["content-length"], headers?.["content-type"]]).toEqual([
      `0-${large.byteLength - 1}`,
      String(large.byteLength),
      "application/octet-stream",
    ]);
    expect(progress).toEqual([...progress].sort((a, b) => a - b));
    expect(progress.at(-1)).toBe(large.byteLength);
    expect(stored(registry, content)?.byteLength).toBe(large.byteLength);
  });

  test("sha512 is told beforehand", async () => {
    await using registry = await startSpecRegistry();
    const content = contentOf(patternBytes(1000), { algorithm: "sha512" });
    await using client = openPush(registry.host);
    expect(await client.pushBlob(content)).toBe("copied");
    expect(registry.requests[1]).toBe("POST /v2/team/app/blobs/uploads/?digest-algorithm=sha512");
    expect(registry.repository("team/app").blobs.has(content.descriptor.digest)).toBe(true);
  });

  test("chunks where the registry announces their least length; the source is read once", async () => {
    const least = 33 * MiB;
    await using registry = await startSpecRegistry({ minChunkBytes: least });
    const content = contentOf(patternBytes(least + 5 * MiB), { seekable: false });
    await using client = openPush(registry.host);
    expect(await client.pushBlob(content)).toBe("copied");
    expect(registry.requests.map((request) => request.split(" ")[0])).toEqual([
      "HEAD",
      "POST",
      "PATCH",
      "PATCH",
      "PUT",
    ]);
    expect(content.opened).toEqual([0]);
    expect(registry.repository("team/app").blobs.get(content.descriptor.digest)).toEqual(Buffer.from(content.bytes));
  });

  test("chunks where a request was too large", async () => {
    await using registry = await startFaultyRegistry();
    registry.fault(/^PATCH/, { kind: "status", status: 413, isEarly: true, body: "<html>nginx</html>" }, 1);
    const content = contentOf(patternBytes(33 * MiB));
    await using client = openPush(registry.host);
    expect(await client.pushBlob(content)).toBe("copied");
    expect(sent(registry).slice(-4)).toEqual(["GET", `PATCH ${32 * MiB}`, `PATCH ${MiB}`, "PUT"]);
  });

  test("too large, though it is small: an error that says whom to ask", async () => {
    await using registry = await startFaultyRegistry();
    registry.fault(/^PUT/, { kind: "status", status: 413, body: "<html>nginx</html>" });
    await using client = openPush(registry.host);
    const error = await failureOf(client.pushBlob(contentOf(patternBytes(1000))));
    expect([error.code, error.because]).toEqual(["REGISTRY_REFUSED", `${registry.host} answered 413`]);
    expect(error.hint).toContain("takes nothing of this size");
    expect(registry.uploads.open).toEqual([]);
  });
});

describe("goes on", () => {
  test("where the connection broke in the middle: what the registry has is not sent again", async () => {
    await using registry = await startFaultyRegistry();
    registry.fault(/^PATCH/, { kind: "break", afterBytes: 2 * MiB, keeps: true }, 1);
    const content = contentOf(large);
    await using client = openPush(registry.host);
    expect(await client.pushBlob(content)).toBe("copied");
    const rest = large.byteLength - 2 * MiB;
    expect(sent(registry)).toEqual(["HEAD", "POST", `PATCH ${2 * MiB}`, "GET", `PATCH ${rest}`, "PUT"]);
    expect(content.opened).toEqual([0, 2 * MiB]);
    expect(stored(registry, content)).toEqual(Buffer.from(large));
  });

  test("from a source that cannot start in the middle", async () => {
    await using registry = await startFaultyRegistry();
    registry.fault(/^PATCH/, { kind: "break", afterBytes: 2 * MiB, keeps: true }, 1);
    const content = contentOf(large, { seekable: false });
    await using client = openPush(registry.host);
    expect(await client.pushBlob(content)).toBe("copied");
    expect(content.opened).toEqual([0, 0]);
    expect(stored(registry, content)).toEqual(Buffer.from(large));
  });

  test.each([500, 502, 503, 504, 408, 429])("after status %d, from where it is", async (status) => {
    await using registry = await startFaultyRegistry();
    registry.fault(/^PATCH/, { kind: "break", afterBytes: MiB, keeps: true }, 1);
    registry.fault(/^PATCH/, { kind: "status", status }, 1);
    await using client = openPush(registry.host);
    expect(await client.pushBlob(contentOf(large))).toBe("copied");
    expect(sent(registry).at(-2)).toBe(`PATCH ${large.byteLength - MiB}`);
  });

  test("where only the answer was lost", async () => {
    await using registry = await startFaultyRegistry();
    registry.fault(/^(PATCH|PUT)/, { kind: "reset" }, 2);
    await using client = openPush(registry.host);
    expect(await client.pushBlob(contentOf(large))).toBe("copied");
    expect(sent(registry)).toEqual(["HEAD", "POST", `PATCH ${large.byteLength}`, "GET", "PUT", "GET", "HEAD"]);
  });

  test("where the registry took less than was sent, and said so", async () => {
    await using registry = await startFaultyRegistry();
    registry.fault(/^PATCH/, { kind: "take-part", bytes: MiB }, 1);
    await using client = openPush(registry.host);
    expect(await client.pushBlob(contentOf(large))).toBe("copied");
    const rest = large.byteLength - MiB;
    expect(sent(registry).slice(2)).toEqual([`PATCH ${large.byteLength}`, `PATCH ${rest}`, "PUT"]);
  });

  test("anew, where the upload is gone", async () => {
    await using registry = await startFaultyRegistry();
    registry.fault(/^PATCH/, { kind: "lose-upload" }, 1);
    registry.fault(/^PATCH/, { kind: "break", afterBytes: 2 * MiB, keeps: false }, 1);
    await using client = openPush(registry.host);
    expect(await client.pushBlob(contentOf(large))).toBe("copied");
    expect(sent(registry).filter((one) => one === "POST").length).toBe(3);
    expect(stored(registry, contentOf(large))).toEqual(Buffer.from(large));
  });

  test("in chunks, where nothing of what was sent was kept", async () => {
    await using registry = await startFaultyRegistry();
    registry.fault(/^PATCH/, { kind: "break", afterBytes: 33 * MiB, keeps: false }, 1);
    await using client = openPush(registry.host);
    expect(await client.pushBlob(contentOf(patternBytes(34 * MiB)))).toBe("copied");
    expect(sent(registry).slice(-3)).toEqual([`PATCH ${32 * MiB}`, `PATCH ${2 * MiB}`, "PUT"]);
  });

  test("after 416, from where the registry says; anew where that is what it refused", async () => {
    await using registry = await startFaultyRegistry();
    registry.fault(/^PATCH/, { kind: "status", status: 416 }, 1);
    await using client = openPush(registry.host);
    expect(await client.pushBlob(contentOf(large))).toBe("copied");
    expect(sent(registry).filter((one) => one === "POST").length).toBe(2);
    expect(registry.uploads.open).toEqual([]);
  });

  test("with a new token, where the old one expired in the middle", async () => {
    await using registry = await startFaultyRegistry({ auth: { kind: "bearer", expiresInSeconds: 3600 } });
    registry.fault(/^PATCH/, { kind: "revoke" }, 1);
    const content = contentOf(large);
    await using client = openPush(registry.host);
    expect(await client.pushBlob(content)).toBe("copied");
    expect(registry.auth?.issued.length).toBe(2);
    expect(stored(registry, content)).toEqual(Buffer.from(large));
  });

  test("as long as it gets on: the count of failures starts anew", async () => {
    await using registry = await startFaultyRegistry();
    const times = quickRetry.attempts + 3;
    registry.fault(/^PATCH/, { kind: "break", afterBytes: MiB, keeps: true }, times);
    await using client = openPush(registry.host);
    expect(await client.pushBlob(contentOf(patternBytes((times + 1) * MiB)))).toBe("copied");
  });
});

describe("ends", () => {
  test("after some tries without progress; the error names blob, registry and reason, and the upload is cancelled", async () => {
    await using registry = await startFaultyRegistry();
    const body = JSON.stringify({ errors: [{ code: "UNKNOWN", message: "no space left on device" }] });
    registry.fault(/^PATCH/, { kind: "status", status: 500, body });
    await using client = openPush(registry.host);
    const content = contentOf(large);
    const error = await failureOf(client.pushBlob(content));
    expect([error.code, error.step, error.because]).toEqual([
      "REGISTRY_REFUSED",
      `push blob ${content.descriptor.digest} to ${registry.host}/team/app`,
      `${registry.host} answered 500: no space left on device (UNKNOWN)`,
    ]);
    expect(sent(registry).filter((one) => one.startsWith("PATCH")).length).toBe(quickRetry.attempts);
    expect(registry.uploads.open).toEqual([]);
  });

  test("where the registry loses every upload, however far it gets", async () => {
    await using registry = await startFaultyRegistry();
    registry.fault(/^PATCH/, { kind: "break", afterBytes: 2 * MiB, keeps: false });
    await using client = openPush(registry.host);
    expect((await failureOf(client.pushBlob(contentOf(large)))).code).toBe("REGISTRY_UNREACHABLE");
    expect(sent(registry).filter((one) => one.startsWith("PATCH")).length).toBe(quickRetry.attempts);
  });

  test("where the registry takes nothing more: the watch ends it, not the user", async () => {
    await using registry = await startFaultyRegistry();
    registry.fault(/^PATCH/, { kind: "take-nothing" });
    await using client = openPush(registry.host, { timeouts: { ...shortTimeouts, uploadAnswerMs: 60_000 } });
    // More than the buffers of both sockets hold: what nobody takes is not read.
    let taken = 0;
    const onProgress = (done: number): void => {
      taken = Math.max(taken, done);
    };
    const error = await failureOf(client.pushBlob(contentOf(patternBytes(64 * MiB)), { onProgress }));
    expect(taken).toBeLessThan(32 * MiB);
    expect([error.code, error.because]).toEqual([
      "REGISTRY_UNREACHABLE",
      `${registry.host} stopped taking what is sent to it (DEVBOX_SEND_STALLED)`,
    ]);
  });

  test("when the caller stops", async () => {
    await using registry = await startFaultyRegistry();
    registry.fault(/^PATCH/, { kind: "silence" });
    const controller = new AbortController();
    await using client = openClient(registry.host, recordingContext({}, controller.signal), { access: "push" });
    const onProgress = (done: number): void => {
      if (done === large.byteLength) controller.abort();
    };
    expect((await failureOf(client.pushBlob(contentOf(large), { onProgress }))).code).toBe("INTERRUPTED");
    expect(stored(registry, contentOf(large))).toBeUndefined();
  });

  test.each([
    ["other bytes", 1000, (bytes: Uint8Array) => bytes.map((byte) => byte ^ 1), "DIGEST_MISMATCH"],
    ["fewer bytes", 1000, (bytes: Uint8Array) => bytes.subarray(1), "SIZE_MISMATCH"],
    ["more bytes", 1000, (bytes: Uint8Array) => Buffer.concat([bytes, bytes]), "SIZE_MISMATCH"],
    ["other bytes, large", 2 * MiB, (bytes: Uint8Array) => bytes.map((byte) => byte ^ 1), "DIGEST_MISMATCH"],
    ["fewer bytes, large", 2 * MiB, (bytes: Uint8Array) => bytes.subarray(1), "SIZE_MISMATCH"],
    ["more bytes, large", 2 * MiB, (bytes: Uint8Array) => Buffer.concat([bytes, bytes]), "SIZE_MISMATCH"],
  ] as const)("where the content is not what its descriptor says: %s", async (_, size, change, code) => {
    await using registry = await startFaultyRegistry();
    const { descriptor } = contentOf(patternBytes(size));
    await using client = openPush(registry.host);
    const error = await failureOf(client.pushBlob({ ...contentOf(change(patternBytes(size))), descriptor }));
    expect(error.code).toBe(code);
    expect(registry.requests.some(({ method, path }) => method === "PUT" && path.includes("digest="))).toBe(false);
    expect(registry.uploads.open).toEqual([]);
  });

  test("with what the source throws", async () => {
    await using registry = await startFaultyRegistry();
    const { descriptor, bytes } = contentOf(large);
    const stream = (async function* () {
      yield bytes.subarray(0, 500_000);
      throw new DevboxError("STORE_DAMAGED", { step: "read a blob" });
    })();
    await using client = openPush(registry.host);
    const error = await failureOf(client.pushBlob({ descriptor, open: async () => ({ stream, offset: 0 }) }));
    expect(error.code).toBe("STORE_DAMAGED");
    expect(registry.uploads.open).toEqual([]);
  });

  test("where the registry says that it stored something else", async () => {
    await using registry = await startFaultyRegistry();
    const other = contentOf(patternBytes(10)).descriptor.digest;
    registry.fault(/^PUT/, { kind: "headers", headers: { "docker-content-digest": other } });
    await using client = openPush(registry.host);
    const error = await failureOf(client.pushBlob(contentOf(large)));
    expect([error.code, error.because]).toEqual([
      "DIGEST_MISMATCH",
      `${registry.host} says that it stored ${other} where ${contentOf(large).descriptor.digest} was sent`,
    ]);
  });

  test.each([
    ["0-99999999", "more than was sent"],
    ["0-9999999999999999999", "nonsense"],
  ])("where the registry claims to have %s: %s, all is sent again", async (range) => {
    await using registry = await startFaultyRegistry();
    registry.fault(/^PATCH/, { kind: "break", afterBytes: MiB, keeps: true }, 1);
    registry.fault(/^GET/, { kind: "headers", headers: { range } }, 1);
    await using client = openPush(registry.host);
    expect(await client.pushBlob(contentOf(large))).toBe("copied");
    expect(sent(registry).filter((one) => one === `PATCH ${large.byteLength}`).length).toBe(1);
  });

  test.each([401, 403])("status %d: the hint says for whom to log in", async (status) => {
    await using registry = await startFaultyRegistry();
    const body = JSON.stringify({ errors: [{ code: "DENIED", message: "requested access is denied" }] });
    registry.fault(/^POST/, { kind: "status", status, body });
    await using client = openPush(registry.host);
    const error = await failureOf(client.pushBlob(contentOf(large)));
    expect([error.code, error.because, error.hint]).toEqual([
      "REGISTRY_AUTH",
      `${registry.host} answered ${status}: requested access is denied (DENIED)`,
      `log in as somebody who may push to team/app: devbox login ${registry.host}`,
    ]);
  });

  test("an upload that is opened nowhere", async () => {
    await using registry = await startFaultyRegistry();
    registry.fault(/^POST/, { kind: "headers", headers: { location: undefined } });
    await using client = openPush(registry.host);
    expect((await failureOf(client.pushBlob(contentOf(large)))).because).toContain("without saying where");
  });
});
