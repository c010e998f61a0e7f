/** Bundles made to harm: devbox oci says what is wrong and where, or does it inside; nothing of the host is touched. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import type { Result } from "../helpers/devbox.ts";
import { type Config, type OciRuntime, openOciRuntime } from "../helpers/oci-runtime.ts";
import { processes } from "../helpers/processes.ts";
import { mountsAt, treeOf } from "../helpers/watched.ts";

let oci: OciRuntime;
let outside: string;
beforeAll(async () => {
  oci = await openOciRuntime();
  outside = join(oci.home.directory, "outside");
  mkdirSync(join(outside, "directory"), { recursive: true });
  writeFileSync(join(outside, "file"), "the host's\n");
  // Whoever a box's user is could write to it, if it came there.
  for (const name of ["", "directory", "file"]) chmodSync(join(outside, name), 0o777);
});
afterAll(() => oci[Symbol.asyncDispose]());

type Change = (config: Config, directory: string) => void;

/** Runs a bundle to its end; nothing outside may change meanwhile, and nothing may be left. */
async function runHostile(args: readonly string[], change: Change): Promise<Result> {
  const bundle = await oci.bundle(args, change);
  return untouched(() => oci.run(["run", "--bundle", bundle, oci.id()]));
}

async function untouched(action: () => Promise<Result>): Promise<Result> {
  const state = () => ({
    tree: treeOf(outside),
    mounts: mountsAt(oci.home.directory),
    hostname: readFileSync("/proc/sys/kernel/hostname", "utf8"),
    containers: existsSync(oci.root) ? treeOf(oci.root) : [],
  });
  const before = state();
  const result = await action();
  expect(state()).toEqual({ ...before, containers: [] });
  expect(processes().filter(({ command }) => command.includes(oci.home.directory))).toEqual([]);
  return result;
}

async function refused(
  change: Change,
  reason: RegExp,
  args: readonly string[] = ["echo", "it came up"],
): Promise<void> {
  const { exitCode, stdout, stderr } = await runHostile(args, change);
  // 126: the command is there, and cannot be executed.
  expect([1, 126]).toContain(exitCode);
  expect({ stdout, stderr }).toEqual({ stdout: "", stderr: expect.stringMatching(reason) });
  expect(stderr).toStartWith("devbox-oci: ");
  expect(stderr.length).toBeLessThan(2000);
}

describe("targets of mounts", () => {
  const relative = "../../../../../../../../../..";
  const ways: readonly (readonly [name: string, to: (path: string) => string])[] = [
    ["an absolute symlink", (path) => path],
    ["a symlink of ..", (path) => `${relative}${path}`],
    ["a symlink through the root of a process", (path) => `/proc/self/root${path}`],
    ["a symlink through a descriptor", (path) => `/proc/self/fd/3${path}`],
    ["a symlink through a working directory", (path) => `/proc/self/cwd${path}`],
  ];
  test.each(ways)("%s: what is mounted lies inside, or nowhere", async (_, to) => {
    const { exitCode, stderr } = await runHostile(
      ["sh", "-c", "echo x > /target/new && ls /target"],
      (config, directory) => {
        symlinkSync(to(outside), join(directory, "rootfs/target"));
        config.mounts.push({ destination: "/target", type: "tmpfs", source: "tmpfs" });
      },
    );
    if (exitCode !== 0) expect(stderr).toMatch(/^devbox-oci: .*\/target/);
  });

  test("`..` in a destination stays in the root", async () => {
    const { exitCode, stdout } = await runHostile(["ls", "/outside"], (config) =>
      config.mounts.push({ destination: `/a/../${relative}/outside/made`, type: "tmpfs", source: "tmpfs" }),
    );
    expect({ exitCode, stdout }).toEqual({ exitCode: 0, stdout: "made\n" });
  });

  test.each([
    "/proc/self/exe",
    "/proc/self",
    "/proc/1/ns",
    "/proc/sys/kernel",
    "/proc/self/fd/1",
    "/proc/self/attr/exec",
  ])("%s is no place for one", (destination) =>
    refused(
      (config) => config.mounts.push({ destination, source: outside, options: ["bind"] }),
      new RegExp(`mount on ${destination}: nothing may be mounted in /proc`),
    ),
  );

  test("a tmpfs or a directory in the place of /proc", async () => {
    for (const mount of [
      { destination: "/proc", type: "tmpfs", source: "tmpfs" },
      { destination: "/./proc/../proc/", source: outside, options: ["bind"] },
    ])
      await refused((config) => config.mounts.push(mount), /only a procfs may be mounted there/);
  });
});

describe("sources of mounts", () => {
  test("that are not there, or a FIFO's, or `..` to where nothing is", async () => {
    const bind = (source: string) => (config: Config) =>
      config.mounts.push({ destination: "/m", source, options: ["bind"] });
    await refused(bind("/no/such/place"), /mounts\[\d+\]\.source: open \/no\/such\/place: no such file/);
    await refused(bind("../../../nothing"), /mounts\[\d+\]\.source: .*no such file/);
    await refused(bind("rootfs/bin/busybox/x"), /mounts\[\d+\]\.source: .*not a directory/);
  });
});

describe("devices, masks and kernel parameters", () => {
  test("a device by `..` is made inside", async () => {
    const { exitCode, stdout } = await runHostile(["ls", "/outside"], (config) => {
      config.linux.devices = [{ type: "p", path: "/dev/../../../outside/pipe", fileMode: 0o666 }];
    });
    expect({ exitCode, stdout }).toEqual({ exitCode: 0, stdout: "pipe\n" });
  });

  test("a device below a symlink to the outside, or in its place", async () => {
    for (const path of ["/link/pipe", "/link"]) {
      const { exitCode, stderr } = await runHostile(["true"], (config, directory) => {
        symlinkSync(outside, join(directory, "rootfs/link"));
        config.linux.devices = [{ type: "p", path }];
      });
      if (exitCode !== 0) expect(stderr).toMatch(/^devbox-oci: .*\/link/);
    }
  });

  test("masked and read-only paths that are symlinks to the outside", async () => {
    for (const key of ["maskedPaths", "readonlyPaths"]) {
      const { stderr } = await runHostile(["sh", "-c", `cat ${outside}/file`], (config, directory) => {
        symlinkSync(join(outside, "file"), join(directory, "rootfs/link"));
        config.linux[key] = ["/link", `/proc/self/root${outside}`, `/${"../".repeat(9)}${outside}`];
      });
      expect(stderr).toMatch(/No such file|^devbox-oci: .*link/);
    }
  });

  test.each([
    "../../../etc/passwd",
    "net/../kernel/panic",
    "net.ipv4/../../kernel/panic",
    "kernel.panic",
    "fs.mqueue.../x",
  ])("the kernel parameter %s", (name) =>
    refused((config) => (config.linux.sysctl = { [name]: "1" }), /linux\.sysctl/),
  );
});

describe("the command", () => {
  test.each(["/proc/self/fd/3", "/proc/self/fd/5/../..", "/proc/1/cwd", "/proc/self/root/../.."])(
    "does not start in the host from the working directory %s",
    async (cwd) => {
      const { exitCode, stdout, stderr } = await runHostile(
        ["sh", "-c", "ls; cat ../../../../../../../../etc/group"],
        (config) => {
          config.process.cwd = cwd;
        },
      );
      if (exitCode === 0) expect(stdout).toContain("audio:x:29:dev\nvideo:x:44:dev\n");
      else expect(stderr).toMatch(/^devbox-oci: .*working directory/);
    },
  );

  test("of which there are 10 MB", async () => {
    // execve(2): 128 KiB is the most for one word, and a quarter of the stack's limit for all.
    await refused((config) => (config.process.args = ["echo", "x".repeat(10_000_000)]), /argument list too long|E2BIG/);
  });

  test("of a hundred thousand words is one like others", async () => {
    const { stdout } = await runHostile(["sh", "-c", "echo $#", ...Array(100_001).fill("x")], () => {});
    expect(stdout).toBe("100000\n");
  });

  test("of which there are a million words", async () => {
    await refused((config) => (config.process.args = Array(1_000_000).fill("x")), /E2BIG|too many|at most/);
  });
});

describe("config.json", () => {
  async function file(make: (path: string) => void, reason: RegExp): Promise<void> {
    const bundle = await oci.bundle(["true"]);
    const path = join(bundle, "config.json");
    rmSync(path);
    make(path);
    const { exitCode, stderr } = await untouched(() => oci.run(["run", "--bundle", bundle, oci.id()]));
    expect({ exitCode, stderr }).toEqual({ exitCode: 1, stderr: expect.stringMatching(reason) });
    expect(stderr).toContain(path);
    expect(stderr.length).toBeLessThan(1000);
  }

  test("that is none", () => file(() => {}, /no such file/));
  test("that is a directory", () => file((path) => mkdirSync(path), /not a regular file|directory/));
  test("that is a FIFO", () => file((path) => Bun.spawnSync(["mkfifo", path]), /not a regular file/));
  test("that is a device", () => file((path) => symlinkSync("/dev/zero", path), /not a regular file/));
  test("that is a symlink to nowhere", () => file((path) => symlinkSync("/nowhere", path), /no such file/));
  test("that is a symlink in circles", () => file((path) => symlinkSync("config.json", path), /ELOOP|symbolic links/));
  test("of 64 MiB", () =>
    file((path) => {
      writeFileSync(path, "{");
      truncateSync(path, 64 * 2 ** 20);
    }, /it has 67108864 bytes; at most \d+ are accepted/));
  test("of lists in lists", () => file((path) => writeFileSync(path, "[".repeat(5_000_000)), /not valid JSON/));
  test("of objects in objects", () =>
    file(
      (path) => writeFileSync(path, `${'{"a":'.repeat(1_000_000)}1${"}".repeat(1_000_000)}`),
      /not valid JSON|ociVersion/,
    ));
  test("that is no text", () => file((path) => writeFileSync(path, new Uint8Array([0xff, 0xfe, 0])), /not valid JSON/));
  test("with a million mounts", () =>
    file(
      (path) =>
        writeFileSync(
          path,
          `{"ociVersion":"1.0.0","root":{"path":"rootfs"},"mounts":[${Array(400_000).fill('{"destination":"/m","type":"tmpfs"}').join()}]}`,
        ),
      /mounts/,
    ));
  test.each([
    ["mounts", { length: 5 }],
    ["process", []],
    ["linux", "none"],
    ["hooks", { prestart: {} }],
    ["root", null],
    ["annotations", { a: 1 }],
    ["hostname", 5],
  ])("with %s of a wrong type", (key, value) => refused((config) => (config[key] = value), new RegExp(`: ${key}`)));

  test("with a property named __proto__", async () => {
    const bundle = await oci.bundle(["true"]);
    const path = join(bundle, "config.json");
    const text = readFileSync(path, "utf8");
    writeFileSync(
      path,
      text.replace("{", '{"__proto__":{"hooks":{"prestart":[{"path":"/no/such"}]}},"constructor":1,'),
    );
    expect(await untouched(() => oci.run(["run", "--bundle", bundle, oci.id()]))).toMatchObject({
      exitCode: 0,
      stderr: "",
    });
  });
});

describe("the root file system", () => {
  test("that is / of the host by a symlink is the host's own, or refused: the box says which", async () => {
    const { exitCode, stderr } = await runHostile(["true"], (config, directory) => {
      symlinkSync("/", join(directory, "all"));
      config.root = { path: "all", readonly: true };
    });
    if (exitCode !== 0) expect(stderr).toMatch(/^devbox-oci: /);
  });

  test("that is no directory", async () => {
    await refused((config) => (config.root.path = "config.json"), /root\.path: open .*: not a directory/);
    await refused((config) => (config.root.path = "nothing"), /root\.path: open .*: no such file/);
  });
});

test("a bundle that is changed between create and start: what was created is started", async () => {
  const id = oci.id();
  const bundle = await oci.bundle(["sh", "-c", "echo created; cat /etc/passwd | wc -l"]);
  const result = await untouched(async () => {
    const command = oci.start(["create", "--bundle", bundle, id]);
    await Bun.sleep(0);
    const file = join(bundle, "config.json");
    await oci.reaches(id, "created");
    writeFileSync(file, readFileSync(file, "utf8").replace("echo created", "echo changed"));
    rmSync(join(bundle, "rootfs/etc"), { recursive: true });
    symlinkSync(outside, join(bundle, "rootfs/etc"));
    await oci.ok(["start", id]);
    const { stdout, stderr } = await command.result;
    await oci.reaches(id, "stopped");
    await oci.ok(["delete", id]);
    return { exitCode: 0, stdout, stderr };
  });
  expect(result.stdout).toStartWith("created\n");
});

describe("names and places of containers", () => {
  test.each(["../x", "a/b", ".", "..", "", "x\ny", "x".repeat(256), "a b", "ä"])("%j", async (id) => {
    const bundle = await oci.bundle(["true"]);
    for (const command of [["create", "--bundle", bundle], ["state"], ["start"], ["delete", "--force"], ["kill"]]) {
      const { exitCode, stderr } = await untouched(() => oci.run([...command, "--", id]));
      expect({ exitCode, stderr }).toEqual({ exitCode: 1, stderr: expect.stringMatching(/invalid id|container/) });
    }
  });

  test("--root that is a symlink, or a file", async () => {
    const [bundle, link] = [await oci.bundle(["echo", "up"]), join(oci.home.directory, "link")];
    const elsewhere = join(oci.home.directory, "elsewhere");
    mkdirSync(elsewhere);
    symlinkSync(elsewhere, link);
    const run = (root: string) => oci.home.run(["oci", "--root", root, "run", "--bundle", bundle, oci.id()]);
    expect(await untouched(() => run(link))).toMatchObject({ exitCode: 0, stdout: "up\n" });
    expect(treeOf(elsewhere)).toEqual([]);
    const { exitCode, stderr } = await untouched(() => run(join(outside, "file")));
    expect({ exitCode, stderr }).toEqual({ exitCode: 1, stderr: expect.stringContaining(join(outside, "file")) });
  });

  test("a container's directory that is a symlink is nobody's container", async () => {
    mkdirSync(oci.root, { recursive: true });
    const id = oci.id();
    symlinkSync(join(outside, "directory"), join(oci.root, id));
    for (const command of [["delete", "--force"], ["state"], ["kill"]]) await oci.run([...command, id]);
    expect(existsSync(join(outside, "directory"))).toBe(true);
    rmSync(join(oci.root, id));
  });
});
