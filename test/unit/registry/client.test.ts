import { afterAll, describe, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { version } from "../../../src/core/version.ts";
import { makeCertificates, serverTls } from "../../helpers/certificates.ts";
import { startFaultyRegistry } from "../../helpers/faulty-registry.ts";
import { failureOf, openClient, quickRetry, readStream, recordingContext } from "../../helpers/registry-client.ts";

const root = mkdtempSync(join(tmpdir(), "devbox-client-"));
afterAll(() => rmSync(root, { recursive: true }));
const certificates = makeCertificates(root);

/** A port of loopback that nothing listens on. */
async function closedPort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return typeof address === "object" && address !== null ? address.port : 0;
}

async function startRegistry(tls?: { readonly key: string; readonly cert: string }) {
  const registry = await startFaultyRegistry(tls === undefined ? {} : { tls });
  registry.addImage("team/app", "latest", { layers: [] });
  return registry;
}

describe("tried again", () => {
  test.each([500, 502, 503, 504, 429, 408])("status %d", async (status) => {
    await using registry = await startRegistry();
    registry.fault(/manifests/, { kind: "status", status }, 2);
    await using client = openClient(registry.host);
    await client.fetchManifest("latest");
    expect(registry.requests.filter(({ path }) => path.includes("manifests")).length).toBe(3);
  });

  test("a reset connection", async () => {
    await using registry = await startRegistry();
    registry.fault(/manifests/, { kind: "reset" }, 2);
    await using client = openClient(registry.host);
    await client.fetchManifest("latest");
  });

  test("but not for ever: the last answer is the error", async () => {
    await using registry = await startRegistry();
    const body = JSON.stringify({ errors: [{ code: "UNAVAILABLE", message: "back\u001b[2J soon" }] });
    registry.fault(/manifests/, { kind: "status", status: 503, body });
    await using client = openClient(registry.host);
    const error = await failureOf(client.fetchManifest("latest"));
    expect([error.code, error.because]).toEqual([
      "REGISTRY_REFUSED",
      `${registry.host} answered 503: back [2J soon (UNAVAILABLE)`,
    ]);
    expect(registry.requests.filter(({ path }) => path.includes("manifests")).length).toBe(quickRetry.attempts);
  });

  test.each([400, 403, 404, 410])("never status %d", async (status) => {
    await using registry = await startRegistry();
    registry.fault(/manifests/, { kind: "status", status });
    await using client = openClient(registry.host);
    await failureOf(client.fetchManifest("latest"));
    expect(registry.requests.filter(({ path }) => path.includes("manifests")).length).toBe(1);
  });

  test("Retry-After is waited for, though no longer than a minute", async () => {
    await using registry = await startRegistry();
    const slowDown = (seconds: string) =>
      ({ kind: "status", status: 429, headers: { "retry-after": seconds } }) as const;
    registry.fault(/manifests/, slowDown("1"), 1);
    const context = recordingContext();
    await using client = openClient(registry.host, context);
    await client.fetchManifest("latest");
    expect(context.lines.join()).toContain('"waitMs":1000');
    registry.fault(/manifests/, slowDown("3600"));
    const error = await failureOf(client.fetchManifest("latest"));
    expect([error.code, error.hint]).toEqual([
      "REGISTRY_REFUSED",
      "wait a while; most registries allow more to those who log in",
    ]);
  });

  test("the wait ends with the signal", async () => {
    await using registry = await startRegistry();
    registry.fault(/manifests/, { kind: "status", status: 503 });
    const controller = new AbortController();
    const context = recordingContext({}, controller.signal);
    const debug = (): void => controller.abort();
    const retry = { ...quickRetry, baseMs: 3_600_000, maxMs: 3_600_000 };
    await using client = openClient(registry.host, { ...context, log: { ...context.log, debug } }, { retry });
    expect((await failureOf(client.fetchManifest("latest"))).code).toBe("INTERRUPTED");
  });
});

describe("in words", () => {
  test("nobody listens: told at once", async () => {
    const host = `127.0.0.1:${await closedPort()}`;
    const context = recordingContext();
    await using client = openClient(host, context);
    const error = await failureOf(client.resolve("latest"));
    expect([error.code, error.because]).toEqual([
      "REGISTRY_UNREACHABLE",
      `${host} refused the connection (ECONNREFUSED)`,
    ]);
    expect(context.lines).toEqual([]);
  });

  test("an unknown name", async () => {
    await using client = openClient("registry.invalid");
    const error = await failureOf(client.resolve("latest"));
    expect([error.code, error.because]).toEqual([
      "REGISTRY_UNREACHABLE",
      "registry.invalid is not a known host name (ENOTFOUND)",
    ]);
  });

  test("a proxy that nobody runs", async () => {
    const proxy = `127.0.0.1:${await closedPort()}`;
    await using client = openClient(
      "registry.invalid",
      recordingContext({ HTTPS_PROXY: `http://me:hunter2@${proxy}` }),
    );
    const error = await failureOf(client.resolve("latest"));
    expect([error.code, error.because]).toEqual([
      "REGISTRY_UNREACHABLE",
      `registry.invalid, asked through the proxy ${proxy}, refused the connection (ECONNREFUSED)`,
    ]);
  });

  test("a page of HTML instead of an answer", async () => {
    await using registry = await startRegistry();
    registry.fault(/manifests/, { kind: "status", status: 403, body: "<html>hunter2</html>" });
    await using client = openClient(registry.host);
    const error = await failureOf(client.fetchManifest("latest"));
    expect([error.code, error.because]).toEqual(["REGISTRY_AUTH", `${registry.host} answered 403`]);
  });
});

describe("TLS", () => {
  test("loopback: https is found behind http", async () => {
    await using registry = await startRegistry(serverTls(certificates));
    const context = recordingContext({ SSL_CERT_FILE: certificates.ca });
    await using client = openClient(registry.host, context);
    await client.fetchManifest("latest");
  });

  test("an unknown CA is an error with the way out; certs.d is one, --tls-verify=false another", async () => {
    await using registry = await startRegistry(serverTls(certificates));
    await using strict = openClient(registry.host);
    const error = await failureOf(strict.fetchManifest("latest"));
    expect(error.code).toBe("REGISTRY_TLS");
    expect(error.because).toContain(`${registry.host} failed the TLS check`);
    expect(error.hint).toContain("SSL_CERT_FILE");

    const home = join(root, "home");
    const directory = join(home, ".config/containers/certs.d", registry.host);
    mkdirSync(directory, { recursive: true });
    writeFileSync(join(directory, "ca.crt"), readFileSync(certificates.ca));
    await using trusting = openClient(registry.host, recordingContext({ HOME: home }));
    await trusting.fetchManifest("latest");

    await using careless = openClient(registry.host, recordingContext(), { tlsVerify: false });
    await careless.fetchManifest("latest");
  });
});

test("says who it is", async () => {
  await using registry = await startRegistry();
  await using client = openClient(registry.host);
  await client.resolve("latest");
  expect(new Set(registry.requests.map(({ headers }) => headers["user-agent"]))).toEqual(
    new Set([`devbox/${version}`]),
  );
});

test("no secret of a token, a password or a signed URL is logged or in an error", async () => {
  await using storage = await startFaultyRegistry();
  await using registry = await startFaultyRegistry({
    auth: { kind: "bearer", login: { username: "user", password: "hunter2" } },
  });
  const blob = registry.addBlob(new Uint8Array(1000));
  storage.fault(/./, { kind: "status", status: 503, body: '{"errors":[{"code":"X","message":"m"}]}' });
  registry.fault(/blobs/, { kind: "redirect", to: `${storage.origin}/blob?signature=hunter2` });
  const context = recordingContext();
  const credentials = { kind: "password", username: "user", password: "hunter2", source: "auth.json" } as const;
  await using client = openClient(registry.host, context, { credentials });
  const error = await failureOf(client.fetchBlob(blob).then(({ stream }) => readStream(stream)));
  const told = [error.message, error.hint, Bun.inspect(error.cause), ...context.lines].join("\n");
  expect(context.lines.length).toBe(quickRetry.attempts - 1);
  expect(told).not.toContain("hunter2");
  expect(told).not.toContain("secret-token");
});

test("nothing is loaded or sent before the first request", async () => {
  await using registry = await startRegistry();
  const client = openClient(registry.host);
  await client.close();
  expect(registry.requests).toEqual([]);
});
