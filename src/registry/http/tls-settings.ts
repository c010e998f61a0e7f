/**
 * Which extra certificates count for a registry: SSL_CERT_FILE, SSL_CERT_DIR, and the `certs.d` directories of podman
 * (containers-certs.d(5)) and docker. They add to the system's, so that a company's own CA does not lock out docker.io.
 */
import { readdir, readFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import type { Context } from "../../core/context.ts";
import { DevboxError, errnoName } from "../../core/errors.ts";
import type { TlsSettings } from "./http-client.ts";

/** The directories for a registry, whose name is written there as in references: `host` or `host:port`. */
export function certificateDirectories(registry: string, env: Context["env"]): readonly string[] {
  const home = env["HOME"] || homedir();
  const bases = [join(home, ".config/containers/certs.d"), "/etc/containers/certs.d", "/etc/docker/certs.d"];
  return bases.map((base) => join(base, registry));
}

/**
 * Read the settings; all CAs found count, the first client certificate does.
 * @throws BAD_CONFIG for a named file that is missing or is no certificate, and for a client certificate without key.
 */
export async function loadTlsSettings(context: Context, registry: string, verify: boolean): Promise<TlsSettings> {
  const { env } = context;
  const extraCa: string[] = [];
  if (env["SSL_CERT_FILE"]) extraCa.push(await readCertificates(env["SSL_CERT_FILE"]));
  for (const directory of (env["SSL_CERT_DIR"] ?? "").split(":")) {
    if (directory !== "") extraCa.push(...(await readDirectoryCertificates(directory)));
  }
  let clientCertificate: TlsSettings["clientCertificate"];
  for (const directory of certificateDirectories(registry, env)) {
    const names = await listFiles(directory);
    for (const name of names.filter((one) => one.endsWith(".crt"))) {
      extraCa.push(await readCertificates(join(directory, name)));
    }
    clientCertificate ??= await readClientCertificate(directory, names);
  }
  return { verify, extraCa, ...(clientCertificate === undefined ? {} : { clientCertificate }) };
}

async function readClientCertificate(
  directory: string,
  names: readonly string[],
): Promise<TlsSettings["clientCertificate"]> {
  const certName = names.find((one) => one.endsWith(".cert"));
  if (certName === undefined) return undefined;
  const keyName = certName.replace(/\.cert$/, ".key");
  if (!names.includes(keyName)) {
    const because = `${certName} is there without ${keyName}`;
    throw new DevboxError("BAD_CONFIG", { step: `read the client certificate in ${directory}`, because });
  }
  return { cert: await readCertificates(join(directory, certName)), key: await readText(join(directory, keyName)) };
}

async function listFiles(directory: string): Promise<readonly string[]> {
  try {
    return (await readdir(directory)).sort();
  } catch (cause) {
    const name = errnoName(cause);
    if (name === "ENOENT" || name === "ENOTDIR") return [];
    throw new DevboxError("BAD_CONFIG", { step: `read the certificates in ${directory}`, cause });
  }
}

/** SSL_CERT_DIR as OpenSSL has it: certificates beside links to them and other files; each certificate once. */
async function readDirectoryCertificates(directory: string): Promise<readonly string[]> {
  const texts = new Set<string>();
  for (const name of await listFiles(directory)) {
    const text = await readFile(join(directory, name), "utf8").catch(() => "");
    if (isCertificate(text)) texts.add(text);
  }
  return [...texts];
}

function isCertificate(text: string): boolean {
  return text.includes("-----BEGIN CERTIFICATE-----") || text.includes("-----BEGIN TRUSTED CERTIFICATE-----");
}

async function readCertificates(path: string): Promise<string> {
  const text = await readText(path);
  if (isCertificate(text)) return text;
  throw new DevboxError("BAD_CONFIG", {
    step: `read certificate ${path}`,
    because: "there is no PEM certificate in it",
  });
}

async function readText(path: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch (cause) {
    throw new DevboxError("BAD_CONFIG", { step: `read certificate ${path}`, cause });
  }
}
