import { afterAll, beforeEach, describe, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { certificateDirectories, loadTlsSettings } from "../../../src/registry/http/tls-settings.ts";
import { failureOf, recordingContext } from "../../helpers/registry-client.ts";

const root = mkdtempSync(join(tmpdir(), "devbox-certs-"));
afterAll(() => rmSync(root, { recursive: true }));

/** Read as text only; nothing parses it before a connection is made. */
const pem = (name: string): string => `-----BEGIN CERTIFICATE-----\n${name}\n-----END CERTIFICATE-----\n`;

let home = "";
let count = 0;
beforeEach(() => {
  home = join(root, `home-${count++}`);
  mkdirSync(home);
});

function writeCertificate(registry: string, name: string, content: string): void {
  const directory = join(home, ".config/containers/certs.d", registry);
  mkdirSync(directory, { recursive: true });
  writeFileSync(join(directory, name), content);
}

function load(registry: string, env: Record<string, string> = {}) {
  return loadTlsSettings(recordingContext({ HOME: home, ...env }), registry, true);
}

test("the directories of podman and docker", () => {
  expect(certificateDirectories("a.example:5000", { HOME: "/h" })).toEqual([
    "/h/.config/containers/certs.d/a.example:5000",
    "/etc/containers/certs.d/a.example:5000",
    "/etc/docker/certs.d/a.example:5000",
  ]);
});

test("nothing is configured", async () => {
  expect(await load("a.example")).toEqual({ verify: true, extraCa: [] });
});

test("SSL_CERT_FILE, SSL_CERT_DIR and certs.d add up", async () => {
  const bundle = join(home, "bundle.pem");
  writeFileSync(bundle, pem("bundle"));
  const directory = join(home, "dir");
  mkdirSync(directory);
  writeFileSync(join(directory, "one.pem"), pem("one"));
  symlinkSync("one.pem", join(directory, "0a1b2c3d.0"));
  writeFileSync(join(directory, "README"), "not a certificate");
  writeCertificate("a.example", "ca.crt", pem("certs.d"));
  writeCertificate("b.example", "ca.crt", pem("another registry's"));
  const { extraCa } = await load("a.example", { SSL_CERT_FILE: bundle, SSL_CERT_DIR: `${directory}:/nonexistent` });
  expect(extraCa).toEqual([pem("bundle"), pem("one"), pem("certs.d")]);
});

describe("client certificates", () => {
  test("come with the key of the same name", async () => {
    writeCertificate("a.example", "me.cert", pem("me"));
    writeCertificate("a.example", "me.key", "key");
    expect((await load("a.example")).clientCertificate).toEqual({ cert: pem("me"), key: "key" });
  });

  test("without a key are an error", async () => {
    writeCertificate("a.example", "me.cert", pem("me"));
    writeCertificate("a.example", "you.key", "key");
    const error = await failureOf(load("a.example"));
    expect([error.code, error.because]).toEqual(["BAD_CONFIG", "me.cert is there without me.key"]);
  });
});

test("a named file that is missing or no certificate is an error", async () => {
  const missing = await failureOf(load("a.example", { SSL_CERT_FILE: join(home, "missing") }));
  expect([missing.code, missing.because]).toEqual(["BAD_CONFIG", "no such file or directory (ENOENT)"]);
  writeCertificate("a.example", "ca.crt", "garbage");
  const garbage = await failureOf(load("a.example"));
  expect([garbage.code, garbage.because]).toEqual(["BAD_CONFIG", "there is no PEM certificate in it"]);
});
