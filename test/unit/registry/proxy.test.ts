import { describe, expect, test } from "bun:test";
import { bypassesProxy, proxyFor } from "../../../src/registry/http/proxy.ts";

function proxyOf(url: string, env: Record<string, string>): string | undefined {
  return proxyFor(new URL(url), env)?.href;
}

describe("proxyFor", () => {
  test("goes by the scheme of the request", () => {
    const env = { HTTP_PROXY: "http://one:3128", HTTPS_PROXY: "https://two:3129" };
    expect(proxyOf("http://a.example/", env)).toBe("http://one:3128/");
    expect(proxyOf("https://a.example/", env)).toBe("https://two:3129/");
  });

  test("reads lower case too, upper case first, and takes a host without scheme", () => {
    expect(proxyOf("https://a.example/", { https_proxy: "low:1" })).toBe("http://low:1/");
    expect(proxyOf("https://a.example/", { https_proxy: "low:1", HTTPS_PROXY: "up:2" })).toBe("http://up:2/");
  });

  test("empty means none", () => {
    expect(proxyOf("https://a.example/", { HTTPS_PROXY: "" })).toBeUndefined();
  });

  test.each(["http://localhost:5000/", "http://127.9.0.1/", "http://[::1]:5000/"])("never for loopback: %s", (url) => {
    expect(proxyOf(url, { HTTP_PROXY: "http://one:3128" })).toBeUndefined();
  });

  test("obeys NO_PROXY in both cases", () => {
    expect(proxyOf("https://a.example/", { HTTPS_PROXY: "p:1", NO_PROXY: "example" })).toBeUndefined();
    expect(proxyOf("https://a.example/", { HTTPS_PROXY: "p:1", no_proxy: "example" })).toBeUndefined();
  });

  test("names the variable of a proxy that is no http URL, without its password", () => {
    try {
      proxyFor(new URL("https://a.example/"), { HTTPS_PROXY: "socks5://user:hunter2@p:1" });
      expect.unreachable();
    } catch (error) {
      expect(String(error)).toContain("HTTPS_PROXY");
      expect(String(error)).not.toContain("hunter2");
    }
  });
});

describe("bypassesProxy", () => {
  const cases: [string, string, boolean][] = [
    ["https://registry.example/", "*", true],
    ["https://registry.example/", "", false],
    ["https://registry.example/", "registry.example", true],
    ["https://REGISTRY.example/", "Registry.Example", true],
    ["https://sub.registry.example/", "registry.example", true],
    ["https://badregistry.example/", "registry.example", false],
    ["https://registry.example/", ".example", true],
    ["https://registry.example/", ".registry.example", false],
    ["https://sub.registry.example/", "*.registry.example", true],
    ["https://registry.example/", "other, registry.example", true],
    ["https://registry.example/", "other registry.example", true],
    ["https://registry.example:5000/", "registry.example:5000", true],
    ["https://registry.example:5001/", "registry.example:5000", false],
    ["https://registry.example/", "registry.example:443", true],
    ["http://registry.example/", "registry.example:443", false],
    ["https://10.1.2.3/", "10.0.0.0/8", true],
    ["https://11.1.2.3/", "10.0.0.0/8", false],
    ["https://10.1.2.3/", "10.1.2.3", true],
    ["https://10.1.2.3:5000/", "10.1.2.3:5000", true],
    ["https://10.1.2.30/", "10.1.2.3", false],
    ["https://[fd00::12]/", "fd00::/8", true],
    ["https://[fd00::12]/", "fd00:0:0:0:0:0:0:12", true],
    ["https://[fd00::12]:5000/", "[fd00::12]:5000", true],
    ["https://[fe80::1]/", "fd00::/8", false],
    ["https://10.1.2.3/", "fd00::/8", false],
    ["https://registry.example/", "10.0.0.0/8", false],
    ["https://10.1.2.3/", "10.0.0.0/99", false],
    ["https://10.1.2.3/", "10.0.0.0/x", false],
  ];
  test.each(cases)("%s by %j: %p", (url, noProxy, expected) => {
    expect(bypassesProxy(new URL(url), noProxy)).toBe(expected);
  });
});
