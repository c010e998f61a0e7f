/** A CA of our own, a server certificate for loopback and a client certificate, made by openssl(1). */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

export interface TestCertificates {
  /** Paths of PEM files. */
  readonly ca: string;
  readonly cert: string;
  readonly key: string;
  /** By the same CA, for a host that nothing listens on. */
  readonly elsewhereCert: string;
  readonly elsewhereKey: string;
  readonly clientCert: string;
  readonly clientKey: string;
}

const newKey = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"];

export function makeCertificates(directory: string): TestCertificates {
  const at = (name: string): string => join(directory, name);
  const caUse = ["-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign"];
  openssl(["req", "-x509", ...newKey, "-keyout", at("ca.key"), "-out", at("ca.crt"), "-subj", "/CN=test CA", ...caUse]);
  sign(directory, "server", "subjectAltName=DNS:localhost,IP:127.0.0.1\nextendedKeyUsage=serverAuth\n");
  sign(directory, "elsewhere", "subjectAltName=DNS:elsewhere.example\nextendedKeyUsage=serverAuth\n");
  sign(directory, "client", "extendedKeyUsage=clientAuth\n");
  return {
    ca: at("ca.crt"),
    cert: at("server.crt"),
    key: at("server.key"),
    elsewhereCert: at("elsewhere.crt"),
    elsewhereKey: at("elsewhere.key"),
    clientCert: at("client.crt"),
    clientKey: at("client.key"),
  };
}

function sign(directory: string, name: string, extensions: string): void {
  const at = (suffix: string): string => join(directory, `${name}.${suffix}`);
  writeFileSync(at("ext"), extensions);
  openssl(["req", ...newKey, "-keyout", at("key"), "-out", at("csr"), "-subj", `/CN=${name}`]);
  const issuer = ["-CA", join(directory, "ca.crt"), "-CAkey", join(directory, "ca.key"), "-CAcreateserial"];
  openssl(["x509", "-req", "-in", at("csr"), ...issuer, "-days", "2", "-extfile", at("ext"), "-out", at("crt")]);
}

function openssl(args: readonly string[]): void {
  const { exitCode, stderr } = Bun.spawnSync(["openssl", ...args], { stdout: "ignore" });
  if (exitCode !== 0) throw new Error(`openssl ${args[0]}: ${stderr.toString()}`);
}

/** What a TLS server wants: the contents of both files. */
export function serverTls(certificates: { readonly key: string; readonly cert: string }): {
  readonly key: string;
  readonly cert: string;
} {
  return { key: readFileSync(certificates.key, "utf8"), cert: readFileSync(certificates.cert, "utf8") };
}
