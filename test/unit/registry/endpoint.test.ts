import { describe, expect, test } from "bun:test";
import { candidateEndpoints, isAllowedUrl, isLoopbackHost } from "../../../src/registry/http/endpoint.ts";

function endpoints(registry: string, tlsVerify: boolean): string[] {
  return candidateEndpoints(registry, tlsVerify).map((url) => url.href);
}

describe("candidateEndpoints", () => {
  test("docker.io is registry-1.docker.io", () => {
    expect(endpoints("docker.io", true)).toEqual(["https://registry-1.docker.io/"]);
  });

  test("only https elsewhere", () => {
    expect(endpoints("ghcr.io", true)).toEqual(["https://ghcr.io/"]);
    expect(endpoints("registry.example:5000", true)).toEqual(["https://registry.example:5000/"]);
  });

  test("http as well on loopback", () => {
    expect(endpoints("localhost:5000", true)).toEqual(["http://localhost:5000/", "https://localhost:5000/"]);
    expect(endpoints("[::1]:5000", true)).toEqual(["http://[::1]:5000/", "https://[::1]:5000/"]);
  });

  test("http after https where verification is off", () => {
    expect(endpoints("lan:5000", false)).toEqual(["https://lan:5000/", "http://lan:5000/"]);
  });

  test.each(["", "a/b", "a?b", "user@host", "host:port", "a#b"])("refuses %j", (registry) => {
    expect(() => candidateEndpoints(registry, true)).toThrow("find the registry");
  });
});

test.each([
  ["localhost", true],
  ["registry.localhost", true],
  ["127.0.0.1", true],
  ["127.250.1.1", true],
  ["[::1]", true],
  ["127.evil.example", false],
  ["localhost.example", false],
  ["10.0.0.1", false],
])("isLoopbackHost(%s): %p", (host, expected) => {
  expect(isLoopbackHost(host)).toBe(expected);
});

test("plain http is allowed to loopback, or without verification", () => {
  expect(isAllowedUrl(new URL("https://a.example/"), true)).toBe(true);
  expect(isAllowedUrl(new URL("http://a.example/"), true)).toBe(false);
  expect(isAllowedUrl(new URL("http://a.example/"), false)).toBe(true);
  expect(isAllowedUrl(new URL("http://127.0.0.1/"), true)).toBe(true);
  expect(isAllowedUrl(new URL("ftp://127.0.0.1/"), false)).toBe(false);
});
