/** What docker's, podman's and skopeo's users type about images, and what their scripts count on. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { $ } from "bun";
import { openHome } from "../helpers/devbox.ts";
import { devboxBinary, imageName } from "../helpers/given.ts";
import { type RunningRegistry, startRegistry } from "../helpers/registry.ts";
import { openTerminal } from "../helpers/terminal.ts";

const home = openHome();
const image = imageName("busybox");
let closed: RunningRegistry;
beforeAll(async () => {
  const account = { user: "me", password: "secret" };
  closed = await startRegistry({ directory: join(home.directory, "registry"), account });
  await home.ok(["pull", "-q", image]);
  await home.ok(["tag", image, "app:1"]);
  await home.ok(["run", "--name=web", "--network=none", "app:1", "busybox", "touch", "/new"]);
});
afterAll(async () => {
  await closed[Symbol.asyncDispose]();
  await home[Symbol.asyncDispose]();
});

/** A line of a shell in which `devbox` is the program. */
async function shell(line: string) {
  const script = `devbox() { "${devboxBinary()}" "$@"; }\n${line}`;
  const child = Bun.spawn(["bash", "-c", script], {
    env: { ...home.env, CLOSED: closed.address, IMAGE: image },
    cwd: home.directory,
    stdout: "pipe",
    stderr: "pipe",
  });
  const [stdout, stderr, exitCode] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited]);
  return { stdout, stderr, exitCode };
}

test.each([
  "devbox save -q app:1",
  "devbox save -q --format=oci-archive app:1",
  "devbox export web",
  "devbox cp web:/ -",
])("%s | head: the end of its reader is no failure to tell of, and its status is that of tar", async (line) => {
  expect(await shell(`${line} | head -c 10 | wc -c; exit "\${PIPESTATUS[0]}"`)).toEqual({
    stdout: "10\n",
    stderr: "",
    exitCode: 141,
  });
});

test.each(["save -q -o - app:1", "save -q -o /dev/stdout app:1", "export -o - web", "export --output=/dev/stdout web"])(
  "%s: an archive on stdout",
  async (words) => {
    const { stdout, stderr, exitCode } = await shell(`devbox ${words} | tar -t | grep -Ec 'manifest.json|^./new$'`);
    expect({ stdout, stderr, exitCode }).toEqual({ stdout: "1\n", stderr: "", exitCode: 0 });
    expect(readdirSync(home.directory)).not.toContain("-");
  },
);

test.each(["save app:1", "save -o - app:1", "export web", "export -o - web", "load", "load -i -"])(
  "%s: a terminal gets no archive, and gives none",
  async (words) => {
    await using session = openTerminal(home, `"$DEVBOX" ${words}`);
    const { shown, exitCode } = await session.result;
    expect(Bun.stripANSI(shown)).toMatch(/^error: .+ terminal|terminal\r\n/);
    expect(exitCode).toBe(125);
  },
);

test.each([
  "devbox load </dev/null",
  "devbox load -i /dev/null",
  "devbox import - </dev/null",
  "devbox import /dev/null",
])("%s: nothing is no archive", async (line) => {
  const { stderr, exitCode } = await shell(line);
  expect(stderr).toContain(" it is empty\n");
  expect(exitCode).toBe(125);
});

test("who the user is: --creds and --authfile, of each side of a copy; nothing of it is kept", async () => {
  for (const line of [
    "devbox push -q --creds=me:secret app:1 $CLOSED/a:1",
    "devbox pull -q --creds me:secret $CLOSED/a:1",
    "devbox copy -q --src-creds me:secret --dest-creds=me:secret docker://$CLOSED/a:1 docker://$CLOSED/b",
    "echo secret | devbox login --authfile logins -u me --password-stdin $CLOSED",
    "devbox copy -q --authfile logins $CLOSED/b dir:b",
    "devbox copy -q --src-authfile=logins --multi-arch=all $CLOSED/b oci:b.oci:b",
    "devbox copy -q --dest-authfile logins $IMAGE $CLOSED/c",
    "devbox artifact inspect --authfile logins $CLOSED/c",
  ]) {
    const { stderr, exitCode } = await shell(line);
    expect([line, exitCode, stderr]).toEqual([line, 0, expect.not.stringContaining("error")]);
  }
  for (const line of [
    "devbox push -q --creds me:wrong app:1 $CLOSED/a:2",
    "devbox pull -q $CLOSED/b",
    "devbox copy -q --dest-creds me:secret $CLOSED/a:1 dir:x",
    "devbox pull --creds me $CLOSED/a:1",
    "devbox pull --creds '' $CLOSED/a:1",
  ]) {
    const { stderr, exitCode } = await shell(line);
    expect([line, exitCode]).toEqual([line, 125]);
    expect(stderr).toMatch(/^hint: .*devbox login/m);
    expect(stderr).not.toMatch(/secret|wrong/);
  }
});

test("--creds is for the registry of the name, and not told to its mirrors", async () => {
  const heard: (string | null)[] = [];
  await using mirror = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    fetch({ headers }) {
      heard.push(headers.get("authorization"));
      return new Response("", { status: 401, headers: { "www-authenticate": 'Basic realm="mirror"' } });
    },
  });
  const conf = join(home.directory, "mirrored.conf");
  writeFileSync(
    conf,
    `[[registry]]\nlocation = "${closed.address}"\n[[registry.mirror]]\nlocation = "${mirror.hostname}:${mirror.port}"\n`,
  );
  const name = `${closed.address}/mirrored:1`;
  await home.ok(["push", "-q", "--creds=me:secret", "app:1", name]);
  const env = { CONTAINERS_REGISTRIES_CONF: conf };
  await home.ok(["copy", "-q", "--src-creds=me:secret", name, "dir:mirrored"], { env });
  expect(heard.length).toBeGreaterThan(0);
  expect(heard).toEqual(heard.map(() => null));
});

test("podman's and skopeo's words for how layers are packed", async () => {
  const mediaType = (directory: string) =>
    JSON.parse(readFileSync(join(home.directory, directory, "manifest.json"), "utf8")).layers[0].mediaType;
  await home.ok(["push", "-q", "--compression-format=zstd", "--compression-level=3", "app:1", "dir:packed"]);
  expect(mediaType("packed")).toEndWith("tar+zstd");
  await home.ok(["copy", "-q", "--dest-compress-format", "gzip", "dir:packed", "dir:again"]);
  expect(mediaType("again")).toEndWith("tar+gzip");
});

test("an image in its registry, as skopeo shows it, and its documents, of which no layer is pulled", async () => {
  const name = `docker://${imageName("platforms")}`;
  const shown = JSON.parse(await home.ok(["image", "inspect", name]));
  const skopeo = JSON.parse(await $`skopeo inspect --tls-verify=false ${name}`.text());
  expect(shown).toMatchObject(skopeo);
  for (const flags of [["--raw"], ["--raw", "--config"]]) {
    const raw = await $`skopeo inspect --tls-verify=false ${flags} ${name}`.text();
    expect(await home.ok(["image", "inspect", ...flags, name])).toBe(raw);
  }
  expect(await home.ok(["image", "inspect", "-n", "-f", "{{.Os}} {{len .RepoTags}}", name])).toBe("linux 0\n");
  const raw = await home.ok(["image", "inspect", "--raw", "app:1"]);
  await home.ok(["push", "-q", "app:1", "oci:here"]);
  expect(await home.ok(["image", "inspect", "--raw", "oci:here"])).toBe(raw);
  expect(await home.ok(["images", "-q", imageName("platforms")])).toBe("");
});

test("what is no source says what to do instead", async () => {
  for (const [words, hint] of [
    ["import http://127.0.0.1:1/x.tar", /^hint: curl -fL http:\S+ \| devbox import - NAME$/m],
    ["copy dir:none oci:x", /because: there is no such directory/],
    ["copy dir:/etc oci:x", /^hint: .* tar -C \/etc -c \. \| devbox import -$/m],
    ["copy docker-daemon:app:1 dir:x", /^hint: .* docker save IMAGE \| devbox load/m],
    ["build .", /^hint: .*devbox commit/m],
  ] as const) {
    const { stderr, exitCode } = await shell(`devbox ${words}`);
    expect([words, exitCode > 0]).toEqual([words, true]);
    expect(stderr).toMatch(hint);
  }
});

test("the tags of a repository", async () => {
  const name = imageName("busybox");
  expect(await home.ok(["image", "tags", name])).toBe("latest\n");
  const skopeo = JSON.parse(
    await $`skopeo list-tags --tls-verify=false docker://${name.replace(/:latest$/, "")}`.text(),
  );
  expect(JSON.parse(await home.ok(["image", "tags", "--json", `docker://${name}`]))).toEqual(skopeo);
});

test("rmi does what can be done, and tells of the rest; image exists", async () => {
  await home.ok(["tag", "app:1", "one", "two"]);
  const { stdout, stderr, exitCode } = await home.run(["rmi", "one", "none", "two", "nil"]);
  expect([stdout, exitCode]).toEqual([
    "untagged: docker.io/library/one:latest\nuntagged: docker.io/library/two:latest\n",
    1,
  ]);
  expect(stderr).toContain("error: find the image none\n");
  expect(stderr).toContain("also failed: find the image nil: it is not here\n");
  expect(await home.run(["rmi", "-f", "none"])).toEqual({ stdout: "", stderr: "", exitCode: 0 });
  expect(await home.run(["image", "exists", "app:1"])).toEqual({ stdout: "", stderr: "", exitCode: 0 });
  expect(await home.run(["image", "exists", "one"])).toEqual({ stdout: "", stderr: "", exitCode: 1 });
});

test("tables and diffs as docker and podman print them", async () => {
  const [heading, line] = (await home.ok(["image", "ls", "app"])).split("\n");
  expect(heading).toBe("REPOSITORY   TAG       IMAGE ID       CREATED       SIZE");
  expect(line).toMatch(/^app {10}1 {9}[0-9a-f]{12} {3}\d+ years ago {3}[\d.]+MB$/);
  expect(JSON.parse(await home.ok(["container", "diff", "--format", "json", "web"]))).toEqual({ added: ["/new"] });
});

test("container and system are groups of the same commands", async () => {
  expect(await home.ok(["container", "ls", "-a", "--format={{.Names}}"])).toBe("web\n");
  expect(await home.ok(["container", "run", "--network=none", "app:1", "echo", "hi"])).toBe("hi\n");
  expect(await home.ok(["system", "df"])).toStartWith("TYPE ");
  const id = await home.ok(["container", "create", "--name", "gone", "--label", "x", "app:1"]);
  expect(id).toMatch(/^[0-9a-f]{64}\n$/);
  expect(await home.ok(["container", "prune", "-f", "--filter", "label=x"])).toBe("gone\n");
  expect(await home.ok(["ps", "-a", "--format", "{{.Names}}"])).toBe("web\n");
});
