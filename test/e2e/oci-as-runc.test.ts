/** The file in runc's place: what scripts and engines know of runc's command line that no specification says. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { chmodSync, chownSync, closeSync, mkdirSync, readFileSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { pidfdOpen, pidfdSendSignal, pollReadable } from "../../ffi/libc.ts";
import { devboxBinary } from "../helpers/given.ts";
import { type OciRuntime, openOciRuntime } from "../helpers/oci-runtime.ts";
import { listenUnix } from "../helpers/unix-listener.ts";

let oci: OciRuntime;
beforeAll(async () => {
  oci = await openOciRuntime();
});
afterAll(async () => {
  await oci[Symbol.asyncDispose]();
});

describe("called as runc", () => {
  const runc = (...args: readonly string[]) => {
    const link = join(oci.home.directory, "runc");
    try {
      symlinkSync(devboxBinary(), link);
    } catch {
      // An earlier test has made it.
    }
    const { exitCode, stdout, stderr } = Bun.spawnSync([link, "--root", oci.root, ...args], { env: oci.home.env });
    return { exitCode, stdout: String(stdout), stderr: String(stderr) };
  };

  test("it is the runtime, and says so by that name", () => {
    expect(runc("--version").stdout).toMatch(/^runc version \d+\.\d+\.\d+\ncommit: .+\nspec: \d+\.\d+\.\d+\n$/);
    expect(runc("list", "-q")).toMatchObject({ exitCode: 0, stdout: "" });
  });

  test("help begins with the name", () => {
    expect(runc("--help").stdout).toMatch(/^NAME:\n {3}runc - Open Container Initiative runtime/);
    for (const command of ["create", "checkpoint", "restore", "ps"])
      expect(runc(command, "-h")).toMatchObject({
        exitCode: 0,
        stdout: expect.stringMatching(new RegExp(`^NAME:\n   runc ${command} - `)),
      });
    expect(runc("foo", "-h")).toMatchObject({
      exitCode: 1,
      stderr: expect.stringMatching(/No help topic for 'foo'/),
    });
  });
});

test("a terminal that goes to a file has the lines of the command", async () => {
  const [id, bundle] = [
    oci.id(),
    await oci.bundle(["printf", "one\\ntwo\\n"], (config) => {
      config.process.terminal = true;
    }),
  ];
  expect(await oci.ok(["run", "--bundle", bundle, id])).toBe("one\ntwo\n");
  const other = await oci.bundle(["sleep", "1000"]);
  await oci.ok(["run", "--detach", "--bundle", other, id]);
  expect(await oci.ok(["exec", "--tty", id, "printf", "one\\ntwo\\n"])).toBe("one\ntwo\n");
});

test("HOME is set where it is missing, for each user its own", async () => {
  const [id, bundle] = [
    oci.id(),
    await oci.bundle(["sleep", "1000"], (config) => {
      config.process.env = ["PATH=/bin", "HOME="];
    }),
  ];
  await Bun.write(join(bundle, "rootfs/etc/passwd"), "root:x:0:0:root:/root:/bin/sh\n");
  await oci.ok(["run", "--detach", "--bundle", bundle, id]);
  const { pid } = await oci.state(id);
  expect(readFileSync(`/proc/${pid}/environ`, "utf8")).toBe("PATH=/bin\0HOME=/root\0");
  await Bun.write(join(bundle, "rootfs/etc/passwd"), "root:x:0:0:root:/elsewhere:/bin/sh\n");
  expect(await oci.ok(["exec", id, "sh", "-c", "echo $HOME"])).toBe("/elsewhere\n");
});

test("--preserve-fds names the first descriptor that is not there", async () => {
  const bundle = await oci.bundle(["true"]);
  const script = `exec 3</dev/null 4<&-; exec "${devboxBinary()}" oci --root ${oci.root} run --preserve-fds 2 -b ${bundle} ${oci.id()}`;
  const { exitCode, stderr } = Bun.spawnSync(["sh", "-c", script], { env: oci.home.env });
  expect({ exitCode, stderr: String(stderr) }).toMatchObject({
    exitCode: 1,
    stderr: expect.stringMatching(/preserved-fd 1: descriptor 4 is not open/),
  });
});

test("--pidfd-socket gets a pidfd of the process", async () => {
  const socket = join(oci.home.directory, "pidfd.sock");
  using listener = listenUnix(socket);
  const [id, bundle] = [oci.id(), await oci.bundle(["sleep", "1000"])];
  await oci.ok(["run", "--detach", "--pidfd-socket", socket, "--bundle", bundle, id]);
  const [pidfd = -1] = listener.receive().fds;
  pidfdSendSignal(pidfd, 9);
  closeSync(pidfd);
  await oci.reaches(id, "stopped");
});

test("ps of a container that has stopped shows none", async () => {
  const [id, bundle] = [oci.id(), await oci.bundle(["true"])];
  await oci.ok(["run", "--keep", "--bundle", bundle, id]);
  expect(JSON.parse(await oci.ok(["ps", "--format", "json", id]))).toEqual([]);
});

test("a user namespace without root", async () => {
  const { getuid, getgid } = process;
  const [uid, gid] = getuid?.() === 0 ? [100_000, 200_000] : [getuid?.() ?? -1, getgid?.() ?? -1];
  const [id, bundle] = [
    oci.id(),
    await oci.bundle(["sleep", "1000"], ({ linux, process, mounts }, directory) => {
      const one = (hostID: number) => [{ containerID: 1000, hostID, size: 1 }];
      Object.assign(linux, { uidMappings: one(uid), gidMappings: one(gid) });
      if (!linux.namespaces.some(({ type }: { type: string }) => type === "user"))
        linux.namespaces.push({ type: "user" });
      process.user = { uid: 1000, gid: 1000 };
      const terminals = mounts.find(({ type }: { type: string }) => type === "devpts");
      terminals.options = terminals.options.filter((option: string) => option !== "gid=5");
      for (const name of ["", "dev", "proc", "sys"]) {
        mkdirSync(join(directory, "rootfs", name), { recursive: true });
        chownSync(join(directory, "rootfs", name), uid, gid);
      }
      chmodSync(directory, 0o755);
    }),
  ];
  await oci.ok(["run", "--detach", "--bundle", bundle, id]);
  expect(await oci.ok(["exec", id, "id", "-u"])).toBe("1000\n");
});

describe("--debug", () => {
  test("goes to stderr in the shape of a log, or to the log alone", async () => {
    const log = join(oci.home.directory, "debug.log");
    const direct = await oci.home.run(["oci", "--root", oci.root, "--debug", "list"]);
    expect(direct.stderr).toMatch(/^time="[^"]+" level=debug msg="list/m);
    const logged = await oci.home.run(["oci", "--root", oci.root, "--debug", "--log", log, "list"]);
    expect(logged.stderr).toBe("");
    expect(readFileSync(log, "utf8")).toMatch(/level=debug/);
  });
});

test("kill 0 asks only", async () => {
  const [id, bundle] = [oci.id(), await oci.bundle(["sleep", "1000"])];
  await oci.ok(["run", "--detach", "--bundle", bundle, id]);
  await oci.ok(["kill", id, "0"]);
  expect((await oci.state(id)).status).toBe("running");
  await oci.ok(["kill", id, "KILL"]);
  await oci.reaches(id, "stopped");
  expect(await oci.run(["kill", id, "0"])).toMatchObject({
    exitCode: 1,
    stderr: expect.stringMatching(/container not running/),
  });
});

test.skipIf(process.getuid?.() !== 0)("kill KILL ends what a first process has left that shared its pids", async () => {
  const [id, bundle] = [
    oci.id(),
    await oci.bundle(["sleep", "1000"], ({ linux }) => {
      linux.namespaces = linux.namespaces.filter(({ type }: { type: string }) => type !== "pid");
    }),
  ];
  await oci.ok(["run", "--detach", "--bundle", bundle, id]);
  await oci.ok(["exec", "--detach", id, "sleep", "2000"]);
  process.kill((await oci.state(id)).pid, "SIGKILL");
  await oci.reaches(id, "stopped");
  const [left = -1] = JSON.parse(await oci.ok(["ps", "--format", "json", id]));
  const watched = pidfdOpen(left);
  await oci.ok(["kill", id, "KILL"]);
  // Readable when it has ended (pidfd_open(2)); the test runner's limit is the time.
  while (!pollReadable(watched, 100));
  closeSync(watched);
});
