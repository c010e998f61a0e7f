/** One layer onto the disk, by a worker in a user namespace; compared with what the archive says and with GNU tar. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { type Laboratory, openLaboratory } from "../../helpers/layer-stack.ts";
import { digestOf, startWorker } from "../../helpers/layer-worker.ts";
import { differences } from "../../helpers/listing.ts";
import { caller, ordinaryUser, type Person, temporaryDirectory } from "../../helpers/machine.ts";
import { type TarItem, tar } from "../../helpers/tar-builder.ts";

const temporary = temporaryDirectory("devbox-apply");
afterAll(() => temporary[Symbol.asyncDispose]());

const ordinary = await ordinaryUser();
const people: Person[] = ordinary.uid === caller().uid ? [ordinary] : [ordinary, caller()];

const everything: TarItem[] = [
  { path: "./", mode: 0o755, mtime: 1_000_000_000 },
  { path: "./bin/", mode: 0o755, mtime: 1_500_000_000 },
  { path: "./bin/su", content: "su", mode: 0o4755, uid: 0, gid: 0 },
  { path: "./bin/wall", content: "wall", mode: 0o2755, uid: 0, gid: 5 },
  { path: "./bin/owned-suid", content: "x", mode: 0o6711, uid: 1000, gid: 1000 },
  { path: "./tmp/", mode: 0o1777, mtime: 1_600_000_000 },
  { path: "./srv/", mode: 0o2775, gid: 50 },
  { path: "./srv/made-below-setgid", content: "gid stays 0" },
  { path: "./srv/dir/", uid: 7 },
  { path: "./closed/", mode: 0 },
  { path: "./closed/inside", content: "reachable", mode: 0 },
  { path: "./home/" },
  { path: "./home/me/", uid: 1000, gid: 1000 },
  { path: "./home/me/f", content: "mine", uid: 1000, gid: 1000, pax: { mtime: "1700000000.123456789" } },
  { path: "./old", content: "old", pax: { mtime: "-1.5" } },
  { path: "./link", type: "2", link: "../outside/of/it", uid: 3, gid: 4, pax: { mtime: "1234567890.5" } },
  { path: "./hard", type: "1", link: "./home/me/f" },
  { path: "./fifo", type: "6", mode: 0o640, uid: 9, gid: 9 },
  { path: "./attributes", content: "a", pax: { "SCHILY.xattr.user.note": new Uint8Array([1, 0, 255]) } },
  { path: "./capable", content: "c", uid: 1, pax: { "SCHILY.xattr.security.capability": capability() } },
  { path: Buffer.from("./na\xefve-\xff", "latin1"), content: "bytes" },
  { path: `./${"n".repeat(255)}`, content: "long", pax: { path: `./${"n".repeat(255)}` } },
  { path: "./empty", content: "" },
];

/** VFS_CAP_REVISION_2, cap_net_raw=ep: struct vfs_cap_data of linux/capability.h. */
function capability(): Uint8Array {
  const bytes = new DataView(new ArrayBuffer(20));
  bytes.setUint32(0, 0x02000001, true);
  bytes.setUint32(4, 1 << 13, true);
  return new Uint8Array(bytes.buffer);
}

describe.each(people)("as $name", (person) => {
  let lab: Laboratory;
  beforeAll(async () => {
    lab = await openLaboratory(person, temporary);
  });
  afterAll(() => lab[Symbol.asyncDispose]());

  test("the tree is what GNU tar makes of the same archive", async () => {
    const { target, notes } = await lab.applied(everything);
    const theirs = await lab.newTarget();
    const file = join(temporary.path, "everything.tar");
    writeFileSync(file, tar(everything));
    const options = [
      "--numeric-owner",
      "--same-permissions",
      "--xattrs",
      "--xattrs-include=*",
      "--delay-directory-restore",
    ];
    await lab.run("tar", "--extract", "--file", file, "--directory", theirs, ...options);
    expect(differences(await lab.list(theirs), await lab.list(target))).toEqual([]);
    expect(notes).toEqual([]);
  });

  test("file capabilities are there, for the namespace", async () => {
    const { target } = await lab.applied(everything);
    expect(await lab.run("getcap", join(target, "capable"))).toContain("cap_net_raw=ep");
  });

  test("replies with diffID, sizes and what the layers below must settle", async () => {
    const archive = tar([{ path: "a/b/c" }]);
    const target = await lab.newTarget();
    const reply = await lab.worker.apply(archive, target, { diffId: digestOf(archive) });
    expect(reply).toEqual({
      kind: "applied",
      diffId: digestOf(archive),
      entries: 1,
      bytes: archive.length,
      pending: {
        parents: ["", Buffer.from("a").toString("base64"), Buffer.from("a/b").toString("base64")],
        links: [],
        whiteouts: [],
      },
      notes: [],
    });
  });

  test("the last of several entries wins, whatever the types", async () => {
    const { listing } = await lab.applied([
      { path: "f", content: "first" },
      { path: "f", content: "second" },
      { path: "tree/deep/file", content: "x" },
      { path: "tree", content: "a file now" },
      { path: "was-file", content: "x" },
      { path: "was-file/", mode: 0o700 },
      { path: "was-link", type: "2", link: "f" },
      { path: "was-link", content: "not through the link" },
      { path: "dir/", mode: 0o700 },
      { path: "dir/kept", content: "x" },
      { path: "dir/", mode: 0o750, uid: 8 },
    ]);
    expect(listing.get("./f")).toContain(`size=6 same-as= sha256=${digestOf(Buffer.from("second")).slice(7)}`);
    expect(listing.get("./tree")).toContain("f mode=644");
    expect(listing.get("./was-file")).toContain("d mode=700");
    expect(listing.get("./was-link")).toContain("f mode=644");
    expect(listing.get("./dir")).toContain("d mode=750 owner=8:0");
    expect([...listing.keys()]).toContain("./dir/kept");
    expect(listing.size).toBe(7);
  });

  test("hard links are one file and never follow symbolic ones", async () => {
    const { listing } = await lab.applied([
      { path: "a", content: "x" },
      { path: "s", type: "2", link: "a" },
      { path: "b", type: "1", link: "/a" },
      { path: "t", type: "1", link: "s" },
      { path: "a", type: "1", link: "a" },
    ]);
    expect(listing.get("./a")).toContain("same-as=./a");
    expect(listing.get("./b")).toContain("same-as=./a");
    expect(listing.get("./t")).toContain("l mode=777");
  });

  test("symbolic links of the layer are followed inside it, as the archive goes on", async () => {
    const { listing } = await lab.applied([
      { path: "real/" },
      { path: "abs", type: "2", link: "/real" },
      { path: "abs/in-real", content: "1" },
      { path: "up", type: "2", link: "../../../real/../made" },
      { path: "up/in-made", content: "2" },
      { path: "real/abs", type: "2", link: "/made" },
      { path: "real/abs/in-made-2", content: "2" },
      { path: "abs", type: "2", link: "/other" },
      { path: "abs/in-other", content: "3" },
    ]);
    expect([...listing.keys()].filter((path) => path.includes("in-"))).toEqual([
      "./made/in-made",
      "./made/in-made-2",
      "./other/in-other",
      "./real/in-real",
    ]);
  });

  test("a link that is replaced through itself leads elsewhere from then on", async () => {
    const { listing } = await lab.applied([
      { path: "d/self", type: "2", link: "." },
      { path: "d/self/before", content: "x" },
      { path: "d/self/self", type: "2", link: "/elsewhere" },
      { path: "d/self/after", content: "x" },
    ]);
    const all = [".", "./d", "./d/before", "./d/self", "./elsewhere", "./elsewhere/after"];
    expect([...listing.keys()]).toEqual(all);
  });

  test("sparse files keep their holes", async () => {
    const pax = { "GNU.sparse.size": "100000000", "GNU.sparse.map": "0,2,50000000,2" };
    const { target } = await lab.applied([{ path: "sparse", content: "abcd", pax }]);
    const stats = statSync(join(target, "sparse"));
    expect(stats.size).toBe(100_000_000);
    expect(stats.blocks).toBeLessThan(100);
    expect(readFileSync(join(target, "sparse")).subarray(49_999_999, 50_000_003).toString("latin1")).toBe("\0cd\0");
  });

  test("devices become empty files that remember, also the one that would be a whiteout", async () => {
    const { listing, notes } = await lab.applied([
      { path: "null", type: "3", device: [1, 3], mode: 0o666 },
      { path: "disk", type: "4", device: [8, 1], uid: 0, gid: 6, mode: 0o660 },
      { path: "fake-whiteout", type: "3", device: [0, 0] },
    ]);
    const remembered = (text: string): string => `user.devbox.device=0x${Buffer.from(text).toString("hex")}`;
    expect(listing.get("./null")).toContain(`size=0`);
    expect(listing.get("./null")).toContain(remembered("c 1:3"));
    expect(listing.get("./disk")).toContain(`f mode=660 owner=0:6`);
    expect(listing.get("./disk")).toContain(remembered("b 8:1"));
    expect(listing.get("./fake-whiteout")).toContain(remembered("c 0:0"));
    expect(notes).toEqual(["null: an empty file stands for the device c 1:3 (and 2 more like it)"]);
  });

  test("attributes that would steer the mount are left out, others that cannot be set are noted", async () => {
    const { listing, notes } = await lab.applied([
      {
        path: "d/",
        pax: {
          "SCHILY.xattr.user.overlay.opaque": "y",
          "SCHILY.xattr.user.overlay.redirect": "/etc",
          "SCHILY.xattr.trusted.overlay.opaque": "y",
          "SCHILY.xattr.user.fuseoverlayfs.opaque": "y",
          "SCHILY.xattr.user.devbox.device": "c 1:3",
          "SCHILY.xattr.user.kept": "yes",
        },
      },
      { path: "l", type: "2", link: "x", pax: { "SCHILY.xattr.user.on-a-link": "1" } },
    ]);
    expect(listing.get("./d")).toEndWith(`xattrs=user.kept=0x${Buffer.from("yes").toString("hex")}`);
    expect(notes).toHaveLength(6);
    expect(notes).toContain("l: the attribute user.on-a-link could not be set (EPERM)");
  });

  test("paths longer than PATH_MAX", async () => {
    const deep = Array.from({ length: 40 }, (_, index) => `${index}-`.padEnd(200, "d")).join("/");
    const target = await lab.newTarget();
    const items: TarItem[] = [
      { path: "x", pax: { path: `${deep}/file` }, content: "deep", uid: 5 },
      { path: "x", type: "1", pax: { path: `${deep}/hard`, linkpath: `${deep}/file` } },
      { path: "x", type: "2", link: "file", pax: { path: `${deep}/soft` } },
      { path: "x/", pax: { path: `${deep}/` }, mode: 0o711 },
      { path: "x", type: "1", pax: { path: "short", linkpath: `${deep}/file` } },
    ];
    expect(await lab.worker.apply(tar(items), target)).toMatchObject({ kind: "applied" });
    const found = await lab.run("find", target, "-links", "3", "-size", "-5c", "-uid", "5", "-name", "[fhs]*");
    expect(found.split("\n").filter(Boolean)).toHaveLength(3);
    lab.worker.send({ kind: "remove", path: target });
    expect(await lab.worker.reply()).toEqual({ kind: "removed" });
    expect(existsSync(target)).toBe(false);
  });

  test("every compression, several members and frames", async () => {
    const archive = tar([{ path: "f", content: "x".repeat(500_000) }]);
    const [half, rest] = [archive.subarray(0, 300_000), archive.subarray(300_000)];
    const skippable = Buffer.from([0x50, 0x2a, 0x4d, 0x18, 4, 0, 0, 0, 1, 2, 3, 4]);
    const blobs = {
      none: archive,
      gzip: Buffer.concat([gzipSync(half), gzipSync(rest), Buffer.alloc(700)]),
      zstd: Buffer.concat([skippable, zstdCompressSync(half), skippable, zstdCompressSync(rest)]),
    } as const;
    for (const compression of ["none", "gzip", "zstd"] as const) {
      const reply = await lab.worker.apply(blobs[compression], await lab.newTarget(), { compression });
      expect(reply).toMatchObject({ kind: "applied", diffId: digestOf(archive), bytes: archive.length });
    }
  });

  test("what follows the archive's end counts for the diffID", async () => {
    const archive = Buffer.concat([tar([{ path: "f" }]), Buffer.from("trailing")]);
    const diffId = digestOf(archive);
    expect(await lab.worker.apply(archive, await lab.newTarget(), { diffId })).toMatchObject({ kind: "applied" });
    expect(await lab.failed(tar([{ path: "f" }]), { diffId })).toMatchObject({ code: "DIGEST_MISMATCH" });
  });

  test("a link where the store meant a directory is not followed by removal", async () => {
    const outside = join(temporary.path, `kept-${person.name}`);
    mkdirSync(outside);
    writeFileSync(join(outside, "kept"), "");
    const target = await lab.newTarget();
    await lab.run("ln", "-s", outside, join(target, "link"));
    lab.worker.send({ kind: "remove", path: target });
    expect(await lab.worker.reply()).toEqual({ kind: "removed" });
    expect(existsSync(join(outside, "kept"))).toBe(true);
  });

  test("closed directories and names that are no text are removed", async () => {
    const { target } = await lab.applied(everything);
    lab.worker.send({ kind: "remove", path: target });
    expect(await lab.worker.reply()).toEqual({ kind: "removed" });
    expect(existsSync(target)).toBe(false);
  });

  test("the blob is read as far as it is there", async () => {
    const archive = tar([{ path: "f", content: "x".repeat(100_000) }]);
    const blob = join(temporary.path, `growing-${person.name}`);
    const target = await lab.newTarget();
    const sizeBytes = archive.length;
    writeFileSync(blob, "");
    lab.worker.send({
      kind: "apply",
      label: "l",
      blob,
      compression: "none",
      target,
      diffId: undefined,
      sizeBytes,
      maxBytes: 1e9,
    });
    for (let at = 0; at < sizeBytes; at += 30_000) {
      writeFileSync(blob, archive.subarray(at, at + 30_000), { flag: "a" });
      lab.worker.send({ kind: "available", bytes: Math.min(at + 30_000, sizeBytes) });
    }
    expect(await lab.worker.reply()).toMatchObject({ kind: "applied", diffId: digestOf(archive) });
  });

  test("an apply that is given up says so, and the worker goes on", async () => {
    const blob = join(temporary.path, `never-${person.name}`);
    writeFileSync(blob, "");
    const target = await lab.newTarget();
    lab.worker.send({
      kind: "apply",
      label: "l",
      blob,
      compression: "gzip",
      target,
      diffId: undefined,
      sizeBytes: 9,
      maxBytes: 9,
    });
    lab.worker.send({ kind: "abort" });
    expect(await lab.worker.reply()).toMatchObject({ kind: "failed", code: "INTERRUPTED" });
    expect(await lab.worker.apply(tar([{ path: "f" }]), target)).toMatchObject({ kind: "applied" });
  });

  test("a full disk is said, and the worker goes on", async () => {
    const target = await lab.newTarget();
    await using full = await startWorker(person, temporary.path, `mount -t tmpfs -o size=1m none ${target}`);
    const archive = tar([{ path: "d/big", content: Buffer.alloc(3_000_000, 1) }]);
    expect(await full.apply(archive, target)).toMatchObject({ code: "STORE_FULL", step: "apply layer 1: d/big" });
    full.send({ kind: "remove", path: join(target, "d") });
    expect(await full.reply()).toEqual({ kind: "removed" });
    expect(await full.apply(tar([{ path: "small" }]), target)).toMatchObject({ kind: "applied" });
  });

  test("the worker ends with its parent, also within an apply", async () => {
    const other = await openLaboratory(person, temporary);
    const blob = join(temporary.path, `open-end-${person.name}`);
    writeFileSync(blob, "");
    const target = await other.newTarget();
    other.worker.send({
      kind: "apply",
      label: "l",
      blob,
      compression: "none",
      target,
      diffId: undefined,
      sizeBytes: 9,
      maxBytes: 9,
    });
    expect(await other.worker.close()).toBe(0);
  });
});
