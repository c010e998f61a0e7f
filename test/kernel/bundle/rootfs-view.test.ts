/** The view agrees with the kernel: the same layers, mounted by overlayfs and looked into without a mount. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { mknodat } from "../../../ffi/libc.ts";
import { lsetxattr } from "../../../ffi/xattr.ts";
import { readTextInRoot } from "../../../src/bundle/rootfs-view.ts";

const base = mkdtempSync(join(tmpdir(), "devbox-view-"));
const [top, middle, bottom] = ["top", "middle", "bottom"].map((name) => join(base, name));
if (top === undefined || middle === undefined || bottom === undefined) throw new Error("unreachable");
const S_IFCHR = 0o020000;
const AT_FDCWD = -100;

const directories = ["gone", "opaque", "opaque/sub", "both", "both/deep", "reborn"];
const names = [
  "a",
  "b",
  "gone/a",
  "opaque/a",
  "opaque/b",
  "opaque/sub/a",
  "both/a",
  "both/b",
  "both/deep/a",
  "reborn/a",
  "link/a",
];

beforeAll(() => {
  for (const layer of [top, middle, bottom]) mkdirSync(layer);
  for (const directory of directories) mkdirSync(join(bottom, directory), { recursive: true });
  for (const name of names.filter((each) => !each.startsWith("link")))
    writeFileSync(join(bottom, name), `bottom ${name}`);
  symlinkSync("/both", join(bottom, "link"));
  // middle: a whiteout of a file, of a directory, and an opaque directory
  whiteout(middle, "a");
  whiteout(middle, "gone");
  whiteout(middle, "reborn");
  for (const directory of ["opaque", "opaque/sub", "both"]) mkdirSync(join(middle, directory));
  lsetxattr(join(middle, "opaque"), "user.overlay.opaque", new TextEncoder().encode("y"));
  whiteout(middle, "both/b");
  writeFileSync(join(middle, "opaque/b"), "middle opaque/b");
  // top: directories over all of that
  for (const directory of ["opaque", "both", "reborn"]) mkdirSync(join(top, directory));
});
afterAll(() => rmSync(base, { recursive: true, force: true }));

function whiteout(layer: string, name: string): void {
  mknodat(AT_FDCWD, join(layer, name), S_IFCHR, 0);
}

test("whiteouts and opaque directories hide what overlayfs hides", () => {
  const script = `mount -t overlay overlay -o ro,userxattr,lowerdir="${top}:${middle}:${bottom}" "${bottom}/../merged" || exit 9
    cd "${base}/merged" && for name in ${names.join(" ")}; do echo "$name=$(cat "$name" 2>/dev/null)"; done`;
  mkdirSync(join(base, "merged"));
  const { stdout, stderr, exitCode } = Bun.spawnSync([
    "unshare",
    "--user",
    "--map-root-user",
    "--mount",
    "sh",
    "-c",
    script,
  ]);
  expect({ stderr: stderr.toString(), exitCode }).toEqual({ stderr: "", exitCode: 0 });
  // A symlink to /both leads out of the mount for cat; inside the root it is the same as both/a.
  const merged = Object.fromEntries(
    stdout
      .toString()
      .trim()
      .split("\n")
      .map((line) => line.split("=")),
  );
  const view = Object.fromEntries(names.map((name) => [name, readTextInRoot([top, middle, bottom], name, 1000) ?? ""]));
  expect(view).toEqual({ ...merged, "link/a": merged["both/a"] });
  expect(Object.values(view).filter((text) => text === "")).toHaveLength(6);
});
