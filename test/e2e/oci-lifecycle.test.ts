/** devbox oci: the lifecycle of runtime-spec runtime.md, by its own command line. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { devboxBinary } from "../helpers/given.ts";
import { type OciRuntime, openOciRuntime } from "../helpers/oci-runtime.ts";
import { processes } from "../helpers/processes.ts";

let oci: OciRuntime;
beforeAll(async () => {
  oci = await openOciRuntime();
});
afterAll(async () => {
  await oci[Symbol.asyncDispose]();
});

const sleeper = ["sleep", "1000"];

/** A created container of a fresh bundle. */
async function created(
  args: readonly string[] = sleeper,
  change?: Parameters<OciRuntime["bundle"]>[1],
): Promise<string> {
  const [id, bundle] = [oci.id(), await oci.bundle(args, change)];
  await oci.ok(["create", "--bundle", bundle, id]);
  return id;
}

describe("create, start, kill, delete", () => {
  test("walk through the states; each says what the specification has it say", async () => {
    const [id, bundle] = [oci.id(), await oci.bundle(sleeper, (config) => (config.annotations = { "a.b": "c" }))];
    const pidFile = join(oci.home.directory, "pid");
    await oci.ok(["create", "--bundle", bundle, "--pid-file", pidFile, id]);
    const state = await oci.state(id);
    const pid = Number(readFileSync(pidFile, "utf8"));
    expect(state).toMatchObject({ id, pid, status: "created", bundle, annotations: { "a.b": "c" } });
    expect(state.ociVersion).toMatch(/^1\./);
    expect(state.rootfs).toBe(join(bundle, "rootfs"));
    expect(Date.parse(state.created)).toBeGreaterThan(Date.now() - 60_000);
    // The command does not run yet.
    expect(readFileSync(`/proc/${pid}/cmdline`, "utf8")).not.toContain("sleep");

    await oci.ok(["start", id]);
    expect((await oci.state(id)).status).toBe("running");
    expect(readFileSync(`/proc/${pid}/cmdline`, "utf8")).toBe("sleep\x001000\0");

    await oci.ok(["kill", id, "KILL"]);
    await oci.reaches(id, "stopped");
    expect(await oci.state(id)).toMatchObject({ status: "stopped", pid: 0 });

    await oci.ok(["delete", id]);
    const gone = await oci.run(["state", id]);
    expect(gone.exitCode).toBe(1);
    expect(gone.stderr).toMatch(/does not exist/);
    expect(existsSync(join(oci.root, id))).toBe(false);
  });

  test("its own standard streams are the command's", async () => {
    const [id, bundle] = [
      oci.id(),
      await oci.bundle(["sh", "-c", "read line; echo got $line; echo bad >&2; sleep 1000"]),
    ];
    await using create = oci.start(["create", "--bundle", bundle, id], { stdin: "hello\n" });
    await oci.reaches(id, "created");
    await oci.ok(["start", id]);
    await create.output(/got hello/);
    await oci.ok(["delete", "--force", id]);
    expect(await create.result).toMatchObject({ exitCode: 0, stdout: "got hello\n", stderr: "bad\n" });
  });

  test("a command that has ended is a stopped container, and its id is free when it is deleted", async () => {
    const id = await created(["true"]);
    await oci.ok(["start", id]);
    await oci.reaches(id, "stopped");
    await oci.ok(["delete", id]);
    await oci.ok(["create", "--bundle", await oci.bundle(sleeper), id]);
    expect((await oci.state(id)).status).toBe("created");
  });

  test("config.json is read once: what becomes of it later has no effect", async () => {
    const bundle = await oci.bundle(sleeper);
    const id = oci.id();
    await oci.ok(["create", "--bundle", bundle, id]);
    await Bun.write(join(bundle, "config.json"), "no JSON");
    await oci.ok(["start", id]);
    expect((await oci.state(id)).status).toBe("running");
  });
});

/** As runc: 255 is no status of a command that was executed. */
const failedStatus = (command: string): number => (command === "exec" ? 255 : 1);

describe("forbidden transitions are errors that name the state, and change nothing", () => {
  test("of a created container", async () => {
    const id = await created();
    for (const [command, words] of [
      ["delete", /not stopped: it is created/],
      ["resume", /not paused: it is created/],
    ] as const) {
      const { exitCode, stderr } = await oci.run([command, id]);
      expect({ command, exitCode }).toEqual({ command, exitCode: 1 });
      expect(stderr).toMatch(words);
    }
    expect((await oci.state(id)).status).toBe("created");
  });

  test("of a running one", async () => {
    const id = await created();
    await oci.ok(["start", id]);
    expect((await oci.run(["start", id])).stderr).toMatch(/cannot start an already running container/);
    expect((await oci.run(["delete", id])).stderr).toMatch(/not stopped: it is running/);
    expect((await oci.state(id)).status).toBe("running");
  });

  test("of a stopped one", async () => {
    const id = await created(["true"]);
    await oci.ok(["start", id]);
    await oci.reaches(id, "stopped");
    for (const [words, said] of [
      [["start", id], /cannot start a container that has stopped/],
      [["kill", id, "TERM"], /container not running/],
      [["exec", id, "true"], /cannot exec in a stopped container/],
      [["pause", id], /container not running/],
    ] as const) {
      const { exitCode, stderr } = await oci.run(words);
      expect({ words, exitCode }).toEqual({ words, exitCode: failedStatus(words[0]) });
      expect(stderr).toMatch(said);
    }
  });

  test("of none at all; only a forced delete has nothing to complain of", async () => {
    for (const words of [
      ["start"],
      ["state"],
      ["kill"],
      ["delete"],
      ["pause"],
      ["resume"],
      ["ps"],
      ["exec"],
    ] as const) {
      const { exitCode, stderr } = await oci.run([...words, "nobody", ...(words[0] === "exec" ? ["true"] : [])]);
      expect({ words, exitCode }).toEqual({ words, exitCode: failedStatus(words[0]) });
      expect(stderr).toMatch(/container nobody: container does not exist/);
    }
    await oci.ok(["delete", "--force", "nobody"]);
  });

  test("an id is taken once, also by those who come at the same moment", async () => {
    const [id, bundle] = [oci.id(), await oci.bundle(sleeper)];
    const results = await Promise.all(Array.from({ length: 6 }, () => oci.run(["create", "--bundle", bundle, id])));
    expect(results.map(({ exitCode }) => exitCode).sort()).toEqual([0, 1, 1, 1, 1, 1]);
    for (const { exitCode, stderr } of results) if (exitCode !== 0) expect(stderr).toMatch(/already exists/);
    expect((await oci.state(id)).status).toBe("created");
  });

  test("a container is started once, also by those who come at the same moment", async () => {
    const id = await created(sleeper, (config) => {
      config.hooks = { startContainer: [{ path: "/bin/sleep", args: ["sleep", "0.3"] }] };
    });
    const results = await Promise.all(Array.from({ length: 4 }, () => oci.run(["start", id])));
    expect(results.map(({ exitCode }) => exitCode).sort()).toEqual([0, 1, 1, 1]);
    for (const { exitCode, stderr } of results) if (exitCode !== 0) expect(stderr).toMatch(/already running/);
  });

  test.each(["..", "a/b", "../../etc", "a b", ""])("%j is no id", async (id) => {
    const { exitCode, stderr } = await oci.run(["create", "--bundle", await oci.bundle(sleeper), id]);
    expect(exitCode).toBe(1);
    expect(stderr).toMatch(/invalid id format/);
  });
});

describe("what cannot be created leaves nothing", () => {
  test.each<[string, Parameters<OciRuntime["bundle"]>[1], RegExp]>([
    ["a wrong type", (config) => (config.process.args = "sh"), /process\.args/],
    ["an unknown version", (config) => (config.ociVersion = "2.0.0"), /ociVersion: version 2\.0\.0 is not supported/],
    ["no root file system", (config) => (config.root.path = "nowhere"), /root\.path.*no such file or directory/],
    [
      "a source that is not there",
      (config) => config.mounts.push({ destination: "/x", source: "/does/not/exist", options: ["bind"] }),
      /mounts\[\d+\]\.source: open \/does\/not\/exist: no such file/,
    ],
    [
      "a mount that the kernel refuses",
      (config) => config.mounts.push({ destination: "/x", type: "nosuchfs", source: "x" }),
      /nosuchfs/,
    ],
    ["a sysctl of the host", (config) => (config.linux.sysctl = { "kernel.panic": "1" }), /sysctl|kernel\.panic/],
  ])("%s", async (_, change, said) => {
    const [id, bundle] = [oci.id(), await oci.bundle(sleeper, change)];
    const before = processes().length;
    const { exitCode, stderr } = await oci.run(["create", "--bundle", bundle, id]);
    expect({ exitCode, stderr }).toMatchObject({ exitCode: 1, stderr: expect.stringMatching(said) });
    expect(stderr.trimEnd().split("\n")).toHaveLength(1);
    expect(existsSync(join(oci.root, id))).toBe(false);
    expect(processes().filter(({ command }) => command.includes("devbox-launcher")).length).toBeLessThanOrEqual(before);
  });

  test("a command that is not there is told by create or start, in the words that engines look for", async () => {
    for (const [args, words] of [
      [["nope"], /exec: "nope": executable file not found in \$PATH/],
      [["/no/pe"], /exec \/no\/pe: no such file or directory/],
      [["/etc/passwd"], /exec: "\/etc\/passwd": permission denied/],
    ] as const) {
      const [id, bundle] = [oci.id(), await oci.bundle(args)];
      const create = await oci.run(["create", "--bundle", bundle, id]);
      const said = create.exitCode === 0 ? await oci.run(["start", id]) : create;
      expect(said.exitCode).toBe(1);
      expect(said.stderr).toMatch(words);
      await oci.ok(["delete", "--force", id]);
    }
  });

  test("a container without a process can be created, and not started", async () => {
    const id = await created(sleeper, (config) => delete config.process);
    expect((await oci.run(["start", id])).stderr).toMatch(/has no process/);
    expect((await oci.state(id)).status).toBe("created");
    await oci.ok(["delete", "--force", id]);
  });
});

test("an init process is left to the subreaper above whoever called", async () => {
  const [id, bundle, pidFile] = [oci.id(), await oci.bundle(sleeper), join(oci.home.directory, "subreaper.pid")];
  const fixture = new URL("../fixtures/oci/subreaper.ts", import.meta.url).pathname;
  const create = [devboxBinary(), "oci", "--root", oci.root, "create", "--bundle", bundle, "--pid-file", pidFile, id];
  const child = Bun.spawn([process.execPath, fixture, pidFile, ...create], { env: oci.home.env, stdout: "pipe" });
  const lines = (await new Response(child.stdout).text())
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
  expect(lines).toEqual([{ status: 0, isOurs: true }, { zombie: "stopped" }, { waited: true, signal: 9 }]);
  await oci.reaches(id, "stopped");
});

describe("a create that is killed", () => {
  test("leaves a stopped container, which can be deleted", async () => {
    const [id, bundle] = [
      oci.id(),
      await oci.bundle(sleeper, (config) => {
        config.hooks = { createRuntime: [{ path: "/bin/sleep", args: ["sleep", "1005"] }] };
      }),
    ];
    await using create = oci.start(["create", "--bundle", bundle, id]);
    await oci.reaches(id, "creating");
    create.kill("SIGKILL");
    await oci.reaches(id, "stopped");
    expect((await oci.run(["start", id])).stderr).toMatch(/cannot start a container that has stopped/);
    await oci.ok(["delete", id]);
    expect(existsSync(join(oci.root, id))).toBe(false);
    // The hook is nobody's any more.
    for (const { pid, command } of processes()) if (command === "sleep 1005") process.kill(pid, "SIGKILL");
  });

  test("before anything of it was there leaves a directory that only a forced delete takes", async () => {
    const id = oci.id();
    mkdirSync(join(oci.root, id), { recursive: true });
    expect((await oci.run(["state", id])).stderr).toMatch(/does not exist/);
    expect((await oci.run(["delete", id])).stderr).toMatch(/does not exist/);
    await oci.ok(["delete", "--force", id]);
    expect(existsSync(join(oci.root, id))).toBe(false);
  });
});

test("delete leaves nothing: no process, mount, control group, file", async () => {
  const look = () => ({
    mounts: readFileSync("/proc/self/mountinfo", "utf8"),
    containers: existsSync(oci.root) ? readdirSync(oci.root) : [],
  });
  const [id, bundle] = [oci.id(), await oci.bundle(["sh", "-c", "sleep 1001 & sleep 1002 & sleep 1003"])];
  const before = look();
  await oci.ok(["create", "--bundle", bundle, id]);
  await oci.ok(["start", id]);
  await oci.ok(["delete", "--force", id]);
  expect(look()).toEqual(before);
  expect(processes().filter(({ command }) => /^sleep 100[123]$/.test(command))).toEqual([]);
  const groups = Bun.spawnSync(["find", "/sys/fs/cgroup", "-name", id]);
  expect(String(groups.stdout)).toBe("");
});

describe("the command line", () => {
  test("the file called devbox-oci is the runtime", async () => {
    const link = join(oci.home.directory, "devbox-oci");
    symlinkSync(devboxBinary(), link);
    const { stdout, exitCode } = Bun.spawnSync([link, "--version"], { env: oci.home.env });
    expect(exitCode).toBe(0);
    expect(String(stdout)).toMatch(/^devbox-oci version \d+\.\d+\.\d+\ncommit: \S+\nspec: 1\.2\.\d\n$/);
    expect(String(Bun.spawnSync([link, "--root", oci.root, "list", "-q"], { env: oci.home.env }).stdout)).toContain(
      "devbox-test",
    );
  });

  test("errors are the last line of --log, as JSON", async () => {
    const log = join(oci.home.directory, "log.json");
    await oci.home.run(["oci", "--root", oci.root, "--log", log, "--log-format", "json", "state", "nobody"]);
    const lines = readFileSync(log, "utf8").trimEnd().split("\n");
    expect(lines).toHaveLength(1);
    expect(JSON.parse(lines[0] ?? "")).toMatchObject({
      level: "error",
      msg: "container nobody: container does not exist",
    });
  });

  test("list", async () => {
    const id = await created();
    expect((await oci.ok(["list", "-q"])).split("\n")).toContain(id);
    const states = JSON.parse(await oci.ok(["list", "--format", "json"]));
    expect(states).toContainEqual(await oci.state(id));
    const [heading, ...lines] = (await oci.ok(["list"])).split("\n");
    expect(heading).toMatch(/^ID +PID +STATUS +BUNDLE +CREATED +OWNER$/);
    expect(lines.find((line) => line.startsWith(`${id} `))).toMatch(/ created /);
  });

  test.each(
    [
      ["frobnicate"],
      ["create", "--frobnicate", "x"],
      ["checkpoint", "x"],
      ["restore", "x"],
      ["kill", "x", "NOSIG"],
    ].map((words) => ({ words })),
  )("$words is refused", async ({ words }) => {
    const { exitCode, stderr } = await oci.run(words);
    expect(exitCode).toBe(1);
    expect(stderr).toMatch(/^devbox-oci: .*(unknown|not supported|does not exist)/);
  });
});
