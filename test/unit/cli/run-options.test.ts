import { afterAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArguments } from "../../../src/cli/arguments.ts";
import type { Values } from "../../../src/cli/command.ts";
import run from "../../../src/cli/commands/run.ts";
import type { runFlags } from "../../../src/cli/run-flags.ts";
import { type RunPlan, toRunRequest } from "../../../src/cli/run-options.ts";

const directory = mkdtempSync(join(tmpdir(), "devbox-run-options-"));
afterAll(() => rmSync(directory, { recursive: true }));

function read(words: readonly string[]): Values<typeof runFlags> {
  const line = parseArguments(run, words);
  if (line.help) throw new Error("help was not asked for");
  return line.values;
}

function plan(words: readonly string[], onTerminal = false): RunPlan {
  return toRunRequest(read(words), {
    env: { LANG: "C", FROM_HERE: "yes" },
    cwd: "/cwd",
    onTerminal,
    ownAddress: () => undefined,
  });
}

const options = (...words: string[]) => plan([...words, "img"]).request.options;

test("nothing but an image", () => {
  expect(plan(["alpine"])).toEqual({
    notices: [],
    request: {
      reference: "alpine",
      pull: "missing",
      platform: undefined,
      tlsVerify: true,
      quiet: false,
      explain: false,
      detach: false,
      cidFile: undefined,
      options: {
        command: [],
        entrypoint: undefined,
        name: undefined,
        hostname: undefined,
        user: undefined,
        workdir: undefined,
        env: [],
        labels: {},
        interactive: true,
        tty: false,
        mounts: [],
        devices: [],
        network: "slirp4netns",
        ports: [],
        dns: [],
        addHosts: [],
        dnsSearch: [],
        dnsOptions: [],
        domainname: undefined,
        groupAdd: [],
        oomScoreAdj: undefined,
        readonlyRoot: false,
        capAdd: [],
        capDrop: [],
        privileged: false,
        security: { noNewPrivileges: false, seccomp: "default", unmask: [], mask: [] },
        ulimits: [],
        shmSizeBytes: 67_108_864,
        init: false,
        sysctl: {},
        stopSignal: undefined,
        stopTimeoutSeconds: 10,
        keep: false,
        restart: { name: "no", maximumRetries: 0 },
        health: {},
        resources: {},
        log: { driver: "local", maxBytes: 20_971_520, maxFiles: 5 },
        detachKeys: undefined,
      },
    },
  });
});

test("everything at once, spelled as docker spells it", () => {
  const line =
    "-it -e A=1 -e FROM_HERE -e NOT_HERE -v /data:/data:ro --tmpfs /scratch -w /src -u 1000:1000 -h box --name web --rm " +
    "--network bridge -p 127.0.0.1:8080:80 --dns 9.9.9.9 --add-host db:192.0.2.7 --read-only --cap-add NET_ADMIN,SYS_PTRACE " +
    "--cap-drop ALL --security-opt no-new-privileges --privileged --ulimit nofile=10:20 --shm-size 1g --init --pull newer " +
    "--platform linux/arm64 -l a=b -l c --device /dev/fuse --sysctl net.core.somaxconn=1 --stop-signal INT --stop-timeout 3 " +
    "-q --explain --tls-verify=false --entrypoint sh img -c true";
  const { request, notices } = plan(line.split(" "));
  expect(notices).toEqual([]);
  expect(request).toMatchObject({
    reference: "img",
    pull: "newer",
    platform: "linux/arm64",
    tlsVerify: false,
    quiet: true,
    explain: true,
  });
  expect(request.options).toMatchObject({
    command: ["-c", "true"],
    entrypoint: ["sh"],
    name: "web",
    hostname: "box",
    user: "1000:1000",
    workdir: "/src",
    labels: { a: "b", c: "" },
    interactive: true,
    tty: true,
    devices: [{ source: "/dev/fuse", target: "/dev/fuse", permissions: "rwm" }],
    network: "slirp4netns",
    ports: [{ hostIp: "127.0.0.1", hostPort: 8080, containerPort: 80, protocol: "tcp" }],
    dns: ["9.9.9.9"],
    addHosts: ["db:192.0.2.7"],
    readonlyRoot: true,
    capAdd: ["NET_ADMIN", "SYS_PTRACE"],
    capDrop: ["ALL"],
    privileged: true,
    ulimits: [{ name: "nofile", soft: 10, hard: 20 }],
    shmSizeBytes: 1_073_741_824,
    init: true,
    sysctl: { "net.core.somaxconn": "1" },
    stopSignal: "INT",
    stopTimeoutSeconds: 3,
    keep: false,
  });
  expect(request.options.security.noNewPrivileges).toBe(true);
  expect(request.options.env.slice(0, 2)).toEqual(["A=1", "FROM_HERE=yes"]);
  expect(request.options.mounts).toMatchObject([
    { kind: "bind", source: "/data", target: "/data", readonly: true },
    { kind: "tmpfs", target: "/scratch" },
  ]);
});

describe("the terminal", () => {
  test("is there when stdin and stdout are one, unless told otherwise", () => {
    const tty = (words: readonly string[], onTerminal: boolean) =>
      plan([...words, "x"], onTerminal).request.options.tty;
    expect(tty([], true)).toBe(true);
    expect(tty(["-i"], true)).toBe(true);
    expect(tty(["-t=false"], true)).toBe(false);
    expect(tty([], false)).toBe(false);
    expect(tty(["-t"], false)).toBe(true);
  });

  test("stdin is passed on unless told otherwise", () => {
    expect(options("-i=false").interactive).toBe(false);
    expect(options("--no-interactive").interactive).toBe(false);
  });
});

test("env files come first, whatever the order of the flags; bare names are looked up", () => {
  const file = join(directory, "env");
  writeFileSync(file, "# comment\nA=from file\nLANG\nMISSING\n");
  expect(options("-e", "A=flag", "--env-file", file).env).toEqual(["A=from file", "LANG=C", "A=flag"]);
  expect(() => options("--env-file", join(directory, "none"))).toThrow(expect.objectContaining({ code: "USAGE" }));
});

test("relative sources are the caller's", () => {
  expect(options("-v", "./src:/src").mounts).toMatchObject([{ source: "/cwd/src" }]);
  expect(options("--mount", "type=bind,source=src,target=/src").mounts).toMatchObject([{ source: "/cwd/src" }]);
});

test("what keeps a box", () => {
  expect(options("--name", "a").keep).toBe(true);
  expect(options("--name", "a", "--rm").keep).toBe(false);
  expect(options("--keep").keep).toBe(true);
  expect(options("--rm=false").keep).toBe(true);
  expect(options("--rm").keep).toBe(false);
  expect(() => options("--rm", "--keep")).toThrow(/--rm and --keep contradict each other/);
});

test("ports without a network of the box's own are said to be in vain", () => {
  const { request, notices } = plan(["--network", "host", "-p", "80:80", "x"]);
  expect(request.options.ports).toEqual([]);
  expect(notices).toEqual(["--publish has no effect with --network host: the box's ports are the host's"]);
  expect(plan(["--net=none", "-p", "80:80", "x"]).notices).toHaveLength(1);
});

test("an empty value is none", () => {
  const words = ["--name=", "--hostname=", "--workdir=", "--platform=", "--stop-signal=", "--user="];
  const { request } = plan([...words, "x"]);
  expect(request.platform).toBeUndefined();
  expect(request.options.keep).toBe(false);
  for (const key of ["name", "hostname", "workdir", "stopSignal", "user"] as const) {
    expect(request.options[key]).toBeUndefined();
  }
});

test("two mounts on one place are refused, whatever their flags", () => {
  for (const words of [
    ["-v", "/a:/x", "-v", "/b:/x/"],
    ["-v", "/a:/x", "--tmpfs", "/x"],
    ["-v", "/x", "--mount", "type=tmpfs,dst=/x"],
  ]) {
    expect(() => options(...words)).toThrow(expect.objectContaining({ code: "USAGE", step: "mount on /x" }));
  }
  expect(options("-v", "/a:/x", "--tmpfs", "/x/y").mounts).toHaveLength(2);
});

test("values that cannot be meant are refused", () => {
  for (const words of [
    ["-w", "relative"],
    ["-h", "not a name"],
    ["-h", "x".repeat(65)],
    ["-p", "http"],
    ["--ulimit", "nofile"],
    ["-e", "=1"],
    ["-e", ""],
  ]) {
    expect(() => options(...words)).toThrow(expect.objectContaining({ code: "USAGE" }));
  }
});
