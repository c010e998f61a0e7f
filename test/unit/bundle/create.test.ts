import { afterAll, beforeEach, describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Bundle, BundleInput } from "../../../src/bundle/bundle.ts";
import { createBundle } from "../../../src/bundle/create.ts";
import type { RunOptions } from "../../../src/bundle/options.ts";
import type { ImageExecution } from "../../../src/oci/image.ts";
import { bundleInput, storedImage } from "../../helpers/bundle-input.ts";
import { failureOf } from "../../helpers/failure.ts";

const base = mkdtempSync(join(tmpdir(), "devbox-create-"));
afterAll(() => rmSync(base, { recursive: true, force: true }));
let root = base;
let count = 0;

beforeEach(() => {
  count += 1;
  root = join(base, String(count));
  for (const name of ["layers/a/fs/etc", "layers/b/fs/data", "boxes/0123456789abcdef"])
    mkdirSync(join(root, name), { recursive: true });
  writeFileSync(
    join(root, "layers/a/fs/etc/passwd"),
    "root:x:0:0::/root:/bin/sh\nada:x:1000:1000::/home/ada:/bin/sh\n",
  );
  writeFileSync(join(root, "layers/a/fs/etc/group"), "audio:x:29:ada\nhuge:x:70000:ada\n");
});

const image: ImageExecution = {
  User: "ada",
  Env: ["FROM=image"],
  Entrypoint: ["/entry"],
  Cmd: ["run"],
  WorkingDir: "/srv",
  StopSignal: "SIGINT",
  // The last one is an order to runtimes, and no image gives any.
  Labels: { maintainer: "ada", both: "image", "run.oci.hooks.stdout": "/etc/profile" },
  Volumes: { "/data": {}, "/var/new": {} },
};

function create(options: Partial<RunOptions> = {}, changes: Partial<BundleInput> = {}, execution = image): Bundle {
  const stored = storedImage(["layers/a/fs", "layers/b/fs"], execution);
  return createBundle(bundleInput(root, { kind: "image", image: stored }, options, changes));
}

const boxFile = (name: string): string => join(root, "boxes/0123456789abcdef", name);

describe("config.json", () => {
  test("the image's own way to run", () => {
    const { config } = create();
    expect(config.process).toMatchObject({
      args: ["/entry", "run"],
      cwd: "/srv",
      terminal: false,
      user: { uid: 1000, gid: 1000, additionalGids: [1000, 29] },
      capabilities: { bounding: ["CAP_CHOWN"], effective: [] },
    });
    expect(config.process.env).toContain("FROM=image");
    expect(config.process.env).toContain("HOME=/home/ada");
    expect(config.process.env).toContain("HOSTNAME=0123456789ab");
    expect(config.hostname).toBe("0123456789ab");
    expect(config.linux.namespaces.map(({ type }) => type)).toEqual([
      "user",
      "mount",
      "pid",
      "ipc",
      "uts",
      "cgroup",
      "network",
    ]);
  });

  test("users are looked up in the topmost layer that has the file", () => {
    mkdirSync(join(root, "layers/b/fs/etc"));
    writeFileSync(join(root, "layers/b/fs/etc/passwd"), "ada:x:5:6::/:/bin/sh\n");
    expect(create().config.process.user).toMatchObject({ uid: 5, gid: 6 });
  });

  test("what the user says instead", () => {
    const { config } = create({
      user: "0",
      command: ["ls"],
      entrypoint: ["sh", "-c"],
      workdir: "relative/../w",
      hostname: "lovelace",
      env: ["FROM=flag"],
      labels: { both: "flag" },
      stopSignal: "SIGQUIT",
      ulimits: [
        { name: "nofile", soft: 9, hard: 9 },
        { name: "nofile", soft: 1, hard: "unlimited" },
      ],
      security: { noNewPrivileges: true, seccomp: "default", unmask: ["all"], mask: [] },
      sysctl: { "net.ipv4.ip_forward": "1" },
      readonlyRoot: true,
      tty: true,
    });
    expect(config.process).toMatchObject({
      args: ["sh", "-c", "ls"],
      cwd: "/w",
      user: { uid: 0 },
      capabilities: { effective: ["CAP_CHOWN"] },
      rlimits: [{ type: "RLIMIT_NOFILE", soft: 1, hard: "unlimited" }],
      noNewPrivileges: true,
      terminal: true,
    });
    expect(config.process.env).toContain("FROM=flag");
    expect(config.annotations).toEqual({
      "org.opencontainers.image.stopSignal": "SIGQUIT",
      "devbox.stop-timeout-seconds": "10",
      maintainer: "ada",
      both: "flag",
    });
    expect(config.linux.maskedPaths).toEqual([]);
    expect(config.linux.sysctl).toMatchObject({ "net.ipv4.ip_forward": "1", "net.ipv4.ping_group_range": "0 65535" });
    expect(config.root.readonly).toBe(true);
  });

  test("on the host's network there is no namespace for it", () => {
    const { config, sourceKinds } = create({ network: "host" });
    expect(config.linux.namespaces.map(({ type }) => type)).not.toContain("network");
    expect(sourceKinds.get("/sys")).toBe("directory");
  });

  test("is on disk as it is returned, closed to others; hooks and seccomp are in it", () => {
    const hooks = { createRuntime: [{ path: "/devbox", args: ["devbox", "hook"] }] };
    const seccomp = { defaultAction: "SCMP_ACT_ALLOW" } as const;
    const { config } = create({}, { network: { hooks, nameservers: [], address: undefined }, seccomp });
    expect(config.hooks).toEqual(hooks);
    expect(config.linux.seccomp).toEqual(seccomp);
    expect(JSON.parse(readFileSync(boxFile("config.json"), "utf8"))).toEqual(JSON.parse(JSON.stringify(config)));
    expect(statSync(boxFile("config.json")).mode & 0o077).toBe(0);
  });
});

describe("the root file system", () => {
  test("layers topmost first, upper and work of the box", () => {
    expect(create().rootfs).toEqual({
      kind: "overlay",
      lowers: ["layers/b/fs", "layers/a/fs"],
      upper: "boxes/0123456789abcdef/upper",
      work: "boxes/0123456789abcdef/work",
      volatile: true,
    });
  });

  test("a box that is kept has no volatile upper layer", () => {
    expect(create({ keep: true }).rootfs).toMatchObject({ volatile: false });
  });

  test("the mode of / is the image's, whatever the umask", () => {
    const before = process.umask(0o077);
    try {
      create();
    } finally {
      process.umask(before);
    }
    expect(statSync(boxFile("upper")).mode & 0o7777).toBe(statSync(join(root, "layers/b/fs")).mode & 0o7777);
    for (const name of ["hosts", "hostname", "resolv.conf"]) expect(statSync(boxFile(name)).mode & 0o777).toBe(0o644);
  });

  test("a directory is used as it is", () => {
    const { rootfs, config } = createBundle(
      bundleInput(root, { kind: "directory", path: join(root, "layers/a/fs") }, { command: ["sh"] }),
    );
    expect(rootfs).toEqual({ kind: "directory", path: join(root, "layers/a/fs") });
    expect(config.root.path).toBe(join(root, "layers/a/fs"));
    expect(existsSync(boxFile("upper"))).toBe(false);
  });

  test("an image without layers is an empty directory", () => {
    const source = { kind: "image", image: storedImage([]) } as const;
    expect(createBundle(bundleInput(root, source, { command: ["/x"] })).rootfs).toEqual({
      kind: "directory",
      path: boxFile("upper"),
    });
  });
});

describe("mounts", () => {
  test("every bind source is there and known for what it is", () => {
    const { config, sourceKinds } = create({
      mounts: [
        {
          kind: "bind",
          source: join(root, "made/here"),
          target: "/src",
          readonly: false,
          createSource: true,
          recursive: true,
        },
      ],
    });
    for (const { type, source = "" } of config.mounts) {
      if (type === "bind") expect(sourceKinds.get(source)).toBe(statSync(source).isDirectory() ? "directory" : "file");
    }
    expect(sourceKinds.get(join(root, "made/here"))).toBe("directory");
    expect(sourceKinds.get(boxFile("hosts"))).toBe("file");
  });

  test("volumes: the image's directory as it is, the missing one beside the box, the user's mount instead", () => {
    const places = create()
      .config.mounts.filter(({ source }) => source?.includes("/volumes/"))
      .map(({ destination }) => destination);
    expect(places).toEqual(["/var/new"]);
  });

  test("the user's mount wins over generated files, defaults and volumes", () => {
    const own = join(root, "own-hosts");
    writeFileSync(own, "");
    const bind = { kind: "bind", source: own, readonly: false, createSource: false, recursive: true } as const;
    const { config } = create({
      mounts: [
        { ...bind, target: "/etc/hosts" },
        { ...bind, target: "/var/new" },
        { kind: "tmpfs", target: "/dev/shm", options: [] },
      ],
    });
    const at = (destination: string): (string | undefined)[] =>
      config.mounts.filter((mount) => mount.destination === destination).map(({ source }) => source);
    expect([at("/etc/hosts"), at("/var/new"), at("/dev/shm")]).toEqual([[own], [own], ["tmpfs"]]);
  });

  test("generated files", () => {
    const network = { hooks: {}, nameservers: ["10.0.2.3"], address: "10.0.2.100" };
    create({ addHosts: ["db:1.2.3.4"], hostname: "box" }, { network });
    expect(readFileSync(boxFile("hosts"), "utf8")).toEndWith("1.2.3.4\tdb\n10.0.2.100\tbox\n");
    expect(readFileSync(boxFile("hostname"), "utf8")).toBe("box\n");
    expect(readFileSync(boxFile("resolv.conf"), "utf8")).toEndWith("nameserver 10.0.2.3\n");
  });

  test("--dns wins over the driver's nameservers", () => {
    create({ dns: ["9.9.9.9"] }, { network: { hooks: {}, nameservers: ["10.0.2.3"], address: undefined } });
    const text = readFileSync(boxFile("resolv.conf"), "utf8");
    expect(text).toContain("nameserver 9.9.9.9");
    expect(text).not.toContain("10.0.2.3");
  });
});

describe("errors", () => {
  const bind = {
    kind: "bind",
    source: join(base, "no/such"),
    target: "/t",
    readonly: false,
    createSource: false,
    recursive: true,
  } as const;
  test.each<[string, Partial<RunOptions>, string, string]>([
    ["a user beyond the map", { user: "70000" }, "BAD_CONFIG", "do not reach that far"],
    ["a group beyond the map", { user: "ada:huge" }, "BAD_CONFIG", "do not reach that far"],
    ["an unknown user", { user: "grace" }, "USER_NOT_FOUND", "grace"],
    ["no command", { entrypoint: [""] }, "NO_COMMAND", "none was given"],
    ["a missing source", { mounts: [bind] }, "BAD_CONFIG", "/no/such does not exist"],
    [
      "a source that cannot be made",
      { mounts: [{ ...bind, source: "/proc/no/such", createSource: true }] },
      "BAD_CONFIG",
      "",
    ],
    ["a NUL", { env: ["A=\0"] }, "BAD_CONFIG", "NUL"],
    ["a long host name", { hostname: "h".repeat(65) }, "BAD_CONFIG", "1 to 64"],
  ])("%s", (_, options, code, reason) => {
    const error = failureOf(() => create(options));
    expect(error.code).toBe(code as typeof error.code);
    expect(error.because).toContain(reason);
  });

  test("a missing source", () => {
    expect(failureOf(() => create({ mounts: [bind] })).hint).toBe(`make it: mkdir -p ${bind.source}`);
  });

  test("a missing device", () => {
    const device = { source: "/dev/no-such", target: "/dev/no-such", permissions: "rwm" };
    expect(failureOf(() => create({ devices: [device] }))).toMatchObject({
      because: "/dev/no-such does not exist",
      hint: "see what devices this machine has: ls /dev",
    });
  });

  test("a root that is no directory", () => {
    const from = (path: string) => failureOf(() => createBundle(bundleInput(root, { kind: "directory", path })));
    expect(from(join(root, "none"))).toMatchObject({ code: "BAD_CONFIG", because: "there is no such directory" });
    expect(from(join(root, "layers/a/fs/etc/passwd"))).toMatchObject({ because: "it is not a directory" });
    expect(from(join(root, "layers/a/fs/etc/passwd/x"))).toMatchObject({ code: "BAD_CONFIG" });
  });

  test("a box's directory that cannot be written", () => {
    rmSync(boxFile(""), { recursive: true });
    expect(failureOf(() => create()).code).toBe("STORE_UNUSABLE");
  });
});
