import { describe, expect, test } from "bun:test";
import type { HttpResponse } from "../../../src/registry/http/http-client.ts";
import {
  completionUrl,
  readChunkMinimum,
  readLocation,
  readUploadedBytes,
} from "../../../src/registry/push/upload-location.ts";

function answerFrom(url: string, location: string | undefined): HttpResponse {
  return {
    status: 202,
    url: new URL(url),
    header: (name) => (name === "location" ? location : undefined),
    headerValues: () => [],
    body: (async function* () {})(),
    discard: async () => {},
  };
}

test.each([
  ["0-0", 0],
  ["0-1", 2],
  ["0-1023", 1024],
  ["bytes=0-1023", 1024],
  [" 0-9 ", 10],
])("Range %j: %d bytes are there", (range, bytes) => {
  expect(readUploadedBytes(range)).toBe(bytes);
});

test.each([undefined, "", "1-5", "0-", "0--1", "0-1.5", "0-1e3", "0-9999999999999999", "bytes 0-5/10"])(
  "Range %j says nothing",
  (range) => {
    expect(readUploadedBytes(range)).toBeUndefined();
  },
);

test("OCI-Chunk-Min-Length", () => {
  expect(["5242880", "0", "-1", "5 MB", undefined].map(readChunkMinimum)).toEqual([
    5_242_880,
    0,
    undefined,
    undefined,
    undefined,
  ]);
});

describe("Location", () => {
  const read = (from: string, location: string | undefined, tlsVerify = true): string | undefined =>
    readLocation(answerFrom(from, location), tlsVerify, "push")?.href;
  const registry = "https://registry.example/v2/a/blobs/uploads/";

  test.each([
    ["/v2/a/blobs/uploads/1?_state=x%2By~z", "https://registry.example/v2/a/blobs/uploads/1?_state=x%2By~z"],
    ["1?s=a+b", "https://registry.example/v2/a/blobs/uploads/1?s=a+b"],
    ["https://storage.example:8443/up/1", "https://storage.example:8443/up/1"],
    ["/up#part", "https://registry.example/up"],
    // A registry that does not know of the TLS before it.
    ["http://registry.example/up/1", "https://registry.example/up/1"],
    ["http://registry.example:5000/up/1", "https://registry.example/up/1"],
  ])("%s", (location, url) => {
    expect(read(registry, location)).toBe(url);
  });

  test("none", () => {
    expect(read(registry, undefined)).toBeUndefined();
  });

  test.each([
    ["http://other.example/up"],
    ["https://localhost/up"],
    ["http://127.0.0.1:5000/up"],
    ["file:///etc/passwd"],
    ["http://[broken"],
  ])("%s is not gone to", (location) => {
    expect(() => read(registry, location)).toThrow();
  });

  test("plain http elsewhere where verification is off, as for redirects", () => {
    expect(read(registry, "http://other.example/up", false)).toBe("http://other.example/up");
  });
});

test("completion keeps the registry's query byte for byte", () => {
  const digest = `sha256:${"0".repeat(64)}`;
  expect(completionUrl(new URL("https://r.example/up?_state=a%2Bb~c&x=1%20"), digest).href).toBe(
    `https://r.example/up?_state=a%2Bb~c&x=1%20&digest=sha256%3A${"0".repeat(64)}`,
  );
  expect(completionUrl(new URL("https://r.example/up"), digest).search).toStartWith("?digest=sha256%3A");
});
