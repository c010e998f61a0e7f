/** What engines count on without the specification saying so: HOME, and one value a variable. */
import { describe, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { passwdOfBundle, withEnvironment } from "../../../src/runtime/environment.ts";

const passwd = "root:x:0:0:root:/root:/bin/sh\nann:x:1000:1000::/home/ann:/bin/sh\nodd:x:7:7::here:/bin/sh\n";
const complete = (env: readonly string[], uid = 1000) =>
  withEnvironment({ cwd: "/", args: ["x"], env, user: { uid, gid: 0 } }, () => passwd).env;

test.each([
  [[], 1000, ["HOME=/home/ann"]],
  [["HOME="], 0, ["HOME=/root"]],
  [["HOME=/a", "HOME="], 0, ["HOME=/root"]],
  [["HOME=/a"], 0, ["HOME=/a"]],
  [[], 4321, ["HOME=/"]],
  [[], 7, ["HOME=/"]],
  [["A=1", "B=2", "A=3", "HOME=/"], 0, ["B=2", "A=3", "HOME=/"]],
  [["NEWLINE=\n", "HOMELAND=x"], 0, ["NEWLINE=\n", "HOMELAND=x", "HOME=/root"]],
] as const)("%j of uid %d becomes %j", (env, uid, expected) => expect(complete(env, uid)).toEqual([...expected]));

describe("/etc/passwd of a bundle", () => {
  const directory = mkdtempSync(join(tmpdir(), "devbox-passwd-"));
  const rootfs = join(directory, "rootfs");
  mkdirSync(join(rootfs, "etc"), { recursive: true });
  writeFileSync(join(directory, "secret"), "of the host");

  test("is the mount's, where one brings it", () => {
    const source = join(directory, "mounted");
    writeFileSync(source, passwd);
    expect(passwdOfBundle(rootfs, [{ destination: "/etc/passwd", type: "bind", source }])).toBe(passwd);
  });

  test("is looked for in the root only, whatever its links say", () => {
    expect(passwdOfBundle(rootfs, [])).toBe("");
    symlinkSync(join(directory, "secret"), join(rootfs, "etc/passwd"));
    expect(passwdOfBundle(rootfs, [])).toBe("");
    rmSync(join(rootfs, "etc/passwd"));
    symlinkSync("/etc/other", join(rootfs, "etc/passwd"));
    writeFileSync(join(rootfs, "etc/other"), passwd);
    expect(passwdOfBundle(rootfs, [])).toBe(passwd);
    rmSync(directory, { recursive: true });
  });
});
