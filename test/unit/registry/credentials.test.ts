import { afterAll, beforeEach, describe, expect, test } from "bun:test";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { credentialPaths, findCredentials } from "../../../src/registry/authentication/credentials.ts";
import { failureOf, recordingContext } from "../../helpers/registry-client.ts";

const root = mkdtempSync(join(tmpdir(), "devbox-credentials-"));
afterAll(() => rmSync(root, { recursive: true }));

let home = "";
let count = 0;
beforeEach(() => {
  home = join(root, `home-${count++}`);
  mkdirSync(home);
});

const encode = (login: string): string => Buffer.from(login).toString("base64");

function write(path: string, content: object | string): string {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, typeof content === "string" ? content : JSON.stringify(content));
  return path;
}

function context(env: Record<string, string> = {}) {
  return recordingContext({ HOME: home, XDG_RUNTIME_DIR: join(home, "run"), PATH: join(home, "bin"), ...env });
}

async function userAt(registry: string, repository: string, env: Record<string, string> = {}): Promise<string> {
  const found = await findCredentials(context(env), registry, repository);
  if (found === undefined) return "nobody";
  return found.kind === "password" ? `${found.username}:${found.password}` : `token ${found.token}`;
}

/** A credential helper: a shell script that answers by the server's name on stdin. */
function installHelper(name: string, script: string): void {
  const path = write(join(home, "bin", `docker-credential-${name}`), `#!/bin/sh\nread -r server\n${script}\n`);
  chmodSync(path, 0o755);
}

describe("which file", () => {
  test("in the order of containers-auth.json(5)", () => {
    expect(credentialPaths({ HOME: "/h", XDG_RUNTIME_DIR: "/r" })).toEqual([
      "/r/containers/auth.json",
      "/h/.config/containers/auth.json",
      "/h/.docker/config.json",
    ]);
    const env = { HOME: "/h", REGISTRY_AUTH_FILE: "/a.json", XDG_CONFIG_HOME: "/c", DOCKER_CONFIG: "/d" };
    expect(credentialPaths(env)).toEqual(["/a.json", "/c/containers/auth.json", "/d/config.json"]);
  });

  test("the first that knows the registry", async () => {
    write(join(home, ".docker/config.json"), { auths: { "a.example": { auth: encode("docker:1") } } });
    expect(await userAt("a.example", "x")).toBe("docker:1");
    write(join(home, ".config/containers/auth.json"), { auths: { "a.example": { auth: encode("config:2") } } });
    expect(await userAt("a.example", "x")).toBe("config:2");
    write(join(home, "run/containers/auth.json"), { auths: { "b.example": { auth: encode("runtime:3") } } });
    expect(await userAt("a.example", "x")).toBe("config:2");
    expect(await userAt("b.example", "x")).toBe("runtime:3");
  });

  test("a missing or broken one is passed over, with a warning", async () => {
    write(join(home, ".config/containers/auth.json"), "{");
    write(join(home, ".docker/config.json"), { auths: { "a.example": { auth: encode("docker:1") } } });
    const quiet = context();
    expect((await findCredentials(quiet, "a.example", "x"))?.source).toBe(join(home, ".docker/config.json"));
    expect(quiet.lines.join()).toContain("auth.json");
  });

  test("but not where $REGISTRY_AUTH_FILE names it", async () => {
    const missing = join(home, "missing.json");
    const error = await failureOf(findCredentials(context({ REGISTRY_AUTH_FILE: missing }), "a.example", "x"));
    expect([error.code, error.step]).toEqual(["BAD_CONFIG", `read the credentials file ${missing}`]);
    const broken = write(join(home, "broken.json"), "{");
    const other = await failureOf(findCredentials(context({ REGISTRY_AUTH_FILE: broken }), "a.example", "x"));
    expect(other.code).toBe("BAD_CONFIG");
  });
});

describe("which entry", () => {
  test("the longest prefix of host/path", async () => {
    const auths = {
      "quay.io": { auth: encode("host:1") },
      "quay.io/team": { auth: encode("team:2") },
      "quay.io/team/app": { auth: encode("app:3") },
      "quay.io/te": { auth: encode("no-prefix:4") },
    };
    write(join(home, ".config/containers/auth.json"), { auths });
    expect(await userAt("quay.io", "other/app")).toBe("host:1");
    expect(await userAt("quay.io", "team/other")).toBe("team:2");
    expect(await userAt("quay.io", "team/app")).toBe("app:3");
    expect(await userAt("quay.io:443", "team/app")).toBe("nobody");
  });

  test.each(["https://index.docker.io/v1/", "index.docker.io", "docker.io", "https://registry-1.docker.io/v2/"])(
    "docker.io is also %s",
    async (key) => {
      write(join(home, ".docker/config.json"), { auths: { [key]: { auth: encode("hub:1") } } });
      expect(await userAt("docker.io", "library/alpine")).toBe("hub:1");
    },
  );

  test("URLs as keys, of old docker versions", async () => {
    write(join(home, ".docker/config.json"), { auths: { "https://a.example:5000/v1/": { auth: encode("old:1") } } });
    expect(await userAt("a.example:5000", "x")).toBe("old:1");
  });

  test("colons in passwords, NUL padding, identity tokens, plain fields", async () => {
    const auths = {
      a: { auth: encode("user:p:w\0\0") },
      b: { auth: encode("user:x"), identitytoken: "id-token" },
      c: { username: "user", password: "plain" },
      d: {},
    };
    write(join(home, ".docker/config.json"), { auths });
    expect(await userAt("a", "x")).toBe("user:p:w");
    expect(await userAt("b", "x")).toBe("token id-token");
    expect(await userAt("c", "x")).toBe("user:plain");
    expect(await userAt("d", "x")).toBe("nobody");
  });

  test("one that is not base64 of a login is an error that does not show it", async () => {
    write(join(home, ".docker/config.json"), { auths: { a: { auth: "hunter2" } } });
    const error = await failureOf(findCredentials(context(), "a", "x"));
    expect(error.code).toBe("BAD_CONFIG");
    expect(`${error.message} ${error.hint}`).not.toContain("hunter2");
  });
});

describe("credential helpers", () => {
  test("the registry's own before the store for all; the server's name goes to stdin", async () => {
    write(join(home, ".docker/config.json"), { credsStore: "all", credHelpers: { "gcr.example": "one" } });
    installHelper("one", `printf '{"ServerURL":"%s","Username":"one","Secret":"%s"}' "$server" "$server"`);
    installHelper("all", `printf '{"Username":"all","Secret":"%s"}' "$server"`);
    expect(await userAt("gcr.example", "x")).toBe("one:gcr.example");
    expect(await userAt("other.example", "x")).toBe("all:other.example");
    expect(await userAt("docker.io", "library/x")).toBe("all:https://index.docker.io/v1/");
  });

  test("a helper before what is written in the file", async () => {
    const auths = { "a.example": { auth: encode("file:1") } };
    write(join(home, ".docker/config.json"), { credsStore: "all", auths });
    installHelper("all", `printf '{"Username":"helper","Secret":"2"}'`);
    expect(await userAt("a.example", "x")).toBe("helper:2");
  });

  test("an identity token is told by its user name", async () => {
    write(join(home, ".docker/config.json"), { credsStore: "all" });
    installHelper("all", `printf '{"Username":"<token>","Secret":"id-token"}'`);
    expect(await userAt("a.example", "x")).toBe("token id-token");
  });

  test("one that knows nothing leaves the entry in the file, or nobody", async () => {
    const auths = { "b.example": { auth: encode("file:1") } };
    write(join(home, ".docker/config.json"), { credsStore: "all", auths });
    installHelper("all", "echo credentials not found in native keychain; exit 1");
    const quiet = context();
    expect(await findCredentials(quiet, "a.example", "x")).toBeUndefined();
    expect(await userAt("b.example", "x")).toBe("file:1");
    expect(quiet.lines).toEqual([]);
  });

  test("one that fails or is missing is passed over with a warning that has none of its output", async () => {
    write(join(home, ".docker/config.json"), { credsStore: "all", credHelpers: { "b.example": "absent" } });
    installHelper("all", "echo hunter2; echo hunter2 >&2; exit 3");
    const quiet = context();
    expect(await findCredentials(quiet, "a.example", "x")).toBeUndefined();
    expect(await findCredentials(quiet, "b.example", "x")).toBeUndefined();
    expect(quiet.lines[0]).toContain("failed with status 3");
    expect(quiet.lines[1]).toContain("docker-credential-absent: it is not on PATH");
    expect(quiet.lines.join()).not.toContain("hunter2");
  });

  test("a name with a slash is not a program", async () => {
    write(join(home, ".docker/config.json"), { credsStore: "../../bin/sh" });
    expect(await userAt("a.example", "x")).toBe("nobody");
  });

  test("the signal ends one that hangs", async () => {
    write(join(home, ".docker/config.json"), { credsStore: "all" });
    installHelper("all", "exec /bin/sleep 1000");
    const controller = new AbortController();
    const stopped = { ...context(), signal: controller.signal };
    const looking = findCredentials(stopped, "a.example", "x");
    controller.abort();
    await failureOf(looking);
  });
});
