import { describe, expect, test } from "bun:test";
import type { HttpClient, HttpRequest, HttpResponse } from "../../../src/registry/http/http-client.ts";
import { sendFollowing } from "../../../src/registry/http/redirect.ts";
import { failureOf } from "../../helpers/registry-client.ts";

/** An HTTP client whose answers are `url → location`; a URL without one answers 200. */
function clientOf(locations: Record<string, string>): { client: HttpClient; sent: HttpRequest[] } {
  const sent: HttpRequest[] = [];
  const send = async (request: HttpRequest): Promise<HttpResponse> => {
    sent.push(request);
    const location = locations[request.url.href];
    return {
      status: location === undefined ? 200 : 307,
      url: request.url,
      header: (name) => (name === "location" ? location : undefined),
      headerValues: () => [],
      body: (async function* () {})(),
      discard: async () => {},
    };
  };
  return { client: { send, close: async () => {} }, sent };
}

function follow(client: HttpClient, url: string, tlsVerify = true): Promise<HttpResponse> {
  const headers = { authorization: "Bearer secret", range: "bytes=5-" };
  const policy = { tlsVerify, signal: new AbortController().signal, step: "fetch" };
  return sendFollowing(client, { method: "GET", url: new URL(url), headers }, policy);
}

describe("Authorization", () => {
  const targets: [string, boolean][] = [
    ["https://registry.example/other", true],
    ["/relative", true],
    ["https://storage.example/blob?signature=x", false],
    ["https://registry.example:444/other", false],
    ["https://registry.example.evil.example/", false],
  ];
  test.each(targets)("to %s: %p", async (location, isSent) => {
    const { client, sent } = clientOf({ "https://registry.example/a": location });
    expect((await follow(client, "https://registry.example/a")).status).toBe(200);
    expect(sent[1]?.headers["authorization"] !== undefined).toBe(isSent);
    expect(sent[1]?.headers["range"]).toBe("bytes=5-");
  });

  test("comes back to the registry's own host, and is not lost for it", async () => {
    const { client, sent } = clientOf({
      "https://registry.example/a": "https://storage.example/b",
      "https://storage.example/b": "https://registry.example/c",
    });
    await follow(client, "https://registry.example/a");
    expect(sent.map(({ headers }) => headers["authorization"])).toEqual(["Bearer secret", undefined, "Bearer secret"]);
  });
});

describe("refused", () => {
  test("a circle", async () => {
    const { client, sent } = clientOf({ "https://a.example/1": "/2", "https://a.example/2": "/1" });
    const error = await failureOf(follow(client, "https://a.example/1"));
    expect([error.code, error.because]).toEqual([
      "REGISTRY_REFUSED",
      "https://a.example/1: the registry redirects in a circle",
    ]);
    expect(sent.length).toBe(2);
  });

  test("an endless way", async () => {
    const steps = Array.from({ length: 30 }, (_, index) => [`https://a.example/${index}`, `/${index + 1}`]);
    const { client, sent } = clientOf(Object.fromEntries(steps));
    const error = await failureOf(follow(client, "https://a.example/0"));
    expect(error.because).toContain("more than 10 redirects");
    expect(sent.length).toBe(11);
  });

  test.each([
    ["http://a.example/plain", "from https to plain http"],
    ["http://127.0.0.1:8080/admin", "to this machine's own services"],
    ["https://localhost/admin", "to this machine's own services"],
    ["file:///etc/passwd", "to something else"],
    ["http://[broken", "to nonsense"],
  ])("%s (%s)", async (location) => {
    const { client, sent } = clientOf({ "https://a.example/1": location });
    expect((await failureOf(follow(client, "https://a.example/1"))).code).toBe("REGISTRY_REFUSED");
    expect(sent.length).toBe(1);
  });

  test("not where verification is off", async () => {
    const { client } = clientOf({ "https://a.example/1": "http://b.example/plain" });
    expect((await follow(client, "https://a.example/1", false)).status).toBe(200);
  });

  test("the query of a signed URL is not shown", async () => {
    const { client } = clientOf({ "https://a.example/1": "http://b.example/plain?signature=hunter2" });
    const error = await failureOf(follow(client, "https://a.example/1"));
    expect(error.because).toStartWith("http://b.example/plain?…");
    expect(error.message).not.toContain("hunter2");
  });
});
