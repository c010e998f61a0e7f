/** Mounts that are more than one call: remounts, copy-up, what a tmpfs keeps, long options, /proc, control groups, labels. */
import { afterAll, describe, expect, test } from "bun:test";
import { chmodSync, chownSync, existsSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { $ } from "bun";
import type { RuntimeMount } from "../../../../src/oci/runtime.ts";
import { host, makeBusyboxRoot, openWorkshop, sharedDirectory } from "../../../helpers/busybox-box.ts";
import { boxFailure, inBox, kinds, mountIn, mountLine } from "../../../helpers/oci-box.ts";

const workshop = openWorkshop();
afterAll(() => workshop[Symbol.asyncDispose]());

let count = 0;
function freshRoot(): string {
  const root = join(workshop.path, `root-${count++}`);
  makeBusyboxRoot(root);
  return root;
}

const tmpfs = (destination: string, ...options: readonly string[]): RuntimeMount => ({
  destination,
  type: "tmpfs",
  source: "tmpfs",
  options,
});

describe.each(kinds)("%s", (kind) => {
  describe("remount", () => {
    test("changes what is named, and nothing else", async () => {
      const mounts = [
        tmpfs("/m", "size=64k", "nosuid", "nodev"),
        { destination: "/m", type: "tmpfs", options: ["remount", "ro", "size=128k"] },
      ];
      const { options, superOptions } = await mountIn(workshop, "/m", { kind, mounts });
      expect(options).toEqual(["ro", "nosuid", "nodev", "relatime"]);
      expect(superOptions).toContain("size=128k");
    });

    test("with bind only the mount, not the file system", async () => {
      const source = sharedDirectory(workshop);
      const mounts = [
        { destination: "/m", type: "bind", source, options: ["bind"] },
        { destination: "/m", type: "none", options: ["bind", "remount", "ro", "noexec"] },
      ];
      const { options, superOptions } = await mountIn(workshop, "/m", { kind, mounts });
      expect(options.slice(0, 1)).toEqual(["ro"]);
      expect(options).toContain("noexec");
      expect(superOptions).toContain("rw");
      const wrong = [{ destination: "/m", type: "bind", options: ["bind", "remount", "size=1"] }];
      expect(await boxFailure(workshop, { kind, mounts: wrong })).toMatchObject({ step: "remount /m: option size=1" });
    });

    test("of what is no mount, or not there, or against what it is", async () => {
      const fails = (destination: string, ...options: readonly string[]) =>
        boxFailure(workshop, {
          kind,
          mounts: [tmpfs("/m"), { destination, type: "none", options: ["remount", ...options] }],
        });
      expect(await fails("/etc", "ro")).toMatchObject({
        step: "remount /etc",
        because: expect.stringContaining("EINVAL"),
      });
      expect(await fails("/missing", "ro")).toMatchObject({
        step: "remount /missing",
        because: expect.stringContaining("ENOENT"),
      });
      expect(await fails("/m", "colour=red")).toMatchObject({ step: "remount /m: option colour=red" });
    });
  });

  describe("tmpcopyup", () => {
    const stat = "stat -c '%n %a %u %g %F' /data /data/* /data/sub/*";
    const root = (): string => {
      const path = freshRoot();
      mkdirSync(join(path, "data/sub"), { recursive: true });
      writeFileSync(join(path, "data/file"), "content");
      writeFileSync(join(path, "data/sub/deep"), "deep");
      chmodSync(join(path, "data/file"), 0o640);
      chmodSync(join(path, "data"), 0o2751);
      return path;
    };

    test("shows what it covers, with modes and owners; what is written stays in memory", async () => {
      const path = root();
      const plain = await inBox(workshop, stat, { kind, root: path });
      const mounts = [tmpfs("/data", "tmpcopyup", "nosuid", "size=1m")];
      const script = `${stat}; cat /data/file; echo new > /data/file; rm /data/sub/deep; echo x > /data/sub/more; ls /data/sub; cat /data/file`;
      expect(await inBox(workshop, script, { kind, root: path, mounts })).toBe(`${plain}\ncontentmore\nnew`);
      expect(await inBox(workshop, "cat /data/file /data/sub/deep", { kind, root: path })).toBe("contentdeep");
      expect((await mountIn(workshop, "/data", { kind, root: path, mounts })).options).toContain("nosuid");
    });

    test("is limited by its size, takes a mode that is asked for, may be read-only", async () => {
      const path = root();
      const settings = (...options: readonly string[]) => ({
        kind,
        root: path,
        mounts: [tmpfs("/data", "tmpcopyup", ...options)],
      });
      expect(
        await inBox(workshop, "head -c 300000 /dev/zero > /data/big || wc -c < /data/big", settings("size=128k")),
      ).toMatch(/131072$/);
      expect(await inBox(workshop, "stat -c %a /data", settings("mode=700"))).toBe("700");
      expect(await inBox(workshop, "echo x > /data/file || cat /data/file", settings("ro"))).toMatch(
        /Read-only file system\ncontent$/,
      );
    });

    test("an empty directory, or none, gets a plain tmpfs", async () => {
      const path = freshRoot();
      mkdirSync(join(path, "empty"));
      const mounts = [tmpfs("/empty", "tmpcopyup"), tmpfs("/new", "tmpcopyup")];
      const text = await inBox(workshop, "cat /proc/self/mountinfo", { kind, root: path, mounts });
      for (const at of ["/empty", "/new"]) expect(mountLine(text, at).type).toBe("tmpfs");
      expect(text.split("\n").filter((line) => line.includes(" /empty "))).toHaveLength(1);
    });

    test("one file with a short name is enough", async () => {
      const path = freshRoot();
      mkdirSync(join(path, "one"));
      writeFileSync(join(path, "one/a"), "a");
      expect(await inBox(workshop, "ls /one", { kind, root: path, mounts: [tmpfs("/one", "tmpcopyup")] })).toBe("a");
    });

    test("only a tmpfs has it", async () => {
      const mounts = [{ destination: "/m", type: "bind", source: workshop.path, options: ["rbind", "tmpcopyup"] }];
      expect(await boxFailure(workshop, { kind, mounts })).toMatchObject({
        code: "BAD_CONFIG",
        step: expect.stringContaining("option tmpcopyup"),
      });
      const other = [{ destination: "/m", type: "mqueue", options: ["tmpcopyup"] }];
      expect(await boxFailure(workshop, { kind, mounts: other })).toMatchObject({
        step: "mount mqueue on /m: option tmpcopyup",
        because: "only a tmpfs has it",
      });
    });
  });

  describe("a tmpfs", () => {
    test("without a mode has that of the directory that it covers, else 1777", async () => {
      const root = freshRoot();
      mkdirSync(join(root, "old"));
      chmodSync(join(root, "old"), 0o2751);
      const mounts = [tmpfs("/old"), tmpfs("/new"), tmpfs("/mine", "mode=0710")];
      expect(await inBox(workshop, "stat -c %a /old /new /mine", { kind, root, mounts })).toBe("2751\n1777\n710");
    });

    test("that is read-only is filled before: mount points in it, devices in /dev", async () => {
      const mounts = [tmpfs("/ro", "ro"), tmpfs("/ro/below"), tmpfs("/dev", "ro", "mode=755")];
      const script =
        "touch /ro/x /dev/x 2>/dev/null || echo refused; touch /ro/below/x && test -c /dev/null && echo ok";
      expect(await inBox(workshop, script, { kind, mounts })).toBe("refused\nok");
    });
  });

  test("options longer than fsconfig(2) takes go through mount(2)", async () => {
    const root = freshRoot();
    const long = join(root, "l".repeat(120), "m".repeat(120));
    mkdirSync(join(long, "low"), { recursive: true });
    writeFileSync(join(long, "low/file"), "lower");
    mkdirSync(join(root, "low2"));
    const options = [
      `lowerdir=${long}/low:${root}/low2`,
      "ro",
      "nosuid",
      ...(kind === "user namespace" ? ["userxattr"] : []),
    ];
    const mounts = [{ destination: "/merged", type: "overlay", source: "overlay", options }];
    const settings = { kind, root, mounts };
    expect(await inBox(workshop, "cat /merged/file; touch /merged/x 2>/dev/null || echo ' ro'", settings)).toBe(
      "lower ro",
    );
    expect((await mountIn(workshop, "/merged", settings)).options).toEqual(["ro", "nosuid", "relatime"]);
    const endless = Array.from({ length: 50 }, () => `x=${"y".repeat(200)}`);
    const wrong = [{ destination: "/m", type: "overlay", options: [`lowerdir=${long}/low:${root}/low2`, ...endless] }];
    expect(await boxFailure(workshop, { kind, root, mounts: wrong })).toMatchObject({
      code: "BAD_CONFIG",
      step: "mount overlay on /m",
    });
  });

  test("an overlay, a mqueue, a devpts without an instance of its own", async () => {
    const upper = sharedDirectory(workshop);
    const lower = freshRoot();
    mkdirSync(join(upper, "u"));
    mkdirSync(join(upper, "w"));
    for (const path of [upper, join(upper, "u"), join(upper, "w")]) chmodSync(path, 0o777);
    const xattr = kind === "user namespace" ? ["userxattr"] : [];
    const mounts: RuntimeMount[] = [
      {
        destination: "/o",
        type: "overlay",
        source: "overlay",
        options: [`lowerdir=${lower}`, `upperdir=${upper}/u`, `workdir=${upper}/w`, ...xattr],
      },
      { destination: "/q", type: "mqueue", source: "mqueue" },
      { destination: "/pts", type: "devpts", source: "devpts", options: ["ptmxmode=0666"] },
    ];
    const script =
      "touch /o/new && ls /o; grep -E ' /(o|q|pts) ' /proc/mounts | cut -d' ' -f3; test -c /pts/ptmx && echo ptmx";
    expect(await inBox(workshop, script, { kind, mounts })).toBe("bin\netc\nnew\ntmp\noverlay\nmqueue\ndevpts\nptmx");
    expect(existsSync(join(upper, "u/new"))).toBe(true);
  });

  test("options that nobody knows are named, with their mount", async () => {
    const fails = (mount: RuntimeMount) => boxFailure(workshop, { kind, mounts: [mount] });
    expect(await fails(tmpfs("/m", "colour=red"))).toMatchObject({ step: "mount tmpfs on /m: option colour=red" });
    expect(await fails({ destination: "/m", type: "proc", options: ["colour"] })).toMatchObject({
      step: "mount proc on /m: option colour",
    });
    const bind = { destination: "/m", type: "bind", source: workshop.path, options: ["rbind", "r0"] };
    expect(await fails(bind)).toMatchObject({ code: "BAD_CONFIG", step: `bind ${workshop.path} on /m: option r0` });
  });

  describe("/proc", () => {
    test("nothing but a procfs is mounted on it, and nothing in it but what lxcfs shows", async () => {
      const fails = (destination: string, mount: Partial<RuntimeMount> = {}) =>
        boxFailure(workshop, { kind, mounts: [{ destination, type: "tmpfs", source: "tmpfs", ...mount }] });
      expect(await fails("/proc")).toMatchObject({ code: "BAD_CONFIG", because: "only a procfs may be mounted there" });
      for (const path of ["/proc/sys", "/x/../proc/self/attr", "//proc//1"])
        expect(await fails(path)).toMatchObject({ code: "BAD_CONFIG", because: "nothing may be mounted in /proc" });
      expect(await fails("/proc", { type: "bind", source: workshop.path, options: ["rbind"] })).toMatchObject({
        step: `bind ${workshop.path} on /proc: only a procfs may be mounted there`,
      });
      const file = join(workshop.path, "uptime");
      writeFileSync(file, "12.34 56.78\n");
      const uptime = { destination: "/proc/uptime", type: "bind", source: file, options: ["bind", "ro"] };
      expect(await inBox(workshop, "cat /proc/uptime", { kind, mounts: [uptime], files: [file] })).toBe("12.34 56.78");
    });

    test("the host's own may be bound", async () => {
      const mounts = [{ destination: "/proc", type: "bind", source: "/proc", options: ["rbind", "ro"] }];
      expect(await inBox(workshop, "cat /proc/sys/kernel/random/boot_id | wc -c", { kind, mounts })).toBe("37");
    });

    test("sysctls reach the kernel, whatever is mounted over it or stands in its place", async () => {
      const root = freshRoot();
      mkdirSync(join(root, "fake/sys/net/ipv4"), { recursive: true });
      writeFileSync(join(root, "fake/sys/net/ipv4/ip_default_ttl"), "fake");
      chmodSync(join(root, "fake/sys/net/ipv4/ip_default_ttl"), 0o666);
      const linux = { sysctl: { "net.ipv4.ip_default_ttl": "33" }, readonlyPaths: [], maskedPaths: [] };
      const ttl = "cat /proc/sys/net/ipv4/ip_default_ttl /fake/sys/net/ipv4/ip_default_ttl";
      expect(await inBox(workshop, ttl, { kind, root, linux })).toBe("33\nfake");
      // A symlink of the image leads a mount into /proc: the setting is not written through it, and the error says so.
      symlinkSync("/proc/sys/net/ipv4", join(root, "turned"));
      const source = join(root, "fake/sys/net/ipv4");
      const mounts = [{ destination: "/turned", type: "bind", source, options: ["rbind"] }];
      expect(await boxFailure(workshop, { kind, root, linux, mounts })).toMatchObject({
        step: "open the sysctl net.ipv4.ip_default_ttl",
        because: expect.stringContaining("EXDEV"),
      });
    });

    test("without a procfs in the box they are written through the host's", async () => {
      const config = (config: { mounts: readonly RuntimeMount[] }) =>
        config.mounts.filter(({ destination }) => destination !== "/proc");
      const linux = { sysctl: { "net.ipv4.ip_default_ttl": "34" }, readonlyPaths: [], maskedPaths: [] };
      const mounts = [{ destination: "/later", type: "proc", source: "proc" }];
      const settings = {
        kind,
        linux,
        mounts,
        config: <T extends { mounts: readonly RuntimeMount[] }>(all: T) => ({ ...all, mounts: config(all) }),
      };
      expect(await inBox(workshop, "cat /later/sys/net/ipv4/ip_default_ttl", settings)).toBe("34");
    });
  });

  test("linux.mountLabel needs SELinux", async () => {
    if (existsSync("/sys/fs/selinux/enforce")) return;
    const linux = { mountLabel: "system_u:object_r:container_file_t:s0" };
    expect(await boxFailure(workshop, { kind, linux })).toMatchObject({
      step: expect.stringContaining("linux.mountLabel system_u:object_r:container_file_t:s0: find SELinux"),
      because: expect.stringContaining("ENOENT"),
    });
  });

  test("a shared bind is the host's peer without a user namespace, and in none of its own", async () => {
    if (host.uid !== 0) return;
    const source = join(workshop.path, `shared-${count++}`);
    mkdirSync(join(source, "inner"), { recursive: true });
    chownSync(source, 0, 0);
    await $`mount -t tmpfs tmpfs ${source} && mount --make-shared ${source} && mkdir ${source}/inner && chmod 777 ${source}/inner`.quiet();
    try {
      const mounts = [{ destination: "/m", type: "bind", source, options: ["rbind", "rshared"] }];
      const settings = { kind, mounts, options: { capAdd: ["SYS_ADMIN"] }, confined: false };
      await inBox(workshop, "mount -t tmpfs mine /m/inner && sleep 0", settings);
      const seen = (await $`grep -c " ${source}/inner " /proc/self/mountinfo`.nothrow().text()).trim();
      expect(seen).toBe(kind === "no user namespace" ? "1" : "0");
    } finally {
      await $`umount -R ${source}`.quiet();
    }
  });
});
