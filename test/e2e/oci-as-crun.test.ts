/** devbox oci where crun goes beyond the spec, and its users count on it: defaults, annotations, options. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, readFileSync, rmdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Config, type OciRuntime, openOciRuntime } from "../helpers/oci-runtime.ts";

let oci: OciRuntime;
beforeAll(async () => {
  oci = await openOciRuntime();
});
afterAll(async () => {
  await oci[Symbol.asyncDispose]();
});

const isRoot = process.getuid?.() === 0;

const run = async (args: readonly string[], change: (config: Config, directory: string) => void) => {
  const bundle = await oci.bundle(args, change);
  return await oci.run(["run", "--bundle", bundle, oci.id()]);
};

function without(config: Config, namespace: string): void {
  config.linux.namespaces = config.linux.namespaces.filter(({ type }: Config) => type !== namespace);
}

function unmapped(config: Config): void {
  config.linux.uidMappings = undefined;
  config.linux.gidMappings = undefined;
}

describe("a user namespace", () => {
  test("without mappings has those of its user", async () => {
    const { exitCode, stdout } = await run(["sh", "-c", "id -u; cat /proc/self/uid_map"], (config) => {
      without(config, "user");
      config.linux.namespaces.push({ type: "user" });
      unmapped(config);
    });
    const [id, first = ""] = stdout.split("\n");
    expect([exitCode, id, first.trim().split(/ +/).slice(0, 2)]).toEqual([0, "0", ["0", `${process.getuid?.()}`]]);
  });

  test.skipIf(isRoot)("is there for who cannot do without one, for exec as well", async () => {
    const id = oci.id();
    const bundle = await oci.bundle(["sleep", "1000"], (config) => {
      without(config, "user");
      unmapped(config);
    });
    await oci.ok(["run", "--detach", "--bundle", bundle, id]);
    expect(await oci.ok(["exec", id, "id", "-u"])).toBe("0\n");
  });

  test("in a network that is not its own sees the host's /sys, and changes nothing in it", async () => {
    const { stdout, stderr } = await run(["sh", "-c", "ls /sys/class/net; echo 1 > /sys/power/state"], (config) => {
      without(config, "user");
      without(config, "network");
      config.linux.namespaces.push({ type: "user" });
      unmapped(config);
      const sysfs = {
        destination: "/sys",
        type: "sysfs",
        source: "sysfs",
        options: ["nosuid", "noexec", "nodev", "ro"],
      };
      config.mounts = [...config.mounts.filter(({ destination }: Config) => !destination.startsWith("/sys")), sysfs];
      config.linux.maskedPaths = undefined;
      config.linux.readonlyPaths = undefined;
    });
    expect(stdout).toContain("lo");
    expect(stderr).toMatch(/Read-only file system|nonexistent directory/);
  });
});

test("kernel.domainname is the domain's name", async () => {
  const { stdout, stderr } = await run(["cat", "/proc/sys/kernel/domainname"], (config) => {
    config.linux.sysctl = { "kernel.domainname": "example.org" };
  });
  expect([stdout, stderr]).toEqual(["example.org\n", ""]);
});

describe("hooks", () => {
  test("of the inside and the outside print to the files of annotations", async () => {
    let file = "";
    const { exitCode } = await run(["true"], (config, directory) => {
      file = join(directory, "printed");
      config.annotations = { "run.oci.hooks.stdout": file };
      const say = (word: string, shell: string) => [{ path: shell, args: ["sh", "-c", `echo ${word}`] }];
      const points = ["prestart", "createContainer", "startContainer", "poststop"];
      config.hooks = Object.fromEntries(points.map((point) => [point, say(point, "/bin/sh")]));
    });
    expect(exitCode).toBe(0);
    expect(readFileSync(file, "utf8")).toBe("prestart\ncreateContainer\nstartContainer\npoststop\n");
  });

  test("are told the bundle by the name that it was given by", async () => {
    let file = "";
    const bundle = await oci.bundle(["true"], (config, directory) => {
      file = join(directory, "state");
      config.hooks = { prestart: [{ path: "/bin/sh", args: ["sh", "-c", `cat > ${file}`] }] };
    });
    symlinkSync(bundle, `${bundle}-link`);
    await oci.ok(["run", "--bundle", `${bundle}-link`, oci.id()]);
    expect(JSON.parse(readFileSync(file, "utf8")).bundle).toBe(`${bundle}-link`);
  });

  test("of the end that fail are a warning", async () => {
    const { exitCode, stderr } = await run(["true"], (config) => {
      config.hooks = { poststop: [{ path: "/bin/false" }, { path: "/bin/false" }] };
    });
    expect([exitCode, stderr.match(/poststop hook failed with exit code 1/g)?.length]).toEqual([0, 2]);
  });
});

const freezer = "/sys/fs/cgroup/freezer";

test.skipIf(!isRoot || !existsSync(freezer))("who was moved into a frozen group is deleted as well", async () => {
  const id = oci.id();
  await oci.ok(["run", "--detach", "--bundle", await oci.bundle(["sleep", "1000"]), id]);
  const frozen = join(freezer, `${id}-frozen`);
  mkdirSync(frozen);
  try {
    writeFileSync(join(frozen, "cgroup.procs"), `${(await oci.state(id)).pid}`);
    writeFileSync(join(frozen, "freezer.state"), "FROZEN");
    expect(await oci.run(["delete", "--force", id])).toMatchObject({ exitCode: 0, stderr: "" });
  } finally {
    writeFileSync(join(frozen, "freezer.state"), "THAWED");
    rmdirSync(frozen);
  }
});

test("delete --regex ends all that it fits, and nobody else", async () => {
  const bundle = await oci.bundle(["sleep", "1000"]);
  const [one, other] = [oci.id(), oci.id()];
  for (const id of [one, other, `x${one}`]) await oci.ok(["run", "--detach", "--bundle", bundle, id]);
  await oci.ok(["delete", "--force", "--regex", `^${one}`]);
  expect((await oci.ok(["list", "--quiet"])).split("\n")).toEqual(expect.arrayContaining([other, `x${one}`]));
  expect((await oci.run(["state", one])).exitCode).toBe(1);
  expect((await oci.run(["delete", "--regex", "("])).stderr).toContain("option --regex");
  await oci.ok(["delete", "--force", `x${one}`]);
});

test("--log=file:PATH is PATH, and what is no kind of a log is refused", async () => {
  const file = join(oci.home.directory, "log");
  await oci.home.run(["oci", `--log=file:${file}`, "state", "nobody"]);
  expect(readFileSync(file, "utf8")).toContain("nobody");
  expect((await oci.home.run(["oci", "--log=other:/x", "list"])).stderr).toContain("option --log");
  expect(existsSync(`file:${file}`)).toBe(false);
});

test("sockets by LISTEN_FDS alone are the command's, who is told that they are", async () => {
  const bundle = await oci.bundle(["sh", "-c", "echo $LISTEN_FDS $LISTEN_PID"]);
  const env = { LISTEN_FDS: "1" };
  expect(await oci.ok(["run", "--bundle", bundle, oci.id()], { env })).toBe("1 1\n");
});

test.each([
  [{ deadline: 20_000_000 }, "requires `runtime`"],
  [{ runtime: 10_000_000 }, "requires `deadline`"],
  [{ runtime: 0, deadline: 20_000_000 }, "runtime must be greater than 0"],
  [{ runtime: 1023, deadline: 20_000_000 }, "runtime 1023 must be between 1024 and 9223372036854775807"],
  [{ runtime: 30_000_000, deadline: 20_000_000 }, "runtime 30000000 must be <= deadline 20000000"],
  [{ runtime: 1024, deadline: 30, period: 20 }, "runtime 1024 must be <= deadline 30"],
  [{ runtime: 1024, deadline: 3000, period: 2000 }, "deadline 3000 must be <= period 2000"],
])("SCHED_DEADLINE with %j is refused with its reason", async (times, because) => {
  const { exitCode, stderr } = await run(["true"], (config) => {
    config.process.scheduler = { policy: "SCHED_DEADLINE", ...times };
  });
  expect([exitCode, stderr]).toEqual([1, expect.stringContaining(`\`SCHED_DEADLINE\` ${because}`)]);
});

const numaMaps = "/proc/self/numa_maps";

describe.skipIf(!existsSync(numaMaps))("linux.memoryPolicy", () => {
  const policy = (memoryPolicy: Config) =>
    run(["cat", numaMaps], (config) => {
      config.linux.memoryPolicy = memoryPolicy;
    });

  test.each([
    [{ mode: "MPOL_DEFAULT" }, " default "],
    [{ mode: "MPOL_LOCAL" }, " local "],
    [{ mode: "MPOL_BIND", nodes: "0" }, " bind:0 "],
    [{ mode: "MPOL_INTERLEAVE", nodes: "0" }, " interleave:0 "],
    [{ mode: "MPOL_PREFERRED", nodes: "0", flags: ["MPOL_F_STATIC_NODES"] }, " prefer=static:0 "],
  ])("%j", async (memoryPolicy, expected) => expect((await policy(memoryPolicy)).stdout).toContain(expected));

  test.each([
    { mode: "MPOL_INTERLEAVE" },
    { mode: "MPOL_PREFERRED", nodes: "8000" },
    { mode: "MPOL_PREFERRED", flags: ["MPOL_F_RELATIVE_NODES", "MPOL_F_STATIC_NODES"] },
  ])("%j is refused by the kernel", async (memoryPolicy) =>
    expect(await policy(memoryPolicy)).toMatchObject({ exitCode: 1, stderr: expect.stringContaining("memory policy") }),
  );
});
