/** Mounts of a box: what may be written where, and that the host sees none of them. */
import { afterAll, describe, expect, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { RuntimeConfig, RuntimeMount } from "../../../../src/oci/runtime.ts";
import { create } from "../../../../src/runtime/create.ts";
import {
  type BoxSettings,
  boxInput,
  failure,
  openWorkshop,
  output,
  sharedDirectory,
} from "../../../helpers/busybox-box.ts";

const workshop = openWorkshop();
afterAll(() => workshop[Symbol.asyncDispose]());

const withMounts = (...mounts: readonly RuntimeMount[]): BoxSettings => ({
  config: (config: RuntimeConfig): RuntimeConfig => ({ ...config, mounts: [...config.mounts, ...mounts] }),
});
const write = (...paths: readonly string[]) =>
  paths.map((path) => `(echo x > ${path}/file && rm ${path}/file) 2>/dev/null && echo ${path}`).join("; ");
const writable = async (settings: BoxSettings, ...paths: readonly string[]): Promise<string[]> =>
  (await output(workshop, `${write(...paths)}; true`, settings)).split("\n").filter(Boolean);

describe("read-only", () => {
  test("binds, tmpfs and the root, each by itself", async () => {
    const source = sharedDirectory(workshop);
    const mounts = [
      { destination: "/ro", type: "bind", source, options: ["rbind", "ro"] },
      { destination: "/rw", type: "bind", source, options: ["rbind"] },
      { destination: "/tmpfs-ro", type: "tmpfs", source: "tmpfs", options: ["ro"] },
      { destination: "/tmpfs-rro", type: "tmpfs", source: "tmpfs", options: ["rro"] },
      { destination: "/tmpfs", type: "tmpfs", source: "tmpfs" },
    ];
    const settings = withMounts(...mounts);
    const places = ["/ro", "/rw", "/tmpfs-ro", "/tmpfs-rro", "/tmpfs", "/etc"];
    expect(await writable(settings, ...places)).toEqual(["/rw", "/tmpfs", "/etc"]);
    expect(await writable({ ...settings, options: { readonlyRoot: true } }, ...places)).toEqual(["/rw", "/tmpfs"]);
  });

  test("rro holds for what is mounted below, ro only for the top", async () => {
    const mount = (options: readonly string[]) => ({ destination: "/sys2", type: "bind", source: "/dev", options });
    const below = "/sys2/shm";
    expect(await writable(withMounts(mount(["rbind", "ro"])), below)).toEqual([below]);
    expect(await writable(withMounts(mount(["rbind", "rro"])), below)).toEqual([]);
  });

  test("the box cannot make it writable again, nor look below a mask", async () => {
    const script =
      "mount -o remount,rw /sys 2>/dev/null || echo refused; umount /proc/keys 2>/dev/null || echo refused";
    expect(await output(workshop, script)).toBe("refused\nrefused");
  });
});

describe("options", () => {
  test("are those of /proc/mounts", async () => {
    const options = ["size=8k", "mode=1770", "nosuid", "nodev", "noexec", "noatime", "gid=5"];
    const settings = withMounts({ destination: "/m", type: "tmpfs", source: "mine", options });
    const line = await output(workshop, "grep ' /m ' /proc/mounts", settings);
    expect(line).toMatch(/^mine \/m tmpfs rw,nosuid,nodev,noexec,noatime,size=8k,mode=1770,/);
  });

  test("that no file system knows are named", async () => {
    const settings = withMounts({ destination: "/m", type: "tmpfs", source: "mine", options: ["colour=red"] });
    const error = await failure(boxInput(workshop, ["/bin/true"], settings));
    expect(error).toMatchObject({ step: "mount tmpfs on /m: option colour=red", because: "invalid argument (EINVAL)" });
  });

  test("a file system that does not exist, or is not for us", async () => {
    for (const type of ["nofs", "none"]) {
      const error = await failure(boxInput(workshop, ["/bin/true"], withMounts({ destination: "/m", type })));
      expect(error).toMatchObject({ step: `mount ${type} on /m`, because: expect.stringContaining("ENODEV") });
    }
  });
});

describe("binds", () => {
  test("a file on a place that is missing, with its parents", async () => {
    const source = join(workshop.path, "source-file");
    writeFileSync(source, "content");
    const mounts = [
      { kind: "bind", source, target: "/a/b/c", readonly: false, createSource: false, recursive: true },
    ] as const;
    expect(await output(workshop, "cat /a/b/c; echo new > /a/b/c", { options: { mounts } })).toBe("content");
    expect(readFileSync(source, "utf8")).toBe("new\n");
  });

  test("one in another, the inner one named first", async () => {
    const [outer, inner] = [sharedDirectory(workshop), sharedDirectory(workshop)];
    writeFileSync(join(inner, "file"), "inner");
    const mounts = [inner, outer].map(
      (source, i) =>
        ({
          kind: "bind",
          source,
          target: ["/x/y", "/x"][i] ?? "",
          readonly: false,
          createSource: false,
          recursive: true,
        }) as const,
    );
    expect(await output(workshop, "cat /x/y/file", { options: { mounts } })).toBe("inner");
  });

  test("a device", async () => {
    const devices = [{ source: "/dev/zero", target: "/dev/nought", permissions: "rwm" }];
    expect(await output(workshop, "head -c 3 /dev/nought | wc -c", { options: { devices } })).toBe("3");
  });

  test("devices of config.json", async () => {
    const config = (config: RuntimeConfig): RuntimeConfig => ({
      ...config,
      linux: { ...config.linux, devices: [{ type: "c", path: "/dev/full", major: 1, minor: 7 }] },
    });
    expect(await output(workshop, "(echo x > /dev/full) 2>/dev/null || echo full", { config })).toBe("full");
  });
});

test("the root is private to the box unless it is asked to be shared", async () => {
  const shared = (config: RuntimeConfig): RuntimeConfig => ({
    ...config,
    linux: { ...config.linux, rootfsPropagation: "shared" },
  });
  const rootLine = "grep ' / ' /proc/self/mountinfo | grep -c shared:; true";
  expect(await output(workshop, rootLine)).toBe("0");
  expect(await output(workshop, rootLine, { config: shared })).toBe("1");
});

test("nothing of the host's mounts is left in the box", async () => {
  const points = (await output(workshop, "cut -d' ' -f2 /proc/mounts")).split("\n");
  expect(points.filter((point) => !/^\/$|^\/(proc|sys|dev|etc|out)(\/|$)/.test(point))).toEqual([]);
  expect(points.filter((point) => point === "/")).toHaveLength(1);
});

test("a box of the host's own root", async () => {
  const input = boxInput(workshop, ["/bin/sh", "-c", "test -e /etc/debian_version"]);
  const config = {
    ...input.sandbox.config,
    mounts: input.sandbox.config.mounts.filter(({ destination }) => !destination.startsWith("/etc")),
  };
  const sandbox = { ...input.sandbox, config, rootfs: { kind: "directory", path: "/" }, mountpoint: "/" } as const;
  const container = await create({ ...input, sandbox });
  container.start();
  expect(await container.launched.wait()).toBe(0);
});
