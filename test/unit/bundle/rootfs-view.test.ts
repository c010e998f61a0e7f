/** On plain directories; whiteouts and opaque directories need a kernel that makes them: test/kernel/bundle/. */
import { afterAll, describe, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { findInRoot, readTextInRoot } from "../../../src/bundle/rootfs-view.ts";
import { failureOf } from "../../helpers/failure.ts";

const base = mkdtempSync(join(tmpdir(), "devbox-view-"));
afterAll(() => rmSync(base, { recursive: true, force: true }));
const file = (path: string, text: string): void => {
  mkdirSync(dirname(join(base, path)), { recursive: true });
  writeFileSync(join(base, path), text);
};
const link = (path: string, target: string): void => {
  mkdirSync(dirname(join(base, path)), { recursive: true });
  symlinkSync(target, join(base, path));
};
const layers = ["top", "middle", "bottom"].map((name) => join(base, name));
const read = (path: string): string | undefined => readTextInRoot(layers, path, 1000);

file("outside", "secret");
file("bottom/etc/passwd", "bottom");
file("middle/etc/passwd", "middle");
file("bottom/etc/group", "group");
file("top/etc/hosts", "hosts");
file("bottom/shadowed/file", "hidden");
file("middle/shadowed", "a file now");
file("bottom/was-file", "x");
file("top/was-file/inner", "inner");
link("top/absolute", "/etc/group");
link("top/usr/relative", "../etc/group");
link("top/escape", "../../../../outside");
link("top/up", "..");
link("top/etc-link", "etc");
link("middle/loop", "loop");
link("top/ping", "pong");
link("top/pong", "ping");
link("top/dangling", "/nowhere");
link("top/host", `${base}/outside`);

describe("merging", () => {
  test("the topmost wins, and directories merge", () => {
    expect([read("/etc/passwd"), read("etc/group"), read("/etc/./hosts")]).toEqual(["middle", "group", "hosts"]);
    expect(read("/etc/nothing")).toBeUndefined();
  });

  test("a file hides the directory below, a directory the file", () => {
    expect(read("/shadowed")).toBe("a file now");
    expect(read("/shadowed/file")).toBeUndefined();
    expect(read("/was-file/inner")).toBe("inner");
    expect(read("/was-file")).toBeUndefined();
  });

  test("a directory's stat is that of its topmost part", () => {
    expect(findInRoot(layers, "/etc")?.path).toBe(join(base, "top/etc"));
    expect(findInRoot(layers, "/")?.path).toBe(join(base, "top"));
    expect(findInRoot([], "/")).toBeUndefined();
  });
});

describe("symlinks stay inside", () => {
  test.each([
    ["/absolute", "group"],
    ["/usr/relative", "group"],
    ["/etc-link/passwd", "middle"],
    ["/up/up/../etc/passwd", "middle"],
    ["/../../etc/passwd", "middle"],
    ["/escape", undefined],
    ["/up/outside", undefined],
    ["/dangling", undefined],
    ["/host", undefined],
    ["/absolute/x", undefined],
  ])("%s", (path, text) => expect(read(path)).toBe(text));

  test.each(["/loop", "/ping", "/ping/x"])("%s goes in circles", (path) => {
    expect(failureOf(() => read(path)).because).toContain("more than 40 symbolic links");
  });
});

describe("bounds", () => {
  test("a file that is too large is refused without being read", () => {
    file("top/huge", "");
    truncateSync(join(base, "top/huge"), 2 ** 40);
    expect(failureOf(() => read("/huge")).because).toContain("1099511627776 bytes; at most 1000");
  });

  test("a name that is too long is an error that names the path", () => {
    const error = failureOf(() => read(`/${"x".repeat(300)}`));
    expect(error.code).toBe("BAD_CONFIG");
    expect(error.because).toContain("ENAMETOOLONG");
  });
});
