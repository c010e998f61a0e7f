/** What docker's, podman's and skopeo's users type about images, and what their scripts count on. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { readdirSync } from "node:fs";
import { openHome } from "../helpers/devbox.ts";
import { devboxBinary, imageName } from "../helpers/given.ts";
import { openTerminal } from "../helpers/terminal.ts";

const home = openHome();
const image = imageName("busybox");
beforeAll(async () => {
  await home.ok(["pull", "-q", image]);
  await home.ok(["tag", image, "app:1"]);
  await home.ok(["run", "--name=web", "--network=none", "app:1", "busybox", "touch", "/new"]);
});
afterAll(() => home[Symbol.asyncDispose]());

/** A line of a shell in which `devbox` is the program. */
async function shell(line: string) {
  const script = `devbox() { "${devboxBinary()}" "$@"; }\n${line}`;
  const child = Bun.spawn(["bash", "-c", script], {
    env: home.env,
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
