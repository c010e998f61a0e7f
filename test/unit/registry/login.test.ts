import { describe, expect, test } from "bun:test";
import type { Credentials } from "../../../src/registry/authentication/credentials.ts";
import { checkLogin } from "../../../src/registry/authentication/login.ts";
import { type FaultyAuthOptions, startFaultyRegistry } from "../../helpers/faulty-registry.ts";
import { failureOf, recordingContext } from "../../helpers/registry-client.ts";

const login = { username: "user", password: "hunter2" };
const good: Credentials = { kind: "password", ...login, source: "the command line" };
const bad: Credentials = { ...good, password: "wrong-hunter" };

const kinds: [string, FaultyAuthOptions][] = [
  ["basic", { kind: "basic", ...login }],
  ["bearer", { kind: "bearer", login }],
];
describe.each(kinds)("%s", (_, auth) => {
  test("good credentials", async () => {
    await using registry = await startFaultyRegistry({ auth });
    await checkLogin(recordingContext(), { registry: registry.host, credentials: good, tlsVerify: true });
    expect(registry.requests.at(-1)?.path).toBe("/v2/");
    expect(registry.requests.filter(({ path }) => path.includes("repository"))).toEqual([]);
  });

  test("bad ones: an error in words, without the password", async () => {
    await using registry = await startFaultyRegistry({ auth });
    const context = recordingContext();
    const check = { registry: registry.host, credentials: bad, tlsVerify: true };
    const error = await failureOf(checkLogin(context, check));
    expect([error.code, error.step]).toEqual(["REGISTRY_AUTH", `log in at ${registry.host}`]);
    expect(error.because).toContain(`${registry.host} answered 401: authentication required (UNAUTHORIZED)`);
    expect(error.hint).toContain("check the user name and the password");
    expect([error.message, error.hint, ...context.lines].join()).not.toContain("wrong-hunter");
  });
});

test("an identity token is exchanged, with no scope", async () => {
  await using registry = await startFaultyRegistry({ auth: { kind: "bearer", identityToken: "id-token" } });
  const credentials: Credentials = { kind: "identity-token", token: "id-token", source: "the command line" };
  await checkLogin(recordingContext(), { registry: registry.host, credentials, tlsVerify: true });
  const request = registry.requests.find(({ method }) => method === "POST");
  expect(new URLSearchParams(request?.body).has("scope")).toBe(false);
});

test("a registry that wants no login takes any", async () => {
  await using registry = await startFaultyRegistry();
  await checkLogin(recordingContext(), { registry: registry.host, credentials: bad, tlsVerify: true });
});

test("what is no registry", async () => {
  await using registry = await startFaultyRegistry();
  registry.fault(/./, { kind: "status", status: 404, body: "<html>" });
  const check = { registry: registry.host, credentials: good, tlsVerify: true };
  const error = await failureOf(checkLogin(recordingContext(), check));
  expect([error.code, error.because]).toEqual([
    "REGISTRY_REFUSED",
    `${registry.host} answered 404 to /v2/: there is no registry`,
  ]);
});
