/** Images whose paths lead elsewhere: what is mounted or made lies inside the root, or nothing is and the error says so. */
import { afterAll, beforeEach, describe, expect, test } from "bun:test";
import { lstatSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { mknodat } from "../../../../ffi/libc.ts";
import type { RuntimeConfig, RuntimeMount } from "../../../../src/oci/runtime.ts";
import {
  type BoxSettings,
  boxInput,
  failure,
  makeBusyboxRoot,
  openWorkshop,
  output,
} from "../../../helpers/busybox-box.ts";
import { mountsBelow } from "../../../helpers/machine.ts";

const workshop = openWorkshop();
afterAll(() => workshop[Symbol.asyncDispose]());
const outside = join(workshop.path, "outside");
const S_IFIFO = 0o010000;
const AT_FDCWD = -100;
let root: string;
let count = 0;

beforeEach(() => {
  root = join(workshop.path, `hostile-${count++}`);
  makeBusyboxRoot(root);
  rmSync(outside, { recursive: true, force: true });
  for (const name of ["etc", "dev", "proc", "sys", "data"]) mkdirSync(join(outside, name), { recursive: true });
  writeFileSync(join(outside, "etc/hosts"), "outside");
  writeFileSync(join(outside, "file"), "outside");
});

/** Everything below a directory: type, mode and content. */
function listing(directory: string): string[] {
  return readdirSync(directory, { recursive: true, encoding: "utf8" })
    .sort()
    .map((name) => {
      const stat = lstatSync(join(directory, name));
      return `${name} ${stat.mode.toString(8)} ${stat.isFile() ? readFileSync(join(directory, name), "utf8") : ""}`;
    });
}

/** Nothing outside is made, changed or mounted on, whatever the action does. */
async function outsideStays<T>(action: () => Promise<T>): Promise<T> {
  const state = () => [listing(outside), mountsBelow(workshop.path)];
  const before = state();
  const result = await action();
  expect(state()).toEqual(before);
  return result;
}

const bind = (target: string) =>
  ({
    kind: "bind",
    source: join(outside, "data"),
    target,
    readonly: false,
    createSource: false,
    recursive: true,
  }) as const;
const fails = (settings: BoxSettings = {}) =>
  outsideStays(() => failure(boxInput(workshop, ["/bin/true"], { ...settings, root })));
const prints = (script: string, settings: BoxSettings = {}) =>
  outsideStays(() => output(workshop, script, { ...settings, root }));

const relative = "../../../../../../../../../../..";
/** Ways out of the root to the same place. */
const ways: readonly (readonly [name: string, to: (path: string) => string])[] = [
  ["an absolute path", (path) => join(outside, path)],
  ["a path of ..", (path) => `${relative}${join(outside, path)}`],
  ["the root of a process", (path) => `/proc/self/root${join(outside, path)}`],
  ["the working directory of a process", (path) => `/proc/self/cwd/${relative}${join(outside, path)}`],
  ["a descriptor of a process", (path) => `/proc/self/fd/3/${path}`],
];

describe.each(ways)("a symlink to %s", (_, to) => {
  test.each(["proc", "sys"])("instead of /%s is refused, wherever it leads", async (name) => {
    mkdirSync(join(root, "elsewhere"));
    symlinkSync(to(name), join(root, name));
    expect(await fails()).toMatchObject({ code: "LAUNCH_FAILED", step: `enter the mount point /${name}` });
  });

  test.each(["dev", "etc"])("instead of /%s leads nowhere in the root", async (name) => {
    rmSync(join(root, name), { recursive: true, force: true });
    symlinkSync(to(name), join(root, name));
    expect(await fails()).toMatchObject({ code: "LAUNCH_FAILED", step: `enter the mount point /${name}` });
  });

  test.each(["hosts", "hostname", "resolv.conf"])("instead of /etc/%s", async (name) => {
    symlinkSync(to(`etc/${name}`), join(root, "etc", name));
    if (to("").startsWith("/proc")) {
      expect(await fails()).toMatchObject({ step: `make the mount point /etc/${name}` });
    } else {
      expect(await prints(`test ! -L /etc/${name} && grep -c /etc/${name} /proc/mounts`)).toBe("1");
    }
  });

  test("instead of a mount's target, or above it", async () => {
    symlinkSync(to("data"), join(root, "target"));
    symlinkSync(to(""), join(root, "above"));
    expect(await fails({ options: { mounts: [bind("/target")] } })).toMatchObject({
      step: "enter the mount point /target",
    });
    expect(await fails({ options: { mounts: [bind("/above/data")] } })).toMatchObject({
      step: "enter the mount point /above",
    });
  });

  test("instead of what is copied up, remounted, or of the place of a FIFO", async () => {
    symlinkSync(to("data"), join(root, "target"));
    writeFileSync(join(outside, "data/file"), "outside");
    const failsWith = (mount: RuntimeMount) => fails({ config: (all) => ({ ...all, mounts: [...all.mounts, mount] }) });
    const tmpfs = { destination: "/target", type: "tmpfs", source: "tmpfs", options: ["tmpcopyup"] };
    expect(await failsWith(tmpfs)).toMatchObject({ step: "enter the mount point /target" });
    const remount = { destination: "/target", type: "none", options: ["remount", "bind", "ro"] };
    expect(await failsWith(remount)).toMatchObject({ step: "remount /target" });
    const config = (all: RuntimeConfig): RuntimeConfig => ({
      ...all,
      linux: { ...all.linux, devices: [{ type: "p", path: "/target/fifo" }] },
    });
    expect(await fails({ config })).toMatchObject({ step: "enter the directory of a device /target" });
  });

  test("instead of the working directory, or above it", async () => {
    symlinkSync(to("data"), join(root, "work"));
    expect(await fails({ options: { workdir: "/work" } })).toMatchObject({ step: "enter the working directory /work" });
    expect(await fails({ options: { workdir: "/work/new" } })).toMatchObject({
      step: "enter the working directory /work",
    });
  });

  test("instead of a masked or read-only path", async () => {
    symlinkSync(to("data"), join(root, "data"));
    symlinkSync(to("file"), join(root, "file"));
    const config = (config: RuntimeConfig): RuntimeConfig => ({
      ...config,
      linux: { ...config.linux, maskedPaths: ["/data", "/file"], readonlyPaths: ["/data", "/file"] },
    });
    expect(await prints("echo ok", { config })).toBe("ok");
  });
});

describe("symlinks that lead somewhere in the root are followed there", () => {
  test("a directory, an absolute one and one with more .. than there are directories", async () => {
    mkdirSync(join(root, "real/dev"), { recursive: true });
    symlinkSync("/real/dev", join(root, "dev"));
    symlinkSync(`${relative}/real`, join(root, "link"));
    const mounts = [bind("/link/data")];
    expect(
      await prints("grep -cE ' /real/(dev|data) ' /proc/mounts; test -c /dev/null && echo device", {
        options: { mounts },
      }),
    ).toBe("2\ndevice");
  });

  test("a file that is missing is made there", async () => {
    mkdirSync(join(root, "run"));
    symlinkSync("../run/resolv.conf", join(root, "etc/resolv.conf"));
    expect(await prints("readlink /etc/resolv.conf; grep -c ' /run/resolv.conf ' /proc/mounts")).toBe(
      "../run/resolv.conf\n1",
    );
  });

  test("a file whose directory is missing takes the symlink's place", async () => {
    symlinkSync("../run/systemd/resolve/stub-resolv.conf", join(root, "etc/resolv.conf"));
    expect(await prints("test ! -L /etc/resolv.conf && grep -c ' /etc/resolv.conf ' /proc/mounts")).toBe("1");
  });
});

describe("something else than is needed", () => {
  test("a file instead of a directory", async () => {
    writeFileSync(join(root, "proc"), "");
    const error = await fails();
    expect(error).toMatchObject({
      step: "enter the mount point /proc",
      because: "it must be mounted on ordinary directory, and the image has none there (ENOTDIR)",
    });
  });

  test("a file above a directory", async () => {
    writeFileSync(join(root, "srv"), "");
    const error = await fails({ options: { mounts: [bind("/srv/data")] } });
    expect(error).toMatchObject({
      step: "enter the mount point /srv",
      because: "what the image has there is no directory (ENOTDIR)",
    });
  });

  test("a directory instead of a file", async () => {
    mkdirSync(join(root, "etc/hosts"));
    const error = await fails();
    expect(error).toHaveProperty("step", expect.stringContaining("on /etc/hosts"));
    expect(error).toHaveProperty("hint", expect.stringContaining("a file can be mounted only on a file"));
  });

  test("symlinks in circles", async () => {
    symlinkSync("b", join(root, "a"));
    symlinkSync("a", join(root, "b"));
    const error = await fails({ options: { mounts: [bind("/a")] } });
    expect(error).toMatchObject({ step: "enter the mount point /a" });
    expect(error).toHaveProperty("because", expect.stringContaining("ELOOP"));
  });

  test("FIFOs hold nobody up: instead of a file to mount on, of a device, of the console", async () => {
    const fifo = (path: string) => mknodat(AT_FDCWD, join(root, path), S_IFIFO | 0o666, 0);
    mkdirSync(join(root, "dev"));
    for (const path of ["etc/hosts", "etc/resolv.conf", "dev/null", "dev/tty", "dev/console"]) fifo(path);
    const config = (config: RuntimeConfig): RuntimeConfig => ({
      ...config,
      mounts: config.mounts.filter(({ destination }) => destination !== "/dev"),
    });
    expect(await prints("test -c /dev/null && test -f /etc/hosts && echo ok", { config })).toBe("ok");
    expect(
      await prints("test -c /dev/console && test -f /etc/hosts && echo ok", { config, options: { tty: true } }),
    ).toBe("ok");
  });
});

test("a target with .. stays in the root", async () => {
  const config = (config: RuntimeConfig): RuntimeConfig => ({
    ...config,
    mounts: [...config.mounts, { destination: `/${relative}/new/place`, type: "tmpfs", source: "tmpfs" }],
  });
  expect(await prints("grep -c ' /new/place ' /proc/mounts", { config })).toBe("1");
});

test("a root that may not be written to: which place is missing, and why", async () => {
  const config = (config: RuntimeConfig): RuntimeConfig => ({
    ...config,
    // A mount that is read-only, with a place in it that is missing.
    mounts: [
      ...config.mounts,
      { destination: "/ro", type: "bind", source: join(outside, "data"), options: ["rbind", "ro"] },
      { destination: "/ro/missing", type: "tmpfs", source: "tmpfs" },
    ],
  });
  const error = await fails({ config });
  expect(error).toMatchObject({ step: "make the mount point /ro/missing", because: "read-only file system (EROFS)" });
});
