/** Registries that ask for an account, or speak TLS with a CA of their own. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { $ } from "bun";
import { openHome } from "../helpers/devbox.ts";
import { layouts } from "../helpers/given.ts";
import { type RunningRegistry, startRegistry } from "../helpers/registry.ts";

const home = openHome();
const account = { user: "someone", password: "secret word" };
let guarded: RunningRegistry;
let secure: RunningRegistry;

beforeAll(async () => {
  guarded = await startRegistry({ directory: join(home.directory, "guarded"), account });
  secure = await startRegistry({ directory: join(home.directory, "secure"), tls: true, account });
  const source = `oci:${join(layouts(), "busybox")}:latest`;
  for (const { address } of [guarded, secure]) {
    const credentials = `${account.user}:${account.password}`;
    await $`skopeo copy --quiet --insecure-policy --dest-creds ${credentials} --dest-tls-verify=false ${source} docker://${address}/busybox:latest`.quiet();
  }
});
afterAll(async () => {
  await guarded[Symbol.asyncDispose]();
  await secure[Symbol.asyncDispose]();
  await home[Symbol.asyncDispose]();
});

/** A file as `docker login` and `podman login` write it. */
function authFile(path: string, registry: string, password = account.password): string {
  mkdirSync(join(path, ".."), { recursive: true });
  const auth = Buffer.from(`${account.user}:${password}`).toString("base64");
  writeFileSync(path, JSON.stringify({ auths: { [registry]: { auth } } }));
  return path;
}

test("without an account: refused, with the registry's name and how to log in", async () => {
  const { exitCode, stderr } = await home.run(["pull", `${guarded.address}/busybox`]);
  expect(exitCode).toBe(125);
  expect(stderr).toContain(guarded.address);
  expect(stderr).toMatch(/^hint: .*log in/m);
});

test("with $REGISTRY_AUTH_FILE", async () => {
  const env = { REGISTRY_AUTH_FILE: authFile(join(home.directory, "auth.json"), guarded.address) };
  expect(await home.ok(["run", "--network=none", `${guarded.address}/busybox`, "echo", "in"], { env })).toBe("in\n");
});

test("with ~/.docker/config.json", async () => {
  await using other = openHome();
  authFile(join(other.directory, ".docker/config.json"), guarded.address);
  await other.ok(["pull", "-q", `${guarded.address}/busybox`]);
});

test("with a wrong password: refused, and the password is not printed", async () => {
  await using other = openHome();
  const env = { REGISTRY_AUTH_FILE: authFile(join(other.directory, "auth.json"), guarded.address, "wrong word") };
  const { exitCode, stderr } = await other.run(["pull", "--debug", `${guarded.address}/busybox`], { env });
  expect(exitCode).toBe(125);
  expect(stderr).not.toContain("wrong word");
  expect(stderr).not.toContain(Buffer.from(`${account.user}:wrong word`).toString("base64"));
});

test("TLS with an unknown CA is refused, and the hint names the two ways", async () => {
  const { exitCode, stderr } = await home.run(["pull", `${secure.address}/busybox`]);
  expect(exitCode).toBe(125);
  expect(stderr).toContain("SSL_CERT_FILE");
  expect(stderr).toContain("--tls-verify=false");
});

test("TLS with the CA in SSL_CERT_FILE, or unverified on request", async () => {
  const auth = { REGISTRY_AUTH_FILE: authFile(join(home.directory, "secure.json"), secure.address) };
  for (const [flags, env] of [
    [[], { ...auth, SSL_CERT_FILE: secure.ca }],
    [["--tls-verify=false"], auth],
  ] as const) {
    await using other = openHome();
    await other.ok(["pull", "-q", ...flags, `${secure.address}/busybox`], { env });
  }
});

test("TLS with the CA in the user's certs.d", async () => {
  await using other = openHome();
  const certs = join(other.directory, ".config/containers/certs.d", secure.address);
  mkdirSync(certs, { recursive: true });
  await Bun.write(join(certs, "ca.crt"), Bun.file(secure.ca ?? ""));
  const env = { REGISTRY_AUTH_FILE: authFile(join(other.directory, "auth.json"), secure.address) };
  await other.ok(["pull", "-q", `${secure.address}/busybox`], { env });
});
