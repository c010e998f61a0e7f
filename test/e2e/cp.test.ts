/** devbox cp: files between boxes and this machine, whose they are, and what cannot leave a box. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { boxHome } from "../helpers/box.ts";
import type { Running } from "../helpers/devbox.ts";
import { sleepingBox } from "../helpers/sleeping-box.ts";

const box = boxHome();
const { home } = box;
const me = process.getuid?.() ?? 0;
let running: Running;

const setUp =
  "mkdir -p /srv/deep && echo one > /srv/deep/file && chown dev:dev /srv/deep/file && chmod 4640 /srv/deep/file && " +
  "ln -s /etc/passwd /srv/link && ln -s / /srv/up && ln -s ../../../../../../outside /srv/out && mkfifo /srv/fifo && " +
  "mkdir -m 700 /srv/closed && chown dev /srv/closed && echo secret > /srv/closed/file && touch -d '2001-02-03 04:05:06' /srv/deep";

beforeAll(async () => {
  running = await sleepingBox(box, "web", ["-v", "data:/data"], setUp);
});
afterAll(async () => {
  running.kill("SIGKILL");
  await running.result;
});

const fresh = (): string => mkdtempSync(join(home.directory, "cp-"));
/** What a script says, in the box that runs, without its own words. */
const inBox = async (path: string): Promise<string> => {
  const target = join(fresh(), "copy");
  await home.ok(["cp", path, target]);
  return readFileSync(target, "utf8");
};

test("out of a box that runs: the caller's own, also what is closed to him in the box", async () => {
  const target = fresh();
  expect(await home.ok(["cp", "web:/srv", target])).toBe("");
  const at = (name: string) => join(target, "srv", name);
  expect(readFileSync(at("deep/file"), "utf8")).toBe("one\n");
  expect(readFileSync(at("closed/file"), "utf8")).toBe("secret\n");
  for (const name of ["deep/file", "closed", "closed/file", "link"]) expect(lstatSync(at(name)).uid).toBe(me);
  // A setuid program of a box is none here.
  expect(statSync(at("deep/file")).mode & 0o7777).toBe(0o640);
  expect(statSync(at("deep")).mtime.toISOString()).toBe("2001-02-03T04:05:06.000Z");
  expect(readlinkSync(at("link"))).toBe("/etc/passwd");
  expect(lstatSync(at("fifo")).isFIFO()).toBe(true);
});

test("links of a box mean places of the box", async () => {
  const target = fresh();
  await home.ok(["cp", "-L", "web:/srv/link", join(target, "passwd")]);
  expect(readFileSync(join(target, "passwd"), "utf8")).toContain("dev:");
  expect(readFileSync(join(target, "passwd"), "utf8")).not.toBe(readFileSync("/etc/passwd", "utf8"));
  const { exitCode, stderr } = await home.run(["cp", "-L", "web:/srv/out", target]);
  expect(exitCode).toBe(1);
  expect(stderr).toContain("copy web:/srv/out");
  expect(stderr).toContain("no such file or directory");
  writeFileSync(join(target, "f"), "into");
  await home.ok(["cp", join(target, "f"), "web:/srv/up/made"]);
  expect(existsSync("/made")).toBe(false);
  expect(await inBox("web:/made")).toBe("into");
});

describe("into a box that runs", () => {
  test("files are its root's, and the modes stay", async () => {
    const source = fresh();
    writeFileSync(join(source, "run.sh"), "#!/bin/sh\n");
    chmodSync(join(source, "run.sh"), 0o4755);
    symlinkSync("run.sh", join(source, "link"));
    await home.ok(["cp", `${source}/.`, "web:/opt"]);
    const listed = Bun.spawnSync(["tar", "tvn", "--numeric-owner"], { stdin: await archiveOf("web:/opt/.") });
    expect(listed.stdout.toString()).toMatch(/^-rwsr-xr-x 0\/0 .* \.\/run\.sh$/m);
    expect(listed.stdout.toString()).toMatch(/^lrwxrwxrwx 0\/0 .* \.\/link -> run\.sh$/m);
  });

  test("--archive keeps the owners by their numbers", async () => {
    const source = join(fresh(), "own");
    writeFileSync(source, "x");
    await home.ok(["cp", "-a", source, "web:/tmp/own"]);
    const listed = Bun.spawnSync(["tar", "tvn", "--numeric-owner"], { stdin: await archiveOf("web:/tmp/own") });
    expect(listed.stdout.toString()).toContain(` ${me}/${process.getgid?.()} `);
  });

  test("a file that is mounted is written to in place, a volume is reached, a read-only place refuses", async () => {
    const source = join(fresh(), "hosts");
    writeFileSync(source, "127.0.0.1 mine\n");
    await home.ok(["cp", source, "web:/etc/hosts"]);
    expect(await inBox("web:/etc/hosts")).toBe("127.0.0.1 mine\n");
    await home.ok(["cp", source, "web:/data"]);
    expect(readFileSync(join(home.store, "volumes/data/_data/hosts"), "utf8")).toBe("127.0.0.1 mine\n");
    const { exitCode, stderr } = await home.run(["cp", source, "web:/sys/kernel/x"]);
    expect(exitCode).toBe(1);
    expect(stderr).toMatch(/EROFS|EPERM|EACCES/);
  });
});

async function archiveOf(path: string): Promise<Uint8Array> {
  const child = Bun.spawn([process.env["DEVBOX_TEST_BINARY"] ?? "", "cp", path, "-"], {
    env: home.env,
    stdout: "pipe",
  });
  const bytes = await new Response(child.stdout).bytes();
  expect(await child.exited).toBe(0);
  return bytes;
}

test("tar streams in and out", async () => {
  const source = fresh();
  mkdirSync(join(source, "tree/deep"), { recursive: true });
  writeFileSync(join(source, "tree/deep/f"), "streamed");
  const archive = Bun.spawnSync(["tar", "c", "-C", source, "tree"]).stdout;
  await home.ok(["cp", "-", "web:/tmp"], { stdin: archive.toString("latin1") });
  expect(await inBox("web:/tmp/tree/deep/f")).toBe("streamed");
  for (const [program, name] of [
    ["gzip", "packed"],
    ["zstd", "dense"],
  ] as const) {
    const packed = join(source, name);
    await Bun.$`tar c -C ${source} tree | ${program} -c > ${packed}`.quiet();
    await home.ok(["run", "--network", "none", "--name", name, box.image, "true"]);
    await Bun.$`${process.env["DEVBOX_TEST_BINARY"]} cp - ${`${name}:/tmp`} < ${packed}`.env(home.env).quiet();
    expect(await inBox(`${name}:/tmp/tree/deep/f`)).toBe("streamed");
  }
  const back = fresh();
  Bun.spawnSync(["tar", "x", "-C", back], { stdin: await archiveOf("web:/tmp/tree") });
  expect(readFileSync(join(back, "tree/deep/f"), "utf8")).toBe("streamed");
  const { exitCode, stderr } = await home.run(["cp", "-", "web:/tmp"], { stdin: "no archive".repeat(100) });
  expect(exitCode).toBe(1);
  expect(stderr).toContain("checksum");
});

test.each([
  [["cp", "nobox:/x", "."], 1, "there is no box"],
  [["cp", "a", "b"], 125, "neither is a box"],
  [["cp", "web:/a", "web:/b"], 125, "both are boxes"],
  [["cp", "web:/none", "."], 1, "copy web:/none"],
  [["cp", "none", "web:/"], 1, "copy none"],
])("%p is refused (%p)", async (line, status, reason) => {
  const { exitCode, stderr, stdout } = await home.run(line);
  expect({ exitCode, stdout }).toEqual({ exitCode: status, stdout: "" });
  expect(stderr).toContain(reason);
});

test("a box that does not run: both ways, its volumes too, and nothing stays mounted", async () => {
  await using other = await sleepingBox(box, "resting", ["-v", "rest:/data"], "echo first > /file");
  other.kill("SIGKILL");
  await other.result;
  const source = fresh();
  writeFileSync(join(source, "f"), "later");
  await home.ok(["cp", "resting:/file", join(source, "copy")]);
  expect(readFileSync(join(source, "copy"), "utf8")).toBe("first\n");
  await home.ok(["cp", join(source, "f"), "resting:/root/f"]);
  await home.ok(["cp", join(source, "f"), "resting:/data/f"]);
  expect(readFileSync(join(home.store, "volumes/rest/_data/f"), "utf8")).toBe("later");
  expect(readdirSync(join(home.store, "boxes/.live")).length).toBe(1);
  expect(await inBox("resting:/root/f")).toBe("later");
  // One mount at a time: others wait.
  const many = Array.from({ length: 5 }, (_, index) => home.ok(["cp", join(source, "f"), `resting:/root/f${index}`]));
  await Promise.all(many);
  expect(await inBox("resting:/root/f4")).toBe("later");
  expect(readFileSync("/proc/self/mountinfo", "utf8")).not.toContain(home.store);
});

test("a hostile box cannot make us write elsewhere: its link becomes a directory again and again", async () => {
  const outside = fresh();
  writeFileSync(join(outside, "f"), "as it was");
  const script =
    `mkdir -p /srv/race && cd /srv/race && mkdir a && ln -s ${outside} b && ` +
    "(while :; do mv a t; mv b a; mv t b; rm -rf t; [ -d a ] || mkdir -p a; [ -L b ] || rm -rf b; done) 2>/dev/null & :";
  await using other = await sleepingBox(box, "race", [], script);
  const source = fresh();
  mkdirSync(join(source, "a"));
  writeFileSync(join(source, "a/f"), "evil");
  for (let round = 0; round < 10; round++) await home.run(["cp", `${source}/.`, "race:/srv/race"]);
  expect(readFileSync(join(outside, "f"), "utf8")).toBe("as it was");
  other.kill("SIGKILL");
});
