/** devbox login and logout: at a real registry, with the files and helpers that docker, podman and skopeo share. */
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "bun:test";
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { $ } from "bun";
import { type Home, openHome } from "../helpers/devbox.ts";
import { layouts } from "../helpers/given.ts";
import { type RunningRegistry, startRegistry } from "../helpers/registry.ts";
import { openTerminal } from "../helpers/terminal.ts";

const base = openHome();
const account = { user: "someone", password: "secret word" };
let registry: RunningRegistry;
let home: Home;

beforeAll(async () => {
  registry = await startRegistry({ directory: join(base.directory, "guarded"), account });
  const credentials = `${account.user}:${account.password}`;
  await $`skopeo copy --quiet --insecure-policy --dest-creds ${credentials} --dest-tls-verify=false oci:${join(layouts(), "busybox")}:latest docker://${registry.address}/busybox:latest`.quiet();
});
afterAll(async () => {
  await registry[Symbol.asyncDispose]();
  await base[Symbol.asyncDispose]();
});
beforeEach(() => {
  home = openHome();
});
afterEach(() => home[Symbol.asyncDispose]());

const dockerFile = () => join(home.directory, ".docker/config.json");
const read = (path: string) => JSON.parse(readFileSync(path, "utf8"));
const auth = (user = account.user, password = account.password) =>
  Buffer.from(`${user}:${password}`).toString("base64");
const login = (args: readonly string[] = [], env: Record<string, string> = {}) =>
  home.run(["login", "-u", account.user, "--password-stdin", ...args, registry.address], {
    stdin: `${account.password}\n`,
    env,
  });

function write(path: string, content: object | string, mode = 0o600): string {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, typeof content === "string" ? content : JSON.stringify(content), { mode });
  return path;
}

test("password from stdin: kept for the owner alone, and what comes next is let in", async () => {
  expect(await login()).toMatchObject({ exitCode: 0, stdout: "Login Succeeded!\n" });
  expect(read(dockerFile())).toEqual({ auths: { [registry.address]: { auth: auth() } } });
  expect(lstatSync(dockerFile()).mode & 0o777).toBe(0o600);
  expect(readdirSync(dirname(dockerFile()))).toEqual(["config.json"]);
  await home.ok(["pull", "-q", `${registry.address}/busybox`]);
  expect(await home.ok(["login", "--get-login", registry.address])).toBe("someone\n");
});

test("skopeo reads our login, and we read skopeo's", async () => {
  await login();
  const file = dockerFile();
  await $`skopeo inspect --authfile ${file} --tls-verify=false docker://${registry.address}/busybox`.quiet();
  await using other = openHome();
  const theirs = join(other.directory, "auth.json");
  await $`skopeo login --authfile ${theirs} --tls-verify=false -u ${account.user} -p ${account.password} ${registry.address}`.quiet();
  const env = { REGISTRY_AUTH_FILE: theirs };
  await other.ok(["pull", "-q", `${registry.address}/busybox`], { env });
  expect(await other.ok(["logout", "--authfile", theirs, registry.address])).toContain(theirs);
  const refused = $`skopeo login --authfile ${theirs} --get-login ${registry.address}`.quiet();
  expect((await refused.nothrow()).exitCode).not.toBe(0);
});

test("podman is logged out by our logout of what we wrote, and reads docker.io under docker's key", async () => {
  const file = write(join(home.directory, "auth.json"), {
    auths: { "https://index.docker.io/v1/": { auth: auth("hub") } },
  });
  const theirs = await $`podman login --authfile ${file} --get-login docker.io`
    .env({ ...home.env })
    .quiet()
    .text();
  expect(theirs).toBe("hub\n");
  expect(await home.ok(["login", "--authfile", file, "--get-login"])).toBe("hub\n");
  expect(await home.ok(["logout", "--authfile", file])).toContain("docker.io");
  expect(read(file)).toEqual({ auths: {} });
});

test("a wrong password is refused by the registry, and nothing is written", async () => {
  const { exitCode, stderr } = await home.run(["login", "-u", "someone", "--password-stdin", registry.address], {
    stdin: "wrong word",
  });
  expect(exitCode).toBe(125);
  expect(stderr).toContain(registry.address);
  expect(stderr).not.toContain("wrong word");
  expect(existsSync(dockerFile())).toBe(false);
});

test("everything else in the file stays, a link to it stays a link", async () => {
  const text = `{\n    "detachKeys": "ctrl-q",\n    "auths": {\n        "other": {},\n        "${registry.address}": {\n            "auth": "${auth("old")}"\n        }\n    },\n    "psFormat": 1.0\n}\n`;
  const target = write(join(home.directory, "dotfiles/docker.json"), text, 0o644);
  mkdirSync(dirname(dockerFile()));
  symlinkSync(target, dockerFile());
  await login();
  expect(readFileSync(target, "utf8")).toBe(text.replace(auth("old"), auth()));
  expect(lstatSync(target).mode & 0o777).toBe(0o600);
  expect(lstatSync(dockerFile()).isSymbolicLink()).toBe(true);
});

/** A helper that keeps its entries in files, and a PATH with it. */
function installHelper(): { readonly kept: string; readonly env: Record<string, string> } {
  const kept = join(home.directory, "kept");
  mkdirSync(kept);
  const script = `#!/bin/sh
    name() { tr -c 'a-z0-9.\\n' _ | tr -d '\\n'; }
    case $1 in
      store) cat >"${kept}/new"; mv "${kept}/new" "${kept}/$(sed 's/.*"ServerURL":"\\([^"]*\\)".*/\\1/' "${kept}/new" | name)" ;;
      get) cat "${kept}/$(name)" 2>/dev/null || { echo "credentials not found in native keychain"; exit 1; } ;;
      erase) rm "${kept}/$(name)" ;;
      list) echo '{"${registry.address}": "someone"}' ;;
    esac\n`;
  const path = write(join(home.directory, "bin/docker-credential-chest"), script);
  chmodSync(path, 0o755);
  return { kept, env: { PATH: `${dirname(path)}:${process.env["PATH"]}` } };
}

test("a credential helper keeps the password: none in the file, not even an old one", async () => {
  const { kept, env } = installHelper();
  write(dockerFile(), {
    credHelpers: { [registry.address]: "chest" },
    auths: { [registry.address]: { auth: auth("old") } },
  });
  expect((await login([], env)).exitCode).toBe(0);
  expect(read(dockerFile())).toEqual({ credHelpers: { [registry.address]: "chest" }, auths: {} });
  expect(readdirSync(kept).length).toBe(1);
  await home.ok(["pull", "-q", `${registry.address}/busybox`], { env });
  expect(await home.ok(["logout", "--all"], { env })).toContain("docker-credential-chest");
  expect(readdirSync(kept)).toEqual([]);
});

test("a helper that is named and not there: nothing is stored elsewhere", async () => {
  const content = { credsStore: "no-such-helper" };
  write(dockerFile(), content);
  const { exitCode, stderr } = await login();
  expect(exitCode).toBe(125);
  expect(stderr).toContain("docker-credential-no-such-helper");
  expect(read(dockerFile())).toEqual(content);
});

test("a login of podman's that goes before ours is told of, and logout forgets both", async () => {
  const podmans = write(join(home.env["XDG_RUNTIME_DIR"] ?? "", "containers/auth.json"), {
    auths: { [registry.address]: { auth: auth("other") } },
  });
  expect((await login()).stderr).toContain(podmans);
  const forgot = await home.ok(["logout", registry.address]);
  expect(forgot).toContain(podmans);
  expect(forgot).toContain(dockerFile());
  const again = await home.run(["logout", registry.address]);
  expect(again).toMatchObject({ exitCode: 0, stdout: "" });
  expect(again.stderr).toContain(`not logged in at ${registry.address}`);
});

test("on a terminal: asked for, the password not shown, typing mended; afterwards the terminal echoes", async () => {
  await using session = openTerminal(
    home,
    `"$DEVBOX" login ${registry.address}; stty -a | tr ';' '\\n' | grep -w echo`,
  );
  await session.output(/Username: /);
  session.type("somebody\x7f\x7f\x7f\x7fone\r");
  await session.output(/Password: /);
  session.type("wrong\x15secret word\r");
  const { shown, exitCode } = await session.result;
  expect(exitCode).toBe(0);
  expect(shown).toContain("Login Succeeded!");
  expect(shown).not.toContain("secret word");
  expect(shown).toMatch(/ echo /);
  expect(read(dockerFile()).auths[registry.address].auth).toBe(auth());
});

test("Ctrl-C while a password is asked for", async () => {
  await using session = openTerminal(home, `"$DEVBOX" login -u someone ${registry.address}`);
  await session.output(/Password: /);
  session.type("sec\x03");
  expect((await session.result).exitCode).toBe(130);
  expect(existsSync(dockerFile())).toBe(false);
});

test("without a terminal, what is missing is said; -p is warned of", async () => {
  expect(await home.run(["login", registry.address])).toMatchObject({
    exitCode: 125,
    stderr: expect.stringContaining("--password-stdin"),
  });
  const { exitCode, stderr } = await home.run(["login", "-u", account.user, "-p", account.password, registry.address]);
  expect(exitCode).toBe(0);
  expect(stderr).toContain("--password-stdin");
});

test("a file that is no JSON is named, and stays as it is", async () => {
  write(dockerFile(), "{ nonsense");
  const { exitCode, stderr } = await login();
  expect(exitCode).toBe(125);
  expect(stderr).toContain(dockerFile());
  expect(readFileSync(dockerFile(), "utf8")).toBe("{ nonsense");
});
