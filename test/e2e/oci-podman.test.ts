/** podman with devbox as its runtime, as root and rootless: what its users do all day. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { existsSync, readFileSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { makeBusyboxRoot } from "../helpers/busybox-box.ts";
import { type Home, openHome, type Result } from "../helpers/devbox.ts";
import { devboxBinary } from "../helpers/given.ts";
import { openTerminal } from "../helpers/terminal.ts";

let home: Home;
let options: readonly string[];
let podmanWords: readonly string[];

beforeAll(() => {
  home = openHome();
  const root = join(home.directory, "rootfs");
  makeBusyboxRoot(root);
  for (const name of ["true", "env", "hostname"]) symlinkSync("busybox", join(root, "bin", name));
  symlinkSync(devboxBinary(), join(home.directory, "devbox-oci"));
  podmanWords = [
    ...["podman", "--root", join(home.directory, "podman"), "--runroot", join(home.directory, "podman-run")],
    ...["--storage-driver", "vfs", "--cgroup-manager", "cgroupfs", "--runtime", join(home.directory, "devbox-oci")],
  ];
  // Its default limits are more than root of a container or a virtual machine may set.
  const limits = ["--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1000:1000"];
  options = ["--network", "none", ...limits, "--rootfs", root];
});

afterAll(async () => {
  await podman("rm", "--all", "--force", "--time", "0");
  await home[Symbol.asyncDispose]();
});

const hangMs = 50_000;

/** Its containers keep its streams: they are files, and read when podman has ended. */
async function podman(...words: readonly string[]): Promise<Result> {
  const file = join(home.directory, `podman-${Math.random()}`);
  const child = Bun.spawn([...podmanWords, ...words], {
    env: home.env,
    cwd: home.directory,
    stdin: "ignore",
    stdout: Bun.file(`${file}.out`),
    stderr: Bun.file(`${file}.err`),
    timeout: hangMs,
    killSignal: "SIGKILL",
  });
  await child.exited;
  const [stdout, stderr] = [readFileSync(`${file}.out`, "utf8"), readFileSync(`${file}.err`, "utf8")];
  return { stdout, stderr, exitCode: child.exitCode ?? -1 };
}

async function ok(...words: readonly string[]): Promise<string> {
  const { exitCode, stdout, stderr } = await podman(...words);
  if (exitCode === 0) return stdout;
  throw new Error(`podman ${words.join(" ")}: exit status ${exitCode}\n${stderr}${stdout}`);
}

async function status(name: string): Promise<string> {
  return (await ok("inspect", "--format", "{{.State.Status}}", name)).trim();
}

describe("podman run", () => {
  test.each<[readonly string[], Partial<Result>]>([
    [["echo", "hello"], { exitCode: 0, stdout: "hello\n" }],
    [["sh", "-c", "echo bad >&2; exit 7"], { exitCode: 7, stdout: "", stderr: "bad\n" }],
    [["sh", "-c", "sh -c 'kill -9 $$'; exit $?"], { exitCode: 137 }],
    [["nope"], { exitCode: 127, stderr: expect.stringMatching(/executable file not found in \$PATH/) }],
    [["/etc"], { exitCode: 126, stderr: expect.stringMatching(/permission denied/) }],
  ])("%j", async (command, expected) => {
    expect(await podman("run", "--rm", ...options, ...command)).toMatchObject(expected);
  });

  test.each<[readonly string[], readonly string[], string]>([
    [["--env", "A=b"], ["sh", "-c", "echo $A"], "b\n"],
    [["--user", "12:34"], ["id"], "uid=12(12) gid=34(34)"],
    [["--workdir", "/tmp"], ["pwd"], "/tmp\n"],
    [["--hostname", "box"], ["hostname"], "box\n"],
    [["--read-only"], ["sh", "-c", "touch /x 2>/dev/null || echo no"], "no\n"],
    [["--cap-drop", "all"], ["sh", "-c", "grep CapEff /proc/self/status"], "CapEff:\t0000000000000000\n"],
    [["--tmpfs", "/scratch:size=1m"], ["sh", "-c", "df /scratch | grep -c 1024"], "1\n"],
    [["--security-opt", "no-new-privileges"], ["sh", "-c", "grep NoNewPrivs /proc/self/status"], "NoNewPrivs:\t1\n"],
    [["--init"], ["sh", "-c", "[ $$ -gt 1 ] && cat /proc/1/comm"], "podman-init\n"],
    [["--privileged"], ["sh", "-c", "ls /dev/pts/ptmx"], "/dev/pts/ptmx\n"],
  ])("%j", async (flags, command, expected) => {
    if (flags.includes("--init") && !existsSync("/usr/libexec/podman/catatonit")) return;
    expect(await ok("run", "--rm", ...flags, ...options, ...command)).toStartWith(expected);
  });

  test("-it", async () => {
    const words = [...podmanWords, "run", "--rm", "-it", ...options, "sh", "-c", "'tty; stty size; exit 3'"];
    await using terminal = openTerminal(home, words.join(" "));
    const { shown, exitCode } = await terminal.result;
    expect(shown).toContain("/dev/pts/0\r\n24 80\r\n");
    expect(exitCode).toBe(3);
  });
});

test("a detached container is seen, entered, stopped, started again, removed", async () => {
  await ok("run", "--detach", "--name", "c1", ...options, "sleep", "1000");
  expect(await status("c1")).toBe("running");
  expect(await ok("exec", "c1", "hostname")).toMatch(/^[0-9a-f]{12}\n$/);
  expect((await podman("exec", "c1", "sh", "-c", "exit 9")).exitCode).toBe(9);
  expect((await podman("exec", "c1", "nope")).exitCode).toBe(127);
  expect((await podman("exec", "c1", "/etc")).exitCode).toBe(126);
  await ok("exec", "--detach", "c1", "sleep", "2000");
  expect(await ok("top", "c1", "args")).toMatch(/sleep 1000\s+sleep 2000/);
  await ok("stop", "--time", "0", "c1");
  expect(await status("c1")).toBe("exited");
  await ok("start", "c1");
  await ok("kill", "c1");
  expect(await ok("wait", "c1")).toBe("137\n");
  await ok("rm", "c1");
  expect(await ok("ps", "--all", "--quiet")).toBe("");
});

test("exec -it", async () => {
  await ok("run", "--detach", "--name", "c2", ...options, "sleep", "1000");
  await using terminal = openTerminal(
    home,
    [...podmanWords, "exec", "-it", "c2", "sh", "-c", "'echo ready; read x; echo got $x'"].join(" "),
  );
  await terminal.output(/ready/);
  terminal.type("hi\r");
  await terminal.output(/got hi/);
  await ok("rm", "--force", "--time", "0", "c2");
});

test.skipIf(process.getuid?.() !== 0)("pause, unpause, limits: for root", async () => {
  await ok("run", "--detach", "--name", "c3", "--memory", "64m", "--pids-limit", "50", ...options, "sleep", "1000");
  await ok("pause", "c3");
  expect(await status("c3")).toBe("paused");
  await ok("unpause", "c3");
  expect(await ok("stats", "--no-stream", "--format", "{{.PIDs}} {{.MemUsage}}", "c3")).toMatch(/^1 .* \/ 67\.11MB/);
  await ok("rm", "--force", "--time", "0", "c3");
});
