/** Where uploads go to: other repositories that have the blob, other hosts, and what tokens are asked for on the way. */
import { describe, expect, test } from "bun:test";
import type { RegistryClient } from "../../../src/registry/client.ts";
import { type FaultyRegistry, startFaultyRegistry } from "../../helpers/faulty-registry.ts";
import { failureOf, openClient, patternBytes, recordingContext } from "../../helpers/registry-client.ts";
import { startSpecRegistry } from "../../helpers/spec-registry.ts";
import { contentOf } from "../../helpers/upload-content.ts";

const large = patternBytes(3 * 1024 * 1024 + 17);

function openPush(host: string): RegistryClient {
  return openClient(host, recordingContext(), { access: "push" });
}

describe("mounts", () => {
  const content = contentOf(large, { mountFrom: ["team/none", "team/app", "team/base", "team/other", "team/fifth"] });

  test("from the repository that has it; what the others opened is given up", async () => {
    await using registry = await startSpecRegistry();
    registry.repository("team/base").blobs.set(content.descriptor.digest, large);
    await using client = openPush(registry.host);
    expect(await client.pushBlob(content)).toBe("mounted");
    expect(registry.requests.map((one) => one.replace(/^(\w+) [^?]*\??.*?(from=.*|$)/, "$1 $2").trim())).toEqual([
      "HEAD",
      "POST from=team%2Fnone",
      "POST from=team%2Fbase",
      "DELETE",
    ]);
    expect(registry.openUploads).toBe(0);
    expect(content.opened).toEqual([]);
  });

  test("from none of at most three: what the last one opened is used", async () => {
    await using registry = await startSpecRegistry();
    await using client = openPush(registry.host);
    expect(await client.pushBlob(content)).toBe("copied");
    const methods = registry.requests.map((request) => request.split(" ")[0]);
    expect(methods).toEqual(["HEAD", "POST", "POST", "DELETE", "POST", "DELETE", "PATCH", "PUT"]);
    expect(registry.openUploads).toBe(0);
  });

  test.each([403, 404, 405, 500])("a registry that answers %d to them gets an upload", async (status) => {
    await using registry = await startFaultyRegistry();
    registry.fault(/^POST .*mount=/, { kind: "status", status });
    await using client = openPush(registry.host);
    expect(await client.pushBlob(content)).toBe("copied");
    expect(registry.uploads.open).toEqual([]);
  });
});

describe("places", () => {
  test("an upload on another host goes there, without Authorization", async () => {
    await using storage = await startFaultyRegistry();
    await using registry = await startFaultyRegistry({ auth: { kind: "bearer" } });
    const opened = await fetch(`${storage.origin}/v2/x/blobs/uploads/`, { method: "POST" });
    const location = `${storage.origin}${opened.headers.get("location")}`;
    registry.fault(/^POST/, { kind: "headers", headers: { location } });
    const content = contentOf(large);
    await using client = openPush(registry.host);
    expect(await client.pushBlob(content)).toBe("copied");
    expect(storage.findBlob(content.descriptor.digest)).toEqual(Buffer.from(large));
    expect(storage.requests.filter(({ headers }) => headers["authorization"] !== undefined)).toEqual([]);
    expect(registry.requests.filter(({ method }) => method === "PATCH" || method === "PUT")).toEqual([]);
  });

  test("a redirect that keeps the method takes the content along; another one is an error", async () => {
    await using registry = await startFaultyRegistry();
    registry.fault(/^POST/, { kind: "redirect", to: "/v2/team/moved/blobs/uploads/", status: 308 }, 1);
    await using client = openPush(registry.host);
    expect(await client.pushBlob(contentOf(large))).toBe("copied");
    expect(registry.requests.find(({ method }) => method === "PATCH")?.path).toStartWith("/v2/team/moved/");
    registry.fault(/^PUT/, { kind: "redirect", to: "/elsewhere", status: 302 }, 1);
    expect((await failureOf(client.pushBlob(contentOf(patternBytes(10))))).because).toContain("answered 302");
  });

  test("a place that is not safe is not gone to", async () => {
    await using registry = await startFaultyRegistry();
    registry.fault(/^POST/, { kind: "headers", headers: { location: "http://registry.example/up?secret=hunter2" } });
    await using client = openPush(registry.host);
    const error = await failureOf(client.pushBlob(contentOf(large)));
    expect(error.because).toBe("http://registry.example/up?…: the registry names a place that is not safe");
  });
});

describe("scopes", () => {
  const tokens = (registry: FaultyRegistry) =>
    registry.requests.filter(({ path }) => path.startsWith("/token")).map(({ path }) => decodeURIComponent(path));

  test("one token, for pull and push, though the registry asks for pull first", async () => {
    await using registry = await startFaultyRegistry({ auth: { kind: "bearer" } });
    await using client = openPush(registry.host);
    await client.pushBlob(contentOf(large));
    expect(tokens(registry)).toEqual(["/token?service=faulty&scope=repository:team/app:pull,push"]);
  });

  test("a mount asks for the other repository too, and what follows does not", async () => {
    await using registry = await startFaultyRegistry({ auth: { kind: "bearer" } });
    await using client = openPush(registry.host);
    await client.pushBlob(contentOf(large, { mountFrom: ["team/base"] }));
    expect(tokens(registry)).toEqual([
      "/token?service=faulty&scope=repository:team/app:pull,push",
      "/token?service=faulty&scope=repository:team/app:pull,push&scope=repository:team/base:pull",
    ]);
    const patch = registry.requests.find(({ method }) => method === "PATCH");
    expect(patch?.headers["authorization"]).toBe("Bearer secret-token-1");
  });

  test("nor where the registry's challenge to the mount names it", async () => {
    await using registry = await startFaultyRegistry({ auth: { kind: "bearer", expiresInSeconds: 3600 } });
    registry.fault(/^POST .*mount=/, { kind: "revoke" }, 1);
    await using client = openPush(registry.host);
    await client.pushBlob(contentOf(large, { mountFrom: ["team/base"] }));
    const own = "/token?service=faulty&scope=repository:team/app:pull,push";
    const withOther = `${own}&scope=repository:team/base:pull`;
    expect(tokens(registry)).toEqual([own, withOther, withOther, own]);
  });

  test("who may not pull there pushes all the same", async () => {
    await using registry = await startFaultyRegistry({ auth: { kind: "bearer" } });
    registry.fault(/token.*base/, { kind: "status", status: 403 });
    await using client = openPush(registry.host);
    expect(await client.pushBlob(contentOf(large, { mountFrom: ["team/base"] }))).toBe("copied");
  });
});
