import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import type { Descriptor } from "../../../src/oci/descriptor.ts";
import { mediaTypes } from "../../../src/oci/descriptor.ts";
import type { RegistryClient } from "../../../src/registry/client.ts";
import { type Fault, type FaultyRegistry, startFaultyRegistry } from "../../helpers/faulty-registry.ts";
import {
  failureOf,
  openClient,
  patternBytes,
  quickRetry,
  readStream,
  recordingContext,
  shortTimeouts,
} from "../../helpers/registry-client.ts";

const SIZE = 200_000;
const content = patternBytes(SIZE);

let registry: FaultyRegistry;
let client: RegistryClient;
let blob: Descriptor;
beforeEach(async () => {
  registry = await startFaultyRegistry();
  client = openClient(registry.host);
  blob = registry.addBlob(content, mediaTypes.ociLayer);
});
afterEach(async () => {
  await client.close();
  await registry.close();
});

async function download(descriptor: Descriptor, offset = 0, from = client) {
  const opened = await from.fetchBlob(descriptor, { offset });
  return { ...opened, bytes: await readStream(opened.stream) };
}

function ranges(): (string | undefined)[] {
  return registry.requests.filter(({ path }) => path.includes("/blobs/")).map(({ headers }) => headers["range"]);
}

test("a blob, whole", async () => {
  const { bytes, offset, totalBytes, validator } = await download(blob);
  expect(bytes.equals(content)).toBe(true);
  expect({ offset, totalBytes, validator }).toEqual({ offset: 0, totalBytes: SIZE, validator: `"${blob.digest}"` });
  expect(registry.requests.at(-1)?.headers["accept-encoding"]).toBe("identity");
});

describe("from an earlier run", () => {
  test("the rest is asked for", async () => {
    const { bytes, offset } = await download(blob, 150_000);
    expect(offset).toBe(150_000);
    expect(bytes.equals(content.subarray(150_000))).toBe(true);
    expect(ranges()).toEqual(["bytes=150000-"]);
  });

  test("a registry without ranges sends all, and the stream says so", async () => {
    registry.fault(/blobs/, { kind: "ignore-range" });
    const { bytes, offset } = await download(blob, 150_000);
    expect(offset).toBe(0);
    expect(bytes.equals(content)).toBe(true);
  });

  test("a validator that no longer holds starts at 0", async () => {
    const { stream, offset } = await client.fetchBlob(blob, { offset: 150_000, validator: '"other"' });
    expect(offset).toBe(0);
    expect((await readStream(stream)).equals(content)).toBe(true);
  });

  test("more than there is starts at 0; all of it asks nothing", async () => {
    expect((await download(blob, SIZE + 1)).offset).toBe(0);
    const before = registry.requests.length;
    const { bytes, offset } = await download(blob, SIZE);
    expect([offset, bytes.length, registry.requests.length]).toEqual([SIZE, 0, before]);
  });

  test("a range that the registry finds not satisfiable starts at 0", async () => {
    registry.fault(/blobs/, { kind: "status", status: 416 }, 1);
    const { bytes, offset } = await download(blob, 150_000);
    expect([offset, bytes.equals(content)]).toEqual([0, true]);
  });

  test.each([
    ["bytes 160000-199999/200000", "REGISTRY_REFUSED"],
    ["bytes 150000-199999/200001", "SIZE_MISMATCH"],
    [undefined, "REGISTRY_REFUSED"],
  ])("Content-Range: %p is an error", async (range, code) => {
    registry.fault(/blobs/, { kind: "headers", headers: { "content-range": range } });
    const error = await failureOf(client.fetchBlob(blob, { offset: 150_000 }));
    expect(String(error.code)).toBe(code);
  });
});

describe("mended in the stream", () => {
  const faults: [string, Fault][] = [
    ["cut", { kind: "cut", afterBytes: 60_000 }],
    ["cut before the first byte", { kind: "cut", afterBytes: 0 }],
    ["ended too soon without Content-Length", { kind: "short", bytes: 60_000 }],
  ];
  test.each(faults)("%s", async (_, fault) => {
    registry.fault(/blobs/, fault, 2);
    const { bytes } = await download(blob);
    expect(bytes.equals(content)).toBe(true);
    expect(ranges().length).toBe(3);
  });

  test("stalled", async () => {
    registry.fault(/blobs/, { kind: "stall", afterBytes: 60_000 }, 1);
    const impatient = openClient(registry.host, recordingContext(), { timeouts: shortTimeouts });
    const { bytes } = await download(blob, 0, impatient);
    expect(bytes.equals(content)).toBe(true);
    await impatient.close();
  });

  test("only what is missing is asked for again, if the content is still the same", async () => {
    registry.fault(/blobs/, { kind: "cut", afterBytes: 60_000 }, 1);
    await download(blob);
    expect(ranges()).toEqual([undefined, "bytes=60000-"]);
    expect(registry.requests.at(-1)?.headers["if-range"]).toBe(`"${blob.digest}"`);
  });

  test("where the registry has no ranges, what is there already is passed over", async () => {
    registry.fault(/blobs/, { kind: "cut", afterBytes: 60_000 }, 1);
    registry.fault(/blobs/, { kind: "ignore-range" });
    const { bytes } = await download(blob);
    expect(bytes.equals(content)).toBe(true);
  });

  test("an earlier run and a cut together", async () => {
    registry.fault(/blobs/, { kind: "cut", afterBytes: 10_000 }, 1);
    const { bytes } = await download(blob, 150_000);
    expect(bytes.equals(content.subarray(150_000))).toBe(true);
    expect(ranges()).toEqual(["bytes=150000-", "bytes=160000-"]);
  });

  test("progress starts the count of failures anew", async () => {
    const large = patternBytes(6 * 1024 * 1024, 7);
    const descriptor = registry.addBlob(large);
    registry.fault(/blobs/, { kind: "cut", afterBytes: 1024 * 1024 + 1 });
    expect((await download(descriptor)).bytes.equals(large)).toBe(true);
    expect(ranges().length).toBeGreaterThan(quickRetry.attempts);
  });

  test("the registry may be ill when it is asked again", async () => {
    registry.fault(/blobs/, { kind: "cut", afterBytes: 60_000 }, 1);
    registry.fault(/blobs/, { kind: "status", status: 503 }, 2);
    expect((await download(blob)).bytes.equals(content)).toBe(true);
  });
});

describe("given up", () => {
  test("after some tries without progress; the error names registry, digest and reason", async () => {
    registry.fault(/blobs/, { kind: "cut", afterBytes: 1_000 });
    const error = await failureOf(download(blob));
    expect(error.code).toBe("REGISTRY_UNREACHABLE");
    expect(error.step).toBe(`fetch blob ${blob.digest} of ${registry.host}/team/app`);
    expect(error.because).toBe(
      `${registry.host} closed the connection in the middle (UND_ERR_SOCKET); tried ${quickRetry.attempts} times`,
    );
    expect(ranges().length).toBe(quickRetry.attempts);
  });

  test("at once where the size is not the announced one", async () => {
    const error = await failureOf(client.fetchBlob({ ...blob, size: SIZE - 1 }));
    expect([error.code, error.because]).toEqual([
      "SIZE_MISMATCH",
      `${registry.host} has 200000 bytes where 199999 were announced`,
    ]);
  });

  test("at once where there is more than announced, without reading it all", async () => {
    registry.fault(/blobs/, { kind: "long", extraBytes: 5 });
    const error = await failureOf(download(blob));
    expect(error.code).toBe("SIZE_MISMATCH");
    expect(ranges().length).toBe(1);
  });

  test("where the content behind the URL shrinks while it is read", async () => {
    registry.fault(/blobs/, { kind: "cut", afterBytes: 60_000 }, 1);
    registry.fault(/blobs/, { kind: "headers", headers: { "content-range": "bytes 60000-60001/60002" } }, 1);
    expect((await failureOf(download(blob))).code).toBe("SIZE_MISMATCH");
  });

  test("where there is no such blob", async () => {
    const missing = { ...blob, digest: `sha256:${"0".repeat(64)}` } as const;
    const error = await failureOf(client.fetchBlob(missing));
    expect(error.code).toBe("REGISTRY_NOT_FOUND");
    expect(error.because).toBe(`${registry.host} answered 404: blob unknown to registry (BLOB_UNKNOWN)`);
  });

  test("when the caller stops, in the stream and in the wait before the next try", async () => {
    registry.fault(/blobs/, { kind: "stall", afterBytes: 60_000 }, 1);
    registry.fault(/blobs/, { kind: "cut", afterBytes: 1_000 });
    for (const retry of [quickRetry, { ...quickRetry, baseMs: 3_600_000, maxMs: 3_600_000 }]) {
      const controller = new AbortController();
      const context = recordingContext({}, controller.signal);
      const stopped = openClient(registry.host, context, { retry });
      const { stream } = await stopped.fetchBlob(blob);
      const failure = failureOf(readStream(stream));
      controller.abort();
      expect((await failure).code).toBe("INTERRUPTED");
      await stopped.close();
    }
  });
});

test("a reader that stops early ends the connection", async () => {
  registry.fault(/blobs/, { kind: "stall", afterBytes: 60_000 }, 1);
  const { stream } = await client.fetchBlob(blob);
  for await (const _ of stream) break;
  await registry.hungUp;
  expect((await download(blob)).bytes.equals(content)).toBe(true);
});

test("an opened blob that nobody reads does not outlive the client", async () => {
  registry.fault(/blobs/, { kind: "stall", afterBytes: 60_000 }, 1);
  const other = openClient(registry.host);
  await other.fetchBlob(blob);
  await other.close();
  await registry.hungUp;
});

test("a slow reader is not taken for a stall", async () => {
  const large = patternBytes(16 * 1024 * 1024, 3);
  const descriptor = registry.addBlob(large);
  const impatient = openClient(registry.host, recordingContext(), { timeouts: shortTimeouts });
  const { stream } = await impatient.fetchBlob(descriptor);
  const chunks: Uint8Array[] = [];
  for await (const chunk of stream) {
    if (chunks.length === 1) await Bun.sleep(3 * shortTimeouts.bodyStallMs);
    chunks.push(chunk);
  }
  expect(Buffer.concat(chunks).equals(large)).toBe(true);
  expect(ranges()).toEqual([undefined]);
  await impatient.close();
});

describe("other places", () => {
  test("a redirect to a storage host, without Authorization", async () => {
    await using storage = await startFaultyRegistry();
    storage.addBlob(content);
    registry.fault(/blobs/, { kind: "redirect", to: `${storage.origin}/v2/x/blobs/${blob.digest}?signature=s` });
    storage.fault(/blobs/, { kind: "cut", afterBytes: 60_000 }, 1);
    expect((await download(blob)).bytes.equals(content)).toBe(true);
    // Resumed from the registry, as signed URLs expire.
    expect(ranges()).toEqual([undefined, "bytes=60000-"]);
    expect(storage.requests.map(({ headers }) => headers["range"])).toEqual([undefined, "bytes=60000-"]);
  });

  test("content embedded in the descriptor needs no request", async () => {
    const data = Buffer.from(content).toString("base64");
    const { bytes, offset } = await download({ ...blob, data }, 10);
    expect([offset, bytes.equals(content.subarray(10))]).toEqual([10, true]);
    expect(registry.requests).toEqual([]);
    const error = await failureOf(client.fetchBlob({ ...blob, data: data.slice(0, -4) }));
    expect(error.code).toBe("SIZE_MISMATCH");
  });

  test("a foreign layer's URLs go first, without authentication; then the registry", async () => {
    await using far = await startFaultyRegistry();
    far.addBlob(content);
    const careless = openClient(registry.host, recordingContext(), { tlsVerify: false });
    const foreign = { ...blob, mediaType: mediaTypes.ociForeignLayer };
    const urls = [`http://127.0.0.1:1/${blob.digest}`, `${far.origin}/v2/x/blobs/${blob.digest}`];
    expect((await download({ ...foreign, urls }, 0, careless)).bytes.equals(content)).toBe(true);
    expect(far.requests.length).toBe(1);
    expect(ranges()).toEqual([]);
    expect((await download({ ...foreign, urls: urls.slice(0, 1) }, 0, careless)).bytes.equals(content)).toBe(true);
    expect(ranges()).toEqual([undefined]);
    await careless.close();
  });

  test("an ordinary layer's URLs go last", async () => {
    await using far = await startFaultyRegistry();
    const other = patternBytes(5_000, 9);
    const descriptor = { ...far.addBlob(other), mediaType: mediaTypes.ociLayer };
    const urls = [`${far.origin}/v2/x/blobs/${descriptor.digest}`];
    const careless = openClient(registry.host, recordingContext(), { tlsVerify: false });
    expect((await download({ ...descriptor, urls }, 0, careless)).bytes.equals(other)).toBe(true);
    expect(ranges().length).toBe(1);
    await careless.close();
  });

  test("an image does not make devbox ask plain http of the local network", async () => {
    await using far = await startFaultyRegistry();
    const foreign = { ...far.addBlob(patternBytes(10)), mediaType: mediaTypes.ociForeignLayer };
    const urls = [`${far.origin}/v2/x/blobs/${foreign.digest}`, "file:///etc/passwd", "nonsense"];
    expect((await failureOf(client.fetchBlob({ ...foreign, urls }))).code).toBe("REGISTRY_NOT_FOUND");
    expect(far.requests).toEqual([]);
  });
});

describe("fetchSmallBlob", () => {
  test("is verified", async () => {
    expect(Buffer.from(await client.fetchSmallBlob(blob)).equals(content)).toBe(true);
    registry.fault(/blobs/, { kind: "corrupt" });
    expect((await failureOf(client.fetchSmallBlob(blob))).code).toBe("DIGEST_MISMATCH");
  });

  test("has a limit", async () => {
    const error = await failureOf(client.fetchSmallBlob(blob, SIZE - 1));
    expect([error.code, error.because]).toEqual([
      "REGISTRY_REFUSED",
      "its size is 200000 bytes; at most 199999 are accepted",
    ]);
    expect(ranges()).toEqual([]);
  });

  test("sha512 as well", async () => {
    const digest = `sha512:${new Bun.CryptoHasher("sha512").update(content).digest("hex")}` as const;
    const data = Buffer.from(content).toString("base64");
    expect((await client.fetchSmallBlob({ ...blob, digest, data })).byteLength).toBe(SIZE);
  });

  test("empty", async () => {
    const empty = registry.addBlob(new Uint8Array());
    expect((await client.fetchSmallBlob(empty)).byteLength).toBe(0);
  });
});
