/** Copying trees by descriptors: what comes over, docker's rules of destinations, and what hostile archives and trees get. */
import { afterAll, describe, expect, test } from "bun:test";
import {
  chmodSync,
  closeSync,
  existsSync,
  ftruncateSync,
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  readSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { utimensat } from "../../../ffi/libc.ts";
import { fsetxattr, lgetxattr } from "../../../ffi/xattr.ts";
import { pack } from "../../../src/layer/copy/pack.ts";
import type { UnpackRequest } from "../../../src/layer/copy/request.ts";
import { createUnpacker } from "../../../src/layer/copy/unpack.ts";
import { createNotes } from "../../../src/layer/notes.ts";
import { failureOf } from "../../helpers/failure.ts";
import { type TarItem, tar } from "../../helpers/tar-builder.ts";

const base = mkdtempSync(join(tmpdir(), "devbox-copy-"));
afterAll(() => rmSync(base, { recursive: true, force: true }));

const fresh = (): string => mkdtempSync(join(base, "case-"));
const topRoot = openSync("/", "r");

function packed(path: string, follow = false, root = topRoot): Buffer {
  const chunks: Buffer[] = [];
  pack(root, { path, shown: path, follow }, createNotes(), (chunk) => void chunks.push(Buffer.from(chunk)));
  return Buffer.concat(chunks);
}

function unpack(
  archive: Buffer,
  path: string,
  changes: Partial<UnpackRequest> = {},
  root = topRoot,
): readonly string[] {
  const notes = createNotes();
  const request: UnpackRequest = {
    path,
    shown: path,
    into: "auto",
    owner: "caller",
    xattrs: ["user."],
    specialBits: false,
    topMetadata: false,
    ...changes,
  };
  const unpacker = createUnpacker(root, request, notes);
  unpacker.push(archive);
  unpacker.finish();
  return notes.lines();
}

const copy = (from: string, to: string): readonly string[] => unpack(packed(from), to);

function sampleTree(): string {
  const directory = fresh();
  const tree = join(directory, "tree");
  mkdirSync(join(tree, "deep/er"), { recursive: true });
  writeFileSync(join(tree, "file"), "content");
  chmodSync(join(tree, "file"), 0o4640);
  linkSync(join(tree, "file"), join(tree, "deep/same"));
  symlinkSync("../file", join(tree, "deep/link"));
  writeFileSync(join(tree, `name-${"x".repeat(150)}-ü`), "long");
  Bun.spawnSync(["mkfifo", "-m", "600", join(tree, "fifo")]);
  const fd = openSync(join(tree, "file"), "r+");
  fsetxattr(fd, "user.note", new TextEncoder().encode("kept"));
  closeSync(fd);
  const holes = openSync(join(tree, "holes"), "w");
  ftruncateSync(holes, 10 * 1024 * 1024);
  closeSync(holes);
  chmodSync(join(tree, "deep"), 0o1751);
  utimensat(
    -100,
    join(tree, "file"),
    { seconds: 1, nanoseconds: 5 },
    { seconds: 1_000_000_000, nanoseconds: 123_456_789 },
  );
  utimesSync(join(tree, "deep/er"), 5, 5);
  utimesSync(join(tree, "deep"), 7, 7);
  return tree;
}

test("a tree comes over with its links, modes, times, attributes and holes", () => {
  const tree = sampleTree();
  const target = join(fresh(), "copy");
  expect(copy(tree, target)).toEqual([]);
  const stats = (name: string) => lstatSync(join(target, name), { bigint: true });
  expect(readFileSync(join(target, "file"), "utf8")).toBe("content");
  // A setuid program would be the caller's own for everybody.
  expect(Number(stats("file").mode) & 0o7777).toBe(0o640);
  expect(stats("file").mtimeNs).toBe(1_000_000_000_123_456_789n);
  expect(stats("file").ino).toBe(stats("deep/same").ino);
  expect(readlinkSync(join(target, "deep/link"))).toBe("../file");
  expect(stats("fifo").isFIFO()).toBe(true);
  expect(Number(stats("fifo").mode) & 0o777).toBe(0o600);
  expect(readFileSync(join(target, `name-${"x".repeat(150)}-ü`), "utf8")).toBe("long");
  expect(new TextDecoder().decode(lgetxattr(join(target, "file"), "user.note"))).toBe("kept");
  expect(stats("holes").size).toBe(10n * 1024n * 1024n);
  expect(Number(stats("holes").blocks)).toBeLessThan(1024);
  expect(Number(stats("deep").mode) & 0o7777).toBe(0o1751);
  expect(stats("deep").mtimeMs).toBe(7000n);
  expect(stats("deep/er").mtimeMs).toBe(5000n);
});

test("GNU tar reads what is packed, and what it packs is read", () => {
  const tree = sampleTree();
  const listed = Bun.spawnSync(["tar", "tvf", "-", "--full-time"], { stdin: packed(tree) });
  expect(listed.stderr.toString()).toBe("");
  expect(listed.stdout.toString()).toMatch(/2001-09-09 0\d:46:40\.123456789 tree\/(file|deep\/same)\n/);
  const target = fresh();
  const archive = Bun.spawnSync(["tar", "cS", "--format=pax", "--xattrs", "-C", join(tree, ".."), "tree"]).stdout;
  unpack(archive, target, { into: "inside" });
  expect(readdirSync(join(target, "tree")).length).toBe(readdirSync(tree).length);
  expect(lstatSync(join(target, "tree/holes")).size).toBe(10 * 1024 * 1024);
});

test("a terabyte of holes costs what is in it, and GNU tar takes it for the same file", () => {
  const directory = fresh();
  const size = 2 ** 40;
  const fd = openSync(join(directory, "holes"), "w");
  writeSync(fd, "begin", 0);
  writeSync(fd, "middle", 10 * 2 ** 30);
  ftruncateSync(fd, size);
  closeSync(fd);
  const archive = packed(join(directory, "holes"));
  expect(archive.length).toBeLessThan(100_000);
  unpack(archive, join(directory, "ours"));
  mkdirSync(join(directory, "gnu"));
  const extracted = Bun.spawnSync(["tar", "xf", "-", "-C", join(directory, "gnu")], { stdin: archive });
  expect(extracted.stderr.toString()).toBe("");
  for (const copied of ["ours", "gnu/holes"]) {
    const stats = lstatSync(join(directory, copied));
    expect({ size: stats.size, few: stats.blocks < 100 }).toEqual({ size, few: true });
    const bytes = Buffer.alloc(6);
    const opened = openSync(join(directory, copied), "r");
    readSync(opened, bytes, 0, 6, 10 * 2 ** 30);
    closeSync(opened);
    expect(bytes.toString()).toBe("middle");
  }
});

describe("docker's rules of destinations", () => {
  const lists = (directory: string): string =>
    [...new Bun.Glob("**").scanSync({ cwd: directory, onlyFiles: false, dot: true })].sort().join(" ");
  const scene = () => {
    const directory = fresh();
    mkdirSync(join(directory, "src/sub"), { recursive: true });
    writeFileSync(join(directory, "src/f"), "f");
    mkdirSync(join(directory, "dst"));
    writeFileSync(join(directory, "dst/old"), "old");
    symlinkSync("dst", join(directory, "to-dst"));
    symlinkSync("dst/new", join(directory, "to-new"));
    return directory;
  };

  test.each([
    ["src/f", "dst", "dst/f"],
    ["src/f", "dst/", "dst/f"],
    ["src/f", "to-dst", "dst/f"],
    ["src/f", "dst/name", "dst/name"],
    ["src/f", "dst/old", "dst/old"],
    ["src/f", "to-new", "dst/new"],
    ["src", "dst", "dst/src/f"],
    ["src/", "dst", "dst/src/f"],
    ["src/.", "dst", "dst/f"],
    ["src", "new", "new/f"],
    ["src/.", "new", "new/f"],
    ["src", "new/", "new/f"],
  ])("%s to %s makes %s", (from, to, made) => {
    const directory = scene();
    copy(`${directory}/${from}`, `${directory}/${to}`);
    expect(readFileSync(join(directory, made), "utf8")).toBe("f");
    expect(lstatSync(join(directory, "to-dst")).isSymbolicLink()).toBe(true);
    expect(lists(directory)).not.toContain("src/src");
  });

  test.each([
    ["src/f", "none/name", "there is no directory"],
    ["src/f", "none/", "there is no such directory"],
    ["src/f", "dst/old/", "it is not a directory"],
    ["src", "dst/old", "it is a file, and a directory is to be copied"],
    ["src/f/", "dst", "it is not a directory"],
    ["none", "dst", "no such file"],
    ["src/f/.", "dst", "it is not a directory"],
  ])("%s to %s is refused", (from, to, reason) => {
    const directory = scene();
    const error = failureOf(() => copy(`${directory}/${from}`, `${directory}/${to}`));
    expect(error.code).toBe("COPY_FAILED");
    expect(error.because).toContain(reason);
    expect(existsSync(join(directory, "none"))).toBe(false);
  });

  test("a directory takes no file's place, nor a file a directory's", () => {
    const directory = scene();
    mkdirSync(join(directory, "dst/f"));
    expect(failureOf(() => copy(join(directory, "src/f"), join(directory, "dst"))).because).toContain(
      "a directory is there",
    );
    writeFileSync(join(directory, "dst/src"), "");
    expect(failureOf(() => copy(join(directory, "src"), join(directory, "dst"))).because).toContain(
      "cannot take the place",
    );
  });

  test("a link as the source is copied, or followed", () => {
    const directory = scene();
    symlinkSync("src/f", join(directory, "link"));
    copy(join(directory, "link"), join(directory, "dst"));
    expect(readlinkSync(join(directory, "dst/link"))).toBe("src/f");
    unpack(packed(join(directory, "link"), true), join(directory, "dst/followed"));
    expect(readFileSync(join(directory, "dst/followed"), "utf8")).toBe("f");
  });

  test("a directory that is there keeps its mode", () => {
    const directory = scene();
    chmodSync(join(directory, "dst"), 0o711);
    copy(`${join(directory, "src")}/.`, join(directory, "dst"));
    expect(lstatSync(join(directory, "dst")).mode & 0o777).toBe(0o711);
  });
});

describe("nothing leaves a root", () => {
  test("links in it are followed within it", () => {
    const directory = fresh();
    mkdirSync(join(directory, "root/etc"), { recursive: true });
    writeFileSync(join(directory, "root/etc/secret"), "of the box");
    writeFileSync(join(directory, "secret"), "of the host");
    symlinkSync("/etc/../../../../secret", join(directory, "root/up"));
    symlinkSync("/etc/secret", join(directory, "root/inside"));
    symlinkSync("/proc/self/root/etc/passwd", join(directory, "root/magic"));
    const root = openSync(join(directory, "root"), "r");
    const target = fresh();
    unpack(packed("/inside", true, root), join(target, "inside"));
    expect(readFileSync(join(target, "inside"), "utf8")).toBe("of the box");
    expect(failureOf(() => packed("/up", true, root)).because).toContain("no such file");
    expect(failureOf(() => packed("/magic", true, root)).because).toContain("no such file");
    closeSync(root);
  });

  test("a destination that is a link leads to a place within it", () => {
    const directory = fresh();
    mkdirSync(join(directory, "root/outside"), { recursive: true });
    mkdirSync(join(directory, "outside"));
    symlinkSync("/../../outside", join(directory, "root/link"));
    symlinkSync("../../../outside/new", join(directory, "root/file"));
    const root = openSync(join(directory, "root"), "r");
    unpack(tar([{ path: "f", content: "x" }]), "/link", {}, root);
    unpack(tar([{ path: "f", content: "x" }]), "/file", {}, root);
    expect(readdirSync(join(directory, "outside"))).toEqual([]);
    expect(readdirSync(join(directory, "root/outside")).sort()).toEqual(["f", "new"]);
    closeSync(root);
  });
});

describe("hostile archives", () => {
  const hostile: readonly (readonly [string, readonly TarItem[]])[] = [
    ["a name that leads up", [{ path: "../evil", content: "x" }]],
    ["a name that leads up within", [{ path: "a/" }, { path: "a/../../evil", content: "x" }]],
    [
      "an absolute name through a link",
      [
        { path: "l", type: "2", link: ".." },
        { path: "/l/evil", content: "x" },
      ],
    ],
    [
      "a link, and a file below it",
      [
        { path: "l", type: "2", link: ".." },
        { path: "l/evil", content: "x" },
      ],
    ],
    ["a link, and a directory in its place", [{ path: "l", type: "2", link: ".." }, { path: "l/" }]],
    ["a hard link to what is outside", [{ path: "l", type: "1", link: "../victim" }]],
    [
      "a hard link through a link",
      [
        { path: "d", type: "2", link: ".." },
        { path: "l", type: "1", link: "d/victim" },
      ],
    ],
  ];

  test.each(hostile)("%s", (_, items) => {
    const directory = fresh();
    mkdirSync(join(directory, "dst"));
    writeFileSync(join(directory, "victim"), "as it was");
    const before = lstatSync(join(directory, "victim"));
    const error = failureOf(() => unpack(tar(items), join(directory, "dst"), { into: "inside" }));
    expect(error.code).toBe("COPY_FAILED");
    expect(readdirSync(directory).sort()).toEqual(["dst", "victim"]);
    expect(lstatSync(join(directory, "victim")).nlink).toBe(before.nlink);
  });

  test("a file takes the place of a link, not of its target", () => {
    const directory = fresh();
    mkdirSync(join(directory, "dst"));
    writeFileSync(join(directory, "victim"), "as it was");
    symlinkSync("../victim", join(directory, "dst/f"));
    unpack(tar([{ path: "f", content: "new", mode: 0o777 }]), join(directory, "dst"), { into: "inside" });
    expect(readFileSync(join(directory, "victim"), "utf8")).toBe("as it was");
    expect(lstatSync(join(directory, "dst/f")).isFile()).toBe(true);
  });

  test("what is no archive is said to be none", () => {
    const error = failureOf(() => unpack(Buffer.from("x".repeat(1024)), fresh(), { into: "inside" }));
    expect(error.because).toContain("checksum");
  });
});

test("a directory that becomes a link again and again leads nowhere", async () => {
  const directory = fresh();
  mkdirSync(join(directory, "dst/a"), { recursive: true });
  mkdirSync(join(directory, "outside"), { mode: 0o700 });
  writeFileSync(join(directory, "outside/f"), "as it was");
  symlinkSync("../outside", join(directory, "dst/b"));
  await using swapper = await exchanging(join(directory, "dst"));
  const archive = tar([
    { path: "a/f", content: "evil", mode: 0o777 },
    { path: "a/deep/f", content: "evil" },
  ]);
  for (let round = 0; round < 500; round++) {
    try {
      unpack(archive, join(directory, "dst"), { into: "inside" });
    } catch {
      // The link was there, or nothing.
    }
  }
  expect(swapper.alive()).toBe(true);
  expect(readdirSync(join(directory, "outside"))).toEqual(["f"]);
  expect(readFileSync(join(directory, "outside/f"), "utf8")).toBe("as it was");
  expect(lstatSync(join(directory, "outside")).mode & 0o777).toBe(0o700);
});

/** The names `a` and `b` of a directory are exchanged as fast as can be. */
async function exchanging(cwd: string) {
  const program = join(import.meta.dir, "../../helpers/programs/exchange.ts");
  const child = Bun.spawn([process.execPath, program, "a", "b"], { cwd, stdin: "ignore", stdout: "pipe" });
  // Its first line: it has begun.
  await child.stdout.getReader().read();
  return {
    alive: () => child.exitCode === null,
    async [Symbol.asyncDispose]() {
      child.kill("SIGKILL");
      await child.exited;
    },
  };
}
