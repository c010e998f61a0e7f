import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import * as http from "node:http";
import { type AddressInfo, connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import Agent from "undici-http/lib/dispatcher/agent.js";
import { createHttpClient } from "../../../src/registry/http/http.ts";
import { defaultTimeouts, type HttpClient, type TlsSettings } from "../../../src/registry/http/http-client.ts";
import { TransportFailure } from "../../../src/registry/http/transport-error.ts";
import { makeCertificates, serverTls, type TestCertificates } from "../../helpers/certificates.ts";
import { startFaultyRegistry } from "../../helpers/faulty-registry.ts";
import { shortTimeouts } from "../../helpers/registry-client.ts";

const root = mkdtempSync(join(tmpdir(), "devbox-http-"));
let certificates: TestCertificates;
beforeAll(() => {
  certificates = makeCertificates(root);
});
afterAll(() => rmSync(root, { recursive: true }));

const never = new AbortController().signal;
const noTls: TlsSettings = { verify: true, extraCa: [] };

function clientWith(tls: TlsSettings, proxy?: URL, timeouts = defaultTimeouts): HttpClient {
  return createHttpClient({ timeouts, loadTls: async () => tls, proxyFor: () => proxy });
}

async function get(client: HttpClient, url: string, signal = never): Promise<number> {
  const response = await client.send({ method: "GET", url: new URL(url), headers: {} }, signal);
  await response.discard();
  return response.status;
}

/** The code of the failure that a request must end with. */
async function codeOf(request: Promise<number>): Promise<unknown> {
  const error = await request.catch((reason: unknown) => reason);
  if (!(error instanceof TransportFailure)) throw new Error(`expected a TransportFailure, got ${String(error)}`);
  return error.cause instanceof Error && "code" in error.cause ? error.cause.code : error.cause;
}

test("undici is the real one: requests go through its Agent", async () => {
  await using registry = await startFaultyRegistry();
  const client = clientWith(noTls);
  const original = Agent.prototype.dispatch;
  const dispatched: unknown[] = [];
  Agent.prototype.dispatch = function (options, handler) {
    dispatched.push(options.path);
    return original.call(this, options, handler);
  };
  try {
    expect(await get(client, `${registry.origin}/v2/`)).toBe(200);
  } finally {
    Agent.prototype.dispatch = original;
    await client.close();
  }
  expect(dispatched).toEqual(["/v2/"]);
});

test("connections are kept for the next requests", async () => {
  const sockets = new Set<unknown>();
  const server = http.createServer((request, response) => {
    sockets.add(request.socket.remotePort);
    response.end("hello");
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const client = clientWith(noTls);
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  for (let count = 0; count < 10; count++) await get(client, url);
  await client.close();
  server.close();
  expect(sockets.size).toBeLessThan(10);
});

describe("TLS", () => {
  const withCa = (): TlsSettings => ({ verify: true, extraCa: [readFileSync(certificates.ca, "utf8")] });

  test("an unknown CA is refused, unless it is added or verification is off", async () => {
    await using registry = await startFaultyRegistry({ tls: serverTls(certificates) });
    const url = `${registry.origin}/v2/`;
    const strict = clientWith(noTls);
    expect(await codeOf(get(strict, url))).toBe("UNABLE_TO_VERIFY_LEAF_SIGNATURE");
    const trusting = clientWith(withCa());
    expect(await get(trusting, url)).toBe(200);
    const careless = clientWith({ verify: false, extraCa: [] });
    expect(await get(careless, url)).toBe(200);
    await Promise.all([strict.close(), trusting.close(), careless.close()]);
  });

  test("extra CAs add to those trusted by default", async () => {
    await using registry = await startFaultyRegistry({ tls: serverTls(certificates) });
    const other = join(root, "other");
    mkdirSync(other);
    const settings: TlsSettings = { verify: true, extraCa: [readFileSync(makeCertificates(other).ca, "utf8")] };
    const script = `
      const { createHttpClient } = await import(${JSON.stringify(join(import.meta.dir, "../../../src/registry/http/http.ts"))});
      const loadTls = async () => (${JSON.stringify(settings)});
      const timeouts = ${JSON.stringify(defaultTimeouts)};
      const client = createHttpClient({ timeouts, loadTls, proxyFor: () => undefined });
      const url = new URL("${registry.origin}/v2/");
      const { status } = await client.send({ method: "GET", url, headers: {} }, new AbortController().signal);
      process.exit(status === 200 ? 0 : 1);`;
    // Bun reads what it trusts by default once, so it takes another process to have more of it.
    const statusWith = (env: Record<string, string>): Promise<number> =>
      Bun.spawn([process.execPath, "-e", script], { env: { ...process.env, ...env }, stderr: "ignore" }).exited;
    expect(await statusWith({ NODE_EXTRA_CA_CERTS: certificates.ca })).toBe(0);
    expect(await statusWith({})).not.toBe(0);
  });

  test("the certificate must be for the host", async () => {
    const elsewhere = { key: certificates.elsewhereKey, cert: certificates.elsewhereCert };
    await using registry = await startFaultyRegistry({ tls: serverTls(elsewhere) });
    const client = clientWith(withCa());
    expect(await codeOf(get(client, registry.origin))).toBe("ERR_TLS_CERT_ALTNAME_INVALID");
    await client.close();
  });

  test("a client certificate is shown", async () => {
    const tls = { ...serverTls(certificates), ca: readFileSync(certificates.ca, "utf8"), requestCert: true };
    await using registry = await startFaultyRegistry({ tls });
    const cert = readFileSync(certificates.clientCert, "utf8");
    const key = readFileSync(certificates.clientKey, "utf8");
    const known = clientWith({ ...withCa(), clientCertificate: { cert, key } });
    expect(await get(known, `${registry.origin}/v2/`)).toBe(200);
    const stranger = clientWith(withCa());
    expect(await get(stranger, `${registry.origin}/v2/`).catch(() => "refused")).toBe("refused");
    await Promise.all([known.close(), stranger.close()]);
  });
});

describe("proxies", () => {
  async function startProxy(): Promise<{ url: URL; seen: string[]; close: () => void }> {
    const seen: string[] = [];
    const note = (request: http.IncomingMessage): void => {
      seen.push(`${request.method} ${request.url} ${request.headers["proxy-authorization"]}`);
    };
    const server = http.createServer((request, response) => {
      note(request);
      http.get(request.url ?? "", (inner) => inner.pipe(response.writeHead(inner.statusCode ?? 500)));
    });
    server.on("connect", (request, socket) => {
      note(request);
      const [host = "", port] = (request.url ?? "").split(":");
      const inner = connect(Number(port), host, () => {
        socket.write("HTTP/1.1 200 OK\r\n\r\n");
        inner.pipe(socket);
        socket.pipe(inner);
      });
      inner.on("error", () => socket.destroy());
      socket.on("error", () => inner.destroy());
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const url = new URL(`http://user:word@127.0.0.1:${(server.address() as AddressInfo).port}`);
    return { url, seen, close: () => server.close() };
  }
  const login = `Basic ${Buffer.from("user:word").toString("base64")}`;

  test("https goes by CONNECT, with the registry's own TLS inside", async () => {
    await using registry = await startFaultyRegistry({ tls: serverTls(certificates) });
    const proxy = await startProxy();
    const client = clientWith({ verify: true, extraCa: [readFileSync(certificates.ca, "utf8")] }, proxy.url);
    expect(await get(client, `${registry.origin}/v2/`)).toBe(200);
    expect(proxy.seen).toEqual([`CONNECT ${registry.host} ${login}`]);
    const strict = clientWith(noTls, proxy.url);
    expect(await get(strict, `${registry.origin}/v2/`).catch(() => "refused")).toBe("refused");
    await Promise.all([client.close(), strict.close()]);
    proxy.close();
  });

  test("http goes by the whole URL", async () => {
    await using registry = await startFaultyRegistry();
    const proxy = await startProxy();
    const client = clientWith(noTls, proxy.url);
    expect(await get(client, `${registry.origin}/v2/`)).toBe(200);
    expect(proxy.seen).toEqual([`GET ${registry.origin}/v2/ ${login}`]);
    await client.close();
    proxy.close();
  });
});

describe("time-outs and ends", () => {
  test("no answer", async () => {
    await using registry = await startFaultyRegistry();
    registry.fault(/./, { kind: "silence" });
    const client = clientWith(noTls, undefined, shortTimeouts);
    expect(await codeOf(get(client, registry.origin))).toBe("UND_ERR_HEADERS_TIMEOUT");
    await client.close();
  });

  test("a body that stalls", async () => {
    await using registry = await startFaultyRegistry();
    const { digest } = registry.addBlob(new Uint8Array(1000));
    registry.fault(/./, { kind: "stall", afterBytes: 100 });
    const client = clientWith(noTls, undefined, shortTimeouts);
    const url = new URL(`${registry.origin}/v2/a/blobs/${digest}`);
    const { body } = await client.send({ method: "GET", url, headers: {} }, never);
    await expect(Array.fromAsync(body)).rejects.toMatchObject({ code: "UND_ERR_BODY_TIMEOUT" });
    await client.close();
  });

  test("the signal ends a request at once, and close ends what is under way", async () => {
    await using registry = await startFaultyRegistry();
    registry.fault(/./, { kind: "silence" });
    const client = clientWith(noTls);
    const controller = new AbortController();
    const stopped = codeOf(get(client, registry.origin, controller.signal));
    controller.abort("enough");
    expect(await stopped).toBe("enough");
    const other = clientWith(noTls);
    const closed = codeOf(get(other, registry.origin));
    await Promise.all([client.close(), other.close()]);
    expect(await closed).toBe("UND_ERR_DESTROYED");
  });
});
