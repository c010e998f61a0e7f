/** The command line as a whole, in a process of its own: what it prints where, and how it ends. */
import { afterAll, expect, test } from "bun:test";
import { closeSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { O_CLOEXEC } from "../../../ffi/constants.ts";
import { pipe2 } from "../../../ffi/libc.ts";
import { version } from "../../../package.json";

const home = mkdtempSync(join(tmpdir(), "devbox-cli-"));
afterAll(() => rmSync(home, { recursive: true }));

const main = join(import.meta.dir, "../../../src/main.ts");

async function devbox(words: readonly string[], stdout: "pipe" | number = "pipe") {
  const child = Bun.spawn([process.execPath, main, ...words], {
    env: { PATH: process.env["PATH"], HOME: home },
    stdin: "ignore",
    stdout,
    stderr: "pipe",
  });
  const out = child.stdout instanceof ReadableStream ? child.stdout.text() : "";
  const [text, error, status] = await Promise.all([out, child.stderr.text(), child.exited]);
  return { stdout: text, stderr: error, status };
}

test("--version", async () => {
  expect(await devbox(["--version"])).toEqual({ stdout: `devbox ${version}\n`, stderr: "", status: 0 });
});

test("nothing, --help and help print the overview", async () => {
  const alone = await devbox([]);
  expect(alone.stdout).toContain("Boxes:\n  run ");
  expect([alone.stderr, alone.status]).toEqual(["", 0]);
  expect(await devbox(["--help"])).toEqual(alone);
  expect(await devbox(["help"])).toEqual(alone);
});

test("help of a command, by three roads", async () => {
  const help = await devbox(["pull", "--help"]);
  expect(help.stdout).toContain("Usage: devbox pull ");
  expect([help.stderr, help.status]).toEqual(["", 0]);
  expect(await devbox(["help", "pull"])).toEqual(help);
  expect(await devbox(["pull", "-h"])).toEqual(help);
  expect(help.stdout).not.toContain("\x1b");
});

test("commands of a group are commands: their help, their errors, their exit statuses", async () => {
  const help = await devbox(["images", "--help"]);
  for (const words of ["image ls --help", "image list --help", "help image ls", "image --help ls"]) {
    expect(await devbox(words.split(" "))).toEqual(help);
  }
  expect(await devbox(["help", "image"])).toEqual(await devbox(["image"]));
  const { stderr, status } = await devbox(["image", "verify", "--json", "none"]);
  expect(JSON.parse(stderr)).toMatchObject({ event: "error", code: "IMAGE_NOT_FOUND" });
  expect(status).toBe(1);
  // Of what runs a command, the status is the command's.
  expect((await devbox(["container", "exec", "none", "true"])).status).toBe(125);
  expect((await devbox(["--debug", "container", "rm", "none"])).stderr).toContain("code: BOX_NOT_FOUND");
  expect((await devbox(["image", "veryfy"])).stderr).toBe(
    'error: devbox image: unknown command "veryfy"\nhint: did you mean devbox image verify? see: devbox image --help\n',
  );
});

test("an unknown command", async () => {
  expect(await devbox(["imgaes", "-q"])).toEqual({
    stdout: "",
    stderr: 'error: devbox: unknown command "imgaes"\nhint: did you mean devbox images? see: devbox --help\n',
    status: 125,
  });
  expect((await devbox(["--constructor"])).stderr).toContain("unknown option --constructor");
  expect((await devbox(["constructor"])).stderr).toContain('unknown command "constructor"');
});

test("a command of docker's that is none here: what to do instead", async () => {
  expect((await devbox(["list-tags", "x"])).stderr).toEndWith("hint: see: devbox image tags --help\n");
  expect((await devbox(["image", "search", "x"])).stderr).toContain("devbox image tags NAME lists the tags");
});

test("an unknown option", async () => {
  expect(await devbox(["run", "--evn", "A=1", "alpine"])).toEqual({
    stdout: "",
    stderr: "error: devbox run: unknown option --evn\nhint: did you mean --env? see: devbox run --help\n",
    status: 125,
  });
});

test("a slip in a value leads to the help of the command", async () => {
  expect((await devbox(["run", "--env", "=1", "alpine"])).stderr).toEndWith("hint: see: devbox run --help\n");
});

test("errors as JSON, also of a line that cannot be read", async () => {
  const { stdout, stderr, status } = await devbox(["images", "--json", "--colour"]);
  expect({ stdout, status }).toEqual({ stdout: "", status: 125 });
  expect(JSON.parse(stderr)).toMatchObject({ event: "error", code: "USAGE", exitStatus: 125 });
});

test("--json among the words of the box's command is not ours", async () => {
  const { stderr } = await devbox(["run", "BAD/Reference", "tool", "--json", "--debug"]);
  expect(stderr).toStartWith("error: ");
  expect(stderr).not.toContain("stack:");
});

test("--debug, before and behind the command", async () => {
  for (const words of [
    ["--debug", "rm", "none"],
    ["rm", "--debug", "none"],
  ]) {
    const { stderr, status } = await devbox(words);
    expect(status).toBe(1);
    expect(stderr).toContain("code: BOX_NOT_FOUND (exit status 1)\nstack:\n");
  }
});

test("a reader that has gone is no error", async () => {
  const [reading, writing] = pipe2(O_CLOEXEC);
  closeSync(reading);
  expect(await devbox(["run", "--help"], writing)).toEqual({ stdout: "", stderr: "", status: 0 });
  closeSync(writing);
});

test("an output that cannot be written is an error, and messages that cannot are none", async () => {
  const full = async (words: readonly string[], redirect: string) => {
    const script = `"$0" "$@" ${redirect}/dev/full`;
    const child = Bun.spawn(["sh", "-c", script, process.execPath, main, ...words], { stdout: "pipe", stderr: "pipe" });
    return { stderr: await child.stderr.text(), status: await child.exited };
  };
  expect(await full(["version"], ">")).toEqual({
    stderr:
      "error: write the output: no space left on device (ENOSPC)\n" +
      "hint: make room where stdout goes, or send it elsewhere\n",
    status: 125,
  });
  expect(await full(["nope"], "2>")).toEqual({ stderr: "", status: 125 });
});

test("images of an empty store: the heading; as JSON: an empty list", async () => {
  expect((await devbox(["images"])).stdout).toBe("REPOSITORY   TAG       IMAGE ID   CREATED   SIZE\n");
  expect((await devbox(["images", "--json"])).stdout).toBe("[]\n");
});

test("version --json", async () => {
  expect(JSON.parse((await devbox(["version", "--json"])).stdout)).toMatchObject({ devbox: version, bun: Bun.version });
});

test("hook gets its words as they are, and is in no help", async () => {
  const { stderr, status } = await devbox(["hook", "slirp4netns", "begin", "--directory", "/d"]);
  expect(stderr).toContain("expected start or stop, got begin");
  expect(status).toBe(125);
  expect((await devbox(["hook", "pasta"])).stderr).toStartWith('error: devbox hook: there is none named "pasta"\n');
  expect((await devbox([])).stdout).not.toMatch(/^ {2}hook/m);
});
