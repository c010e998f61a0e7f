import { describe, expect, test } from "bun:test";
import type { Credentials } from "../../../src/registry/authentication/credentials.ts";
import { type FaultyAuthOptions, type FaultyRegistry, startFaultyRegistry } from "../../helpers/faulty-registry.ts";
import { failureOf, openClient, recordingContext } from "../../helpers/registry-client.ts";

const login = { username: "user", password: "hunter2" };
const password: Credentials = { kind: "password", ...login, source: "auth.json" };

async function startWith(auth: FaultyAuthOptions): Promise<FaultyRegistry> {
  const registry = await startFaultyRegistry({ auth });
  registry.addImage("team/app", "latest", { layers: [] });
  return registry;
}

function tokenRequests(registry: FaultyRegistry) {
  return registry.requests.filter(({ path }) => path.startsWith("/token"));
}

describe("bearer", () => {
  test("an anonymous token, asked for once, sent to the registry only", async () => {
    await using registry = await startWith({ kind: "bearer" });
    await using client = openClient(registry.host);
    await client.fetchManifest("latest");
    await client.fetchManifest("latest");
    expect(tokenRequests(registry).map(({ path, headers }) => [path, headers["authorization"]])).toEqual([
      ["/token?service=faulty&scope=repository%3Ateam%2Fapp%3Apull", undefined],
    ]);
  });

  test("many requests at once share one token", async () => {
    await using registry = await startWith({ kind: "bearer" });
    await using client = openClient(registry.host);
    await Promise.all(Array.from({ length: 8 }, () => client.fetchManifest("latest")));
    expect(tokenRequests(registry).length).toBe(1);
  });

  const challenges: [string, (realm: string) => string[]][] = [
    ["parameters in another order", (realm) => [`Bearer scope="s",service="x",realm="${realm}"`]],
    ["after basic", (realm) => ['Basic realm="x"', `Bearer realm="${realm}",service="x",scope="s"`]],
    ["before basic", (realm) => [`Bearer realm="${realm}",service="x",scope="s"`, 'Basic realm="x"']],
    ["not quoted", (realm) => [`bearer realm=${realm},service=x,scope=s`]],
  ];
  test.each(challenges)("challenge: %s", async (_, challenge) => {
    await using registry = await startWith({ kind: "bearer", challenge });
    await using client = openClient(registry.host);
    await client.fetchManifest("latest");
    expect(tokenRequests(registry).map(({ path }) => path)).toEqual(["/token?service=x&scope=s"]);
  });

  test("without scope the repository's pull is asked for; without service none is sent", async () => {
    await using registry = await startWith({ kind: "bearer", challenge: (realm) => [`Bearer realm="${realm}?a=b"`] });
    await using client = openClient(registry.host);
    await client.fetchManifest("latest");
    expect(tokenRequests(registry)[0]?.path).toBe("/token?a=b&scope=repository%3Ateam%2Fapp%3Apull");
  });

  test("access_token will do", async () => {
    await using registry = await startWith({ kind: "bearer", tokenField: "access_token" });
    await using client = openClient(registry.host);
    await client.fetchManifest("latest");
    expect(registry.requests.at(-1)?.headers["authorization"]).toBe("Bearer secret-token-1");
  });

  test("a token is renewed before it expires, and not sooner", async () => {
    await using registry = await startWith({ kind: "bearer", expiresInSeconds: 100 });
    let seconds = 0;
    const context = { ...recordingContext(), now: () => new Date(1_700_000_000_000 + seconds * 1000) };
    await using client = openClient(registry.host, context);
    for (seconds of [0, 80, 95, 180]) await client.fetchManifest("latest");
    const sent = registry.requests.filter(({ path }) => path.includes("manifests"));
    const tokens = sent.map(({ headers }) => headers["authorization"]?.at(-1));
    expect(tokens).toEqual([undefined, "1", "1", "2", "2"]);
  });

  test("the life of a token is 60 seconds where the server does not say", async () => {
    await using registry = await startWith({ kind: "bearer" });
    let seconds = 0;
    const context = { ...recordingContext(), now: () => new Date(1_700_000_000_000 + seconds * 1000) };
    await using client = openClient(registry.host, context);
    for (seconds of [0, 50, 61]) await client.fetchManifest("latest");
    expect(registry.auth?.issued.length).toBe(2);
  });

  test("a token that is refused before its time is fetched anew, once", async () => {
    await using registry = await startWith({ kind: "bearer", expiresInSeconds: 3600 });
    await using client = openClient(registry.host);
    await client.fetchManifest("latest");
    registry.auth?.revoke();
    await client.fetchManifest("latest");
    expect(registry.auth?.issued.length).toBe(2);
  });

  test("what the last challenge asked for is sent unasked", async () => {
    let service = "one";
    const challenge = (realm: string): string[] => [`Bearer realm="${realm}",service="${service}",scope="s"`];
    await using registry = await startWith({ kind: "bearer", expiresInSeconds: 3600, challenge });
    await using client = openClient(registry.host);
    await client.fetchManifest("latest");
    service = "other";
    registry.auth?.revoke();
    for (let count = 0; count < 3; count++) await client.fetchManifest("latest");
    const asked = tokenRequests(registry).map(({ path }) => new URLSearchParams(path.split("?")[1]).get("service"));
    expect(asked).toEqual(["one", "other"]);
    expect(registry.requests.at(-1)?.headers["authorization"]).toBe("Bearer secret-token-2");
    expect(registry.requests.filter(({ path }) => path.includes("manifests")).length).toBe(6);
  });

  test("many requests whose token is refused share the new one", async () => {
    await using registry = await startWith({ kind: "bearer", expiresInSeconds: 3600 });
    await using client = openClient(registry.host);
    await client.fetchManifest("latest");
    registry.auth?.revoke();
    await Promise.all(Array.from({ length: 8 }, () => client.fetchManifest("latest")));
    expect(registry.auth?.issued.length).toBe(2);
  });

  test("fresh tokens that are refused end in an error, not in a loop", async () => {
    await using registry = await startWith({ kind: "bearer", refusesTokens: true });
    await using client = openClient(registry.host);
    const error = await failureOf(client.fetchManifest("latest"));
    expect(error.code).toBe("REGISTRY_AUTH");
    expect(error.hint).toContain("do not exist");
    expect(registry.auth?.issued.length).toBe(1);
  });

  test("the password goes to the token server, not to the registry", async () => {
    await using registry = await startWith({ kind: "bearer", login });
    await using client = openClient(registry.host, recordingContext(), { credentials: password });
    await client.fetchManifest("latest");
    const basic = registry.requests.filter(({ headers }) => headers["authorization"]?.startsWith("Basic"));
    expect(basic.map(({ path }) => path.split("?")[0])).toEqual(["/token"]);
  });

  test("a wrong password: an error that names where it is from, and not the password", async () => {
    await using registry = await startWith({ kind: "bearer", login: { ...login, password: "other" } });
    const context = recordingContext();
    await using client = openClient(registry.host, context, { credentials: password });
    const error = await failureOf(client.fetchManifest("latest"));
    expect(error.code).toBe("REGISTRY_AUTH");
    expect(error.because).toContain("the credentials are from auth.json");
    expect(`${error.message} ${error.hint} ${context.lines.join()}`).not.toContain("hunter2");
  });

  test("an identity token is exchanged by POST, and is in no URL", async () => {
    await using registry = await startWith({ kind: "bearer", identityToken: "id-token" });
    const credentials: Credentials = { kind: "identity-token", token: "id-token", source: "helper" };
    await using client = openClient(registry.host, recordingContext(), { credentials });
    await client.fetchManifest("latest");
    const [request] = tokenRequests(registry);
    expect([request?.method, request?.path]).toEqual(["POST", "/token"]);
    expect(Object.fromEntries(new URLSearchParams(request?.body))).toEqual({
      grant_type: "refresh_token",
      client_id: "devbox",
      service: "faulty",
      scope: "repository:team/app:pull",
      refresh_token: "id-token",
    });
  });

  test("a redirect does not carry the identity token along", async () => {
    await using elsewhere = await startFaultyRegistry();
    await using registry = await startWith({ kind: "bearer", identityToken: "id-token" });
    registry.fault(/POST/, { kind: "redirect", to: `${elsewhere.origin}/token` });
    const credentials: Credentials = { kind: "identity-token", token: "id-token", source: "helper" };
    await using client = openClient(registry.host, recordingContext(), { credentials });
    expect((await failureOf(client.fetchManifest("latest"))).code).toBe("REGISTRY_REFUSED");
    expect(elsewhere.requests).toEqual([]);
  });

  test("the token server may fail for a while", async () => {
    await using registry = await startWith({ kind: "bearer" });
    registry.fault(/token/, { kind: "status", status: 503 }, 1);
    registry.fault(/token/, { kind: "cut", afterBytes: 5 }, 1);
    await using client = openClient(registry.host);
    await client.fetchManifest("latest");
  });

  test.each(["{}", "[]", "not json", '{"token": 5}', '{"token": "a", "expires_in": "soon"}'])(
    "an answer of %s is an error",
    async (body) => {
      await using registry = await startWith({ kind: "bearer" });
      registry.fault(/token/, { kind: "status", status: 200, body });
      await using client = openClient(registry.host);
      expect((await failureOf(client.fetchManifest("latest"))).code).toBe("REGISTRY_AUTH");
    },
  );

  test("a realm without TLS gets nothing", async () => {
    const challenge = (): string[] => ['Bearer realm="http://token.example/",service="x"'];
    await using registry = await startWith({ kind: "bearer", challenge });
    await using client = openClient(registry.host, recordingContext(), { credentials: password });
    const error = await failureOf(client.fetchManifest("latest"));
    expect([error.code, error.because]).toEqual([
      "REGISTRY_REFUSED",
      "http://token.example/: the token server has no TLS",
    ]);
  });
});

describe("basic", () => {
  test("anonymous first, then the password", async () => {
    await using registry = await startWith({ kind: "basic", ...login });
    await using client = openClient(registry.host, recordingContext(), { credentials: password });
    await client.fetchManifest("latest");
    await client.fetchManifest("latest");
    const sent = registry.requests.filter(({ path }) => path.includes("manifests"));
    expect(sent.map(({ headers }) => headers["authorization"]?.split(" ")[0])).toEqual([undefined, "Basic", "Basic"]);
  });

  test("nobody: an error that says how to log in", async () => {
    await using registry = await startWith({ kind: "basic", ...login });
    await using client = openClient(registry.host);
    const error = await failureOf(client.fetchManifest("latest"));
    expect([error.code, error.because]).toEqual([
      "REGISTRY_AUTH",
      "it wants a login, and no credentials are stored for it",
    ]);
    expect(error.hint).toBe(`log in: devbox login ${registry.host}`);
  });

  test("a wrong password is tried once", async () => {
    await using registry = await startWith({ kind: "basic", ...login, password: "other" });
    await using client = openClient(registry.host, recordingContext(), { credentials: password });
    expect((await failureOf(client.fetchManifest("latest"))).code).toBe("REGISTRY_AUTH");
    expect(registry.requests.filter(({ headers }) => headers["authorization"]).length).toBe(1);
  });

  test("an identity token is no password", async () => {
    await using registry = await startWith({ kind: "basic", ...login });
    const credentials: Credentials = { kind: "identity-token", token: "id-token", source: "auth.json" };
    await using client = openClient(registry.host, recordingContext(), { credentials });
    const error = await failureOf(client.fetchManifest("latest"));
    expect(error.because).toBe("it wants a password, and auth.json has an identity token");
  });
});

test("schemes that devbox does not know are named", async () => {
  await using registry = await startWith({ kind: "bearer", challenge: () => ["Negotiate", 'Digest realm="x"'] });
  await using client = openClient(registry.host);
  const error = await failureOf(client.fetchManifest("latest"));
  expect(error.because).toBe("it offers negotiate, digest; devbox knows basic and bearer");
});

test("a 401 of the place that a redirect leads to gets no credentials", async () => {
  await using storage = await startFaultyRegistry({ auth: { kind: "basic", ...login } });
  await using registry = await startFaultyRegistry();
  registry.fault(/manifests/, { kind: "redirect", to: `${storage.origin}/v2/team/app/manifests/latest` });
  await using client = openClient(registry.host, recordingContext(), { credentials: password });
  expect((await failureOf(client.fetchManifest("latest"))).code).toBe("REGISTRY_AUTH");
  expect(storage.requests.length).toBeGreaterThan(0);
  expect([...registry.requests, ...storage.requests].filter(({ headers }) => headers["authorization"])).toEqual([]);
});
