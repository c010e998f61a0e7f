/** What docker's, podman's and skopeo's users type about images, and what their scripts count on. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
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

test("podman's and skopeo's words for how layers are packed", async () => {
  const mediaType = (directory: string) =>
    JSON.parse(readFileSync(join(home.directory, directory, "manifest.json"), "utf8")).layers[0].mediaType;
  await home.ok(["push", "-q", "--compression-format=zstd", "--compression-level=3", "app:1", "dir:packed"]);
  expect(mediaType("packed")).toEndWith("tar+zstd");
  await home.ok(["copy", "-q", "--dest-compress-format", "gzip", "dir:packed", "dir:again"]);
  expect(mediaType("again")).toEndWith("tar+gzip");
});
