/** What the command is and has: ids, groups, capabilities, filter, limits, umask, directory, settings, session. */
import { afterAll, describe, expect, test } from "bun:test";
import { chmodSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { IdMap, RuntimeConfig, RuntimeProcess } from "../../../../src/oci/runtime.ts";
import { type BoxSettings, boxInput, failure, host, openWorkshop, output } from "../../../helpers/busybox-box.ts";

const workshop = openWorkshop();
afterAll(() => workshop[Symbol.asyncDispose]());
const prints = (script: string, settings?: BoxSettings) => output(workshop, script, settings);
const processIs = (process: Partial<RuntimeProcess>) => ({
  config: (config: RuntimeConfig): RuntimeConfig => ({ ...config, process: { ...config.process, ...process } }),
});
/** Fields of /proc/self/status by name. */
async function status(names: readonly string[], settings?: BoxSettings): Promise<string[]> {
  const text = await prints(`exec grep -E '^(${names.join("|")}):' /proc/self/status`, settings);
  return text.split("\n").map((line) => line.replace(/\s+/g, " ").trim());
}
const docker = "00000000a80425fb";
const none = "0000000000000000";
const CAP_NET_BIND_SERVICE = "0000000000000400";

describe("user and groups", () => {
  test("root with docker's capabilities", async () => {
    expect(await status(["Uid", "Groups", "CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"])).toEqual([
      "Uid: 0 0 0 0",
      "Groups: 0",
      ...[`CapInh: ${none}`, `CapPrm: ${docker}`, `CapEff: ${docker}`, `CapBnd: ${docker}`, `CapAmb: ${none}`],
    ]);
  });

  test("a user of the image with its groups has none, and could get docker's", async () => {
    expect(await status(["Uid", "Gid", "Groups", "CapPrm", "CapEff", "CapBnd"], { options: { user: "dev" } })).toEqual([
      ...["Uid: 1000 1000 1000 1000", "Gid: 1000 1000 1000 1000", "Groups: 29 44 1000"],
      ...[`CapPrm: ${none}`, `CapEff: ${none}`, `CapBnd: ${docker}`],
    ]);
  });

  test("ambient capabilities reach a command of a user", async () => {
    const net = ["CAP_NET_BIND_SERVICE"];
    const capabilities = { bounding: net, effective: net, permitted: net, inheritable: net, ambient: net };
    const config = processIs({ user: { uid: 7, gid: 8 }, capabilities });
    expect(await status(["Groups", "CapPrm", "CapEff", "CapBnd", "CapAmb"], config)).toEqual([
      "Groups:",
      ...["CapPrm", "CapEff", "CapBnd", "CapAmb"].map((set) => `${set}: ${CAP_NET_BIND_SERVICE}`),
    ]);
  });

  test("without capabilities in config.json: none, for root as well", async () => {
    const config = (config: RuntimeConfig): RuntimeConfig => {
      const { capabilities: _, ...process } = config.process;
      return { ...config, process };
    };
    expect(await status(["CapEff", "CapBnd"], { config })).toEqual([`CapEff: ${none}`, `CapBnd: ${none}`]);
  });

  test("one id of our own: the box works, where groups cannot be set", async () => {
    const one = (hostID: number) => [{ containerID: 0, hostID, size: 1 }];
    const idMap: IdMap = { uid: one(host.uid), gid: one(host.gid) };
    expect(await prints("id -u; id -g; echo x > /tmp/file && stat -c %u:%g /tmp/file", { idMap })).toBe("0\n0\n0:0");
  });

  test("what a user of the box makes on the host belongs to the id that it is mapped to", async () => {
    const made = await prints("touch /out/file; stat -c %u /out/file", { options: { user: "dev" } });
    expect(made).toBe("1000");
  });
});

describe("rights", () => {
  test("the filter is on, with and without no_new_privs, for root and for users", async () => {
    for (const user of ["root", "dev"]) {
      for (const noNewPrivileges of [false, true]) {
        const options = { user, security: { noNewPrivileges, seccomp: "default", unmask: [], mask: [] } } as const;
        const [privileges, mode] = await status(["NoNewPrivs", "Seccomp"], { options });
        expect([privileges, mode]).toEqual([`NoNewPrivs: ${noNewPrivileges ? 1 : 0}`, "Seccomp: 2"]);
      }
    }
    expect(await status(["Seccomp"], { confined: false })).toEqual(["Seccomp: 0"]);
  });

  test("a filter that knows hardly more than execve comes last and holds nobody up", async () => {
    const refused = ["capset", "setgroups", "setresuid", "close_range", "openat2", "fchdir"];
    const settings = {
      config: (config: RuntimeConfig): RuntimeConfig => ({
        ...config,
        process: { ...config.process, noNewPrivileges: true },
        linux: {
          ...config.linux,
          seccomp: { defaultAction: "SCMP_ACT_ALLOW", syscalls: [{ names: refused, action: "SCMP_ACT_KILL_PROCESS" }] },
        },
      }),
    };
    expect(await prints("echo alive", settings)).toBe("alive");
  });

  test("masked paths are empty, read-only ones refuse, and so do the defaults", async () => {
    mkdirSync(join(workshop.root, "secret"));
    writeFileSync(join(workshop.root, "secret/file"), "secret");
    writeFileSync(join(workshop.root, "token"), "secret");
    symlinkSync("token", join(workshop.root, "link"));
    mkdirSync(join(workshop.root, "fixed"), { recursive: true });
    const config = (config: RuntimeConfig): RuntimeConfig => ({
      ...config,
      linux: {
        ...config.linux,
        maskedPaths: [...(config.linux.maskedPaths ?? []), "/secret", "/link", "/no/such/path"],
        readonlyPaths: [...(config.linux.readonlyPaths ?? []), "/fixed", "/no/such/path"],
      },
    });
    const tries = ["/secret/file", "/fixed/file", "/proc/sys/kernel/domainname", "/proc/irq/x"];
    const script = [
      "ls -A /secret | wc -l; cat /link /token | wc -c; cat /proc/keys /proc/timer_list | wc -c; ls -A /sys/firmware | wc -l",
      ...tries.map((path) => `(echo x > ${path}) 2>/dev/null || echo refused ${path}`),
    ].join("\n");
    expect(await prints(script, { config })).toBe(
      ["0", "0", "0", "0", ...tries.map((path) => `refused ${path}`)].join("\n"),
    );
    expect(readFileSync(join(workshop.root, "token"), "utf8")).toBe("secret");
  });
});

describe("limits and settings", () => {
  test("open files: 1024 unless asked otherwise; the hard limit stays", async () => {
    const hard = readFileSync("/proc/self/limits", "utf8").match(/Max open files\s+\S+\s+(\d+)/)?.[1];
    expect(await prints("ulimit -Sn; ulimit -Hn")).toBe(`1024\n${hard}`);
    const ulimits = [
      { name: "nofile", soft: 100, hard: 200 },
      { name: "core", soft: 0, hard: 0 },
    ] as const;
    expect(await prints("ulimit -Sn; ulimit -Hn; ulimit -c", { options: { ulimits } })).toBe("100\n200\n0");
  });

  test("few open files are no obstacle to building the box", async () => {
    const ulimits = [{ name: "nofile", soft: 12, hard: 12 }] as const;
    expect(await prints("ulimit -n", { options: { ulimits } })).toBe("12");
  });

  test.skipIf(host.uid === 0)("a limit above one's own is refused with what to look at", async () => {
    const ulimits = [{ name: "nofile", soft: 10_000_000, hard: 10_000_000 }] as const;
    const error = await failure(boxInput(workshop, ["/bin/true"], { options: { ulimits } }));
    expect(error).toMatchObject({ code: "LAUNCH_FAILED", step: "set the limit RLIMIT_NOFILE" });
    expect(error).toHaveProperty("hint", expect.stringContaining("ulimit -H"));
  });

  test("the umask is 022 whatever ours is, and mount points can be entered", async () => {
    const before = process.umask(0o077);
    try {
      expect(await prints("umask; stat -c %a /sys/.. /dev /dev/shm; ls -d /out", { options: { user: "dev" } })).toBe(
        "0022\n755\n755\n1777\n/out",
      );
      expect(await prints("umask", processIs({ user: { uid: 0, gid: 0, umask: 0o027 } }))).toBe("0027");
    } finally {
      process.umask(before);
    }
  });

  test("sysctls of the box's own namespaces, as another name than those of the host", async () => {
    const sysctl = { "net.ipv4.ip_default_ttl": "33" };
    expect(await prints("cat /proc/sys/net/ipv4/ip_default_ttl", { options: { sysctl } })).toBe("33");
    expect(readFileSync("/proc/sys/net/ipv4/ip_default_ttl", "utf8")).not.toBe("33\n");
  });

  test.each([
    ["net.no.such", { code: "LAUNCH_FAILED", hint: expect.stringContaining("namespaces") }],
    ["../../etc/passwd", { code: "BAD_CONFIG", because: "this is no name of a kernel parameter" }],
  ])("the sysctl %s is refused", async (name, error) => {
    const config = (config: RuntimeConfig): RuntimeConfig => ({
      ...config,
      linux: { ...config.linux, sysctl: { [name]: "1" } },
    });
    const step = `open the sysctl ${name}`;
    expect(await failure(boxInput(workshop, ["/bin/true"], { config }))).toMatchObject({ ...error, step });
  });

  test("an OOM score can be raised", async () => {
    expect(await prints("cat /proc/self/oom_score_adj", processIs({ oomScoreAdj: 500 }))).toBe("500");
  });

  test.skipIf(host.uid === 0)("one that may not be lowered stays, and the box runs", async () => {
    expect(await prints("cat /proc/self/oom_score_adj", processIs({ oomScoreAdj: -999 }))).toBe(
      readFileSync("/proc/self/oom_score_adj", "utf8").trim(),
    );
  });
});

describe("working directory", () => {
  test("is made with its parents, root's, as docker does", async () => {
    const script = "pwd; stat -c '%u %a' /srv/a /srv/a/b";
    expect(await prints(script, { options: { workdir: "/srv/a/b", user: "dev" } })).toBe("/srv/a/b\n0 755\n0 755");
  });

  test("may be a mount, or in one", async () => {
    expect(await prints("pwd", { options: { workdir: "/out/new" } })).toBe("/out/new");
    expect(await prints("pwd", { options: { workdir: "/dev/shm" } })).toBe("/dev/shm");
  });

  test("may be closed to the user, as under docker", async () => {
    mkdirSync(join(workshop.root, "closed"));
    chmodSync(join(workshop.root, "closed"), 0o700);
    expect(await prints("pwd", { options: { workdir: "/closed", user: "dev" } })).toBe("/closed");
  });

  test("is no file", async () => {
    const error = await failure(boxInput(workshop, ["/bin/true"], { options: { workdir: "/etc/passwd" } }));
    expect(error).toMatchObject({
      step: "enter the working directory /etc/passwd",
      because: "what the image has there is no directory (ENOTDIR)",
    });
  });
});

describe("session and signals", () => {
  test("a session of its own, nothing blocked or ignored, no controlling terminal", async () => {
    expect(await prints("cut -d' ' -f1,6,7 /proc/1/stat 2>/dev/null || cat /proc/1/stat")).toMatch(/\b1\b/);
    expect(await status(["SigBlk", "SigIgn"])).toEqual([`SigBlk: ${none}`, `SigIgn: ${none}`]);
    expect(await prints("(: < /dev/tty) 2>/dev/null || echo none")).toBe("none");
  });

  test("the same under --init", async () => {
    expect(await status(["SigBlk", "SigIgn"], { options: { init: true } })).toEqual([
      `SigBlk: ${none}`,
      `SigIgn: ${none}`,
    ]);
    expect(await prints("echo $$; cat /proc/1/comm", { options: { init: true } })).toBe("2\ndevbox-init");
  });
});

test("namespaces are the box's own, its processes and its host name", async () => {
  expect(
    await prints("hostname 2>/dev/null || cat /proc/sys/kernel/hostname", { options: { hostname: "inside" } }),
  ).toBe("inside");
  const pids = await prints("ls /proc | grep -c '^[0-9]*$'");
  expect(Number(pids)).toBeLessThan(6);
  expect(readdirSync("/proc").filter((name) => /^\d+$/.test(name)).length).toBeGreaterThan(5);
});
