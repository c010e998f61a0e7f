/** devbox oci exec and run: processes in the foreground and detached, terminals, statuses. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { closeSync, existsSync, readFileSync, readSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { type Config, type OciRuntime, openOciRuntime } from "../helpers/oci-runtime.ts";
import { namespaceOf } from "../helpers/processes.ts";
import { openTerminal } from "../helpers/terminal.ts";
import { listenUnix } from "../helpers/unix-listener.ts";

let oci: OciRuntime;
beforeAll(async () => {
  oci = await openOciRuntime();
});
afterAll(async () => {
  await oci[Symbol.asyncDispose]();
});

/** A blocking master's text until the other side is closed (EIO). */
function readMaster(fd: number): string {
  const [chunk, decoder] = [new Uint8Array(4096), new TextDecoder()];
  let text = "";
  try {
    for (let length = readSync(fd, chunk); length > 0; length = readSync(fd, chunk))
      text += decoder.decode(chunk.subarray(0, length));
  } catch {
    // EIO: the last slave is closed.
  }
  return text;
}

describe("exec", () => {
  let id: string;
  let pid: number;

  beforeAll(async () => {
    id = oci.id();
    const bundle = await oci.bundle(["sleep", "1000"], (config) => {
      config.process.env.push("FROM=config");
      config.process.cwd = "/tmp";
    });
    await oci.ok(["create", "--bundle", bundle, id]);
    await oci.ok(["start", id]);
    pid = (await oci.state(id)).pid;
  });

  test("runs in the container, with its environment and directory, and ends with the command's status", async () => {
    const script = 'echo "$FROM $ADDED $PWD"; echo bad >&2; exit 7';
    const result = await oci.run(["exec", "--env", "ADDED=1", id, "sh", "-c", script]);
    expect(result).toEqual({ exitCode: 7, stdout: "config 1 /tmp\n", stderr: "bad\n" });
  });

  test("is in every namespace of the container", async () => {
    const types = ["mnt", "pid", "ipc", "uts", "net", "user", "cgroup"];
    const script = types.map((type) => `readlink /proc/self/ns/${type}`).join(";");
    const shown = (await oci.ok(["exec", id, "sh", "-c", script])).trim().split("\n");
    expect(shown).toEqual(types.map((type) => namespaceOf(pid, type)));
  });

  test("a signal to it is the command's", async () => {
    await using running = oci.start([
      "exec",
      id,
      "sh",
      "-c",
      "trap 'exit 9' TERM; echo ready; while :; do sleep 0.1; done",
    ]);
    await running.output(/ready/);
    running.kill("SIGTERM");
    expect((await running.result).exitCode).toBe(9);
  });

  test("a command that died by a signal ends with 128 + n", async () => {
    expect((await oci.run(["exec", id, "sh", "-c", "kill -9 $$"])).exitCode).toBe(137);
  });

  test.each([
    [["nope"], /exec: "nope": executable file not found in \$PATH/],
    [["/etc/passwd"], /exec: "\/etc\/passwd": permission denied/],
  ] as const)("%j ends with 255, which is no status of a command", async (command, said) => {
    const result = await oci.run(["exec", id, ...command]);
    expect(result).toMatchObject({ exitCode: 255, stderr: expect.stringMatching(said) });
  });

  test("--process FILE says all of it", async () => {
    const file = join(oci.home.directory, "process.json");
    writeFileSync(
      file,
      JSON.stringify({
        cwd: "/",
        args: ["sh", "-c", "echo $X; pwd; id -u"],
        env: ["PATH=/bin", "X=y"],
        user: { uid: 0, gid: 0 },
      }),
    );
    expect(await oci.ok(["exec", "--process", file, id])).toBe("y\n/\n0\n");
    writeFileSync(file, JSON.stringify({ cwd: "tmp", args: ["sh"] }));
    expect((await oci.run(["exec", "--process", file, id])).stderr).toMatch(/process\.json: cwd/);
  });

  test("--detach returns at once, and the pid file names the process", async () => {
    const pidFile = join(oci.home.directory, "exec.pid");
    await oci.ok(["exec", "--detach", "--pid-file", pidFile, id, "sleep", "1234"]);
    const other = Number(readFileSync(pidFile, "utf8"));
    expect(readFileSync(`/proc/${other}/cmdline`, "utf8")).toBe("sleep\x001234\0");
    expect(namespaceOf(other, "mnt")).toBe(namespaceOf(pid, "mnt"));
  });

  test("--detach tells of a command that is not there", async () => {
    const result = await oci.run(["exec", "--detach", id, "nope"]);
    expect(result).toMatchObject({ exitCode: 255, stderr: expect.stringMatching(/executable file not found/) });
  });

  test("--tty with a console socket sends the master there, blocking", async () => {
    const socket = join(oci.home.directory, "exec.sock");
    using listener = listenUnix(socket);
    await oci.ok(["exec", "--detach", "--tty", "--console-socket", socket, id, "sh", "-c", "read x; echo got $x; tty"]);
    const [master = -1] = listener.receive().fds;
    writeSync(master, "hi\n");
    expect(readMaster(master)).toMatch(/got hi\r\n\/dev\/pts\/\d+\r\n/);
    closeSync(master);
  });

  test("--tty in the foreground is the caller's terminal", async () => {
    await using terminal = openTerminal(
      oci.home,
      `"$DEVBOX" oci --root ${oci.root} exec -t ${id} sh -c 'echo ready; read x; echo got $x; stty size; exit 4'`,
    );
    await terminal.output(/ready/);
    terminal.type("hi\r");
    const { shown, exitCode } = await terminal.result;
    expect(shown).toContain("got hi\r\n24 80\r\n");
    expect(exitCode).toBe(4);
  });

  test.each([
    [["--tty", "--detach"], /without setting console socket/],
    [["--console-socket", "/x"], /cannot use console socket/],
  ] as const)("%j is refused", async (options, said) => {
    expect(await oci.run(["exec", ...options, id, "true"])).toMatchObject({
      exitCode: 255,
      stderr: expect.stringMatching(said),
    });
  });

  test("ps shows what runs in it", async () => {
    const pids = JSON.parse(await oci.ok(["ps", "--format", "json", id]));
    expect(pids).toContain(pid);
    expect(await oci.ok(["ps", id])).toMatch(/PID[\s\S]*sleep 1000/);
  });

  test("a created container can be entered as well", async () => {
    const [other, bundle] = [oci.id(), await oci.bundle(["true"])];
    await oci.ok(["create", "--bundle", bundle, other]);
    expect(await oci.ok(["exec", other, "hostname"]).catch((error) => String(error))).toBeDefined();
    expect((await oci.state(other)).status).toBe("created");
  });
});

describe("run", () => {
  test("in the foreground: streams, status, and nothing left", async () => {
    const [id, bundle] = [oci.id(), await oci.bundle(["sh", "-c", "cat; echo bad >&2; exit 5"])];
    const result = await oci.run(["run", "--bundle", bundle, id], { stdin: "in\n" });
    expect(result).toEqual({ exitCode: 5, stdout: "in\n", stderr: "bad\n" });
    expect(existsSync(join(oci.root, id))).toBe(false);
  });

  test("--keep leaves a stopped container", async () => {
    const [id, bundle] = [oci.id(), await oci.bundle(["true"])];
    await oci.ok(["run", "--keep", "--bundle", bundle, id]);
    expect((await oci.state(id)).status).toBe("stopped");
    await oci.ok(["delete", id]);
  });

  test("--detach returns when it runs", async () => {
    const [id, bundle] = [oci.id(), await oci.bundle(["sleep", "1000"])];
    await oci.ok(["run", "--detach", "--bundle", bundle, id]);
    expect((await oci.state(id)).status).toBe("running");
  });

  test.each([[["nope"]], [["/etc/passwd"]]])("%j fails and leaves nothing", async (args) => {
    for (const options of [[], ["--detach"]]) {
      const [id, bundle] = [oci.id(), await oci.bundle(args)];
      expect(await oci.run(["run", ...options, "--bundle", bundle, id])).toMatchObject({ exitCode: 1, stdout: "" });
      expect(existsSync(join(oci.root, id))).toBe(false);
    }
  });

  test("the bundle is the working directory unless it is named", async () => {
    const [id, bundle] = [oci.id(), await oci.bundle(["echo", "here"])];
    expect(await oci.ok(["run", id], { cwd: bundle })).toBe("here\n");
  });

  test("descriptors are passed on: those of systemd, then those asked for", async () => {
    const script = "echo $LISTEN_FDS $LISTEN_PID; cat <&3; cat <&4; ls /proc/self/fd";
    const [id, bundle] = [oci.id(), await oci.bundle(["sh", "-c", script])];
    const [one, two] = [join(oci.home.directory, "one"), join(oci.home.directory, "two")];
    writeFileSync(one, "first\n");
    writeFileSync(two, "second\n");
    const shell = 'exec 3<"$0" 4<"$1"; shift; LISTEN_FDS=1 LISTEN_PID=$$ exec "$@"';
    const stdout = await oci.ok(["run", "--preserve-fds", "1", "--bundle", bundle, id], {
      prefix: ["sh", "-c", shell, one, two],
    });
    expect(stdout).toStartWith("1 1\nfirst\nsecond\n0\n1\n2\n3\n4\n");
  });

  test("a descriptor that is not there cannot be passed on", async () => {
    const result = await oci.run(["run", "--preserve-fds", "500", "--bundle", await oci.bundle(["true"]), oci.id()]);
    expect(result).toMatchObject({
      exitCode: 1,
      stderr: expect.stringMatching(/--preserve-fds 500: preserved-fd \d+: descriptor \d+/),
    });
  });

  test("with a terminal of its own", async () => {
    const [id, bundle] = [
      oci.id(),
      await oci.bundle(["sh", "-c", "tty; stty size"], (config) => (config.process.terminal = true)),
    ];
    await using terminal = openTerminal(oci.home, `"$DEVBOX" oci --root ${oci.root} run --bundle ${bundle} ${id}`);
    expect((await terminal.result).shown).toBe("/dev/pts/0\r\n24 80\r\n");
  });
});

describe("a terminal of a created container", () => {
  const withTerminal = (config: Config): void => {
    config.process.terminal = true;
    config.process.consoleSize = { height: 33, width: 99 };
  };

  test("goes to the console socket", async () => {
    const [id, bundle] = [oci.id(), await oci.bundle(["sh", "-c", "stty size; tty"], withTerminal)];
    const socket = join(oci.home.directory, "console.sock");
    using listener = listenUnix(socket);
    await oci.ok(["create", "--bundle", bundle, "--console-socket", socket, id]);
    const [master = -1] = listener.receive().fds;
    await oci.ok(["start", id]);
    expect(readMaster(master)).toBe("33 99\r\n/dev/pts/0\r\n");
    closeSync(master);
  });

  test("needs one, and it must answer", async () => {
    const bundle = await oci.bundle(["true"], withTerminal);
    expect((await oci.run(["create", "--bundle", bundle, oci.id()])).stderr).toMatch(/without setting console socket/);
    const nobody = await oci.run(["create", "--bundle", bundle, "--console-socket", "/no/sock", oci.id()]);
    expect(nobody).toMatchObject({
      exitCode: 1,
      stderr: expect.stringMatching(/--console-socket: connect to \/no\/sock/),
    });
  });

  test("is not to be had without one asked for", async () => {
    const bundle = await oci.bundle(["true"]);
    const { stderr } = await oci.run(["create", "--bundle", bundle, "--console-socket", "/no/sock", oci.id()]);
    expect(stderr).toMatch(/cannot use console socket/);
  });
});
