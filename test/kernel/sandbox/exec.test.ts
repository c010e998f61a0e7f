/** A further process in a box that runs, on the real kernel: where it is, who it is, and what it cannot be led to. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { closeSync, fstatSync, mkdirSync, openSync, readFileSync, readSync, symlinkSync, writeSync } from "node:fs";
import { join } from "node:path";
import { O_DIRECTORY, O_PATH, SOCK_STREAM } from "../../../ffi/constants.ts";
import { receiveDescriptors, socketpair } from "../../../ffi/socket.ts";
import { launch } from "../../../src/launch/launch.ts";
import type { NamespaceType } from "../../../src/oci/runtime.ts";
import { namespaceFiles, namespaceTypes } from "../../../src/sandbox/namespace-flags.ts";
import { planBox } from "../../../src/sandbox/plan-create.ts";
import { planNamespaces } from "../../../src/sandbox/plan-namespaces.ts";
import { type BoxSettings, boxInput, host, openWorkshop } from "../../helpers/busybox-box.ts";
import { type Box, commandOf, failure, links, openBox, output, start } from "../../helpers/exec-box.ts";
import { outputFile, pipe, readUntil } from "../../helpers/launch-plans.ts";
import { gone, namespaceOf } from "../../helpers/processes.ts";

const isRoot = host.uid === 0;

let box: Box;
beforeAll(async () => {
  box = await openBox({}, (root) => {
    mkdirSync(join(root, "work"));
    for (const [name, target] of [
      ["fds", "/proc/self/fd"],
      ["out", "/proc/1/root/.."],
      ["self", "/proc/self/cwd"],
    ] as const)
      symlinkSync(target, join(root, name));
  });
});
afterAll(() => box[Symbol.asyncDispose]());

describe("where it is", () => {
  test("in all namespaces of the box, also those that its descendants begin in", async () => {
    const script = namespaceTypes.map((type) => `readlink /proc/self/ns/${namespaceFiles[type]}`).join(";");
    const seen = (await output(box, script)).split("\n");
    expect(Object.fromEntries(namespaceTypes.map((type, i) => [type, seen[i]]))).toEqual({
      ...links(box.container.pid),
    });
  });

  test("it sees the box's first process as 1, and is none of its children", async () => {
    expect(await output(box, "tr '\\0' ' ' </proc/1/cmdline; echo; echo $PPID")).toMatch(
      /^\/bin\/sh -c \necho up .*\n0$/s,
    );
  });

  test("its pid is told as the host counts", async () => {
    const { read, write } = pipe();
    const launched = start(box, commandOf({ args: ["sh", "-c", "read line"] }), { stdio: [read, "ignore", "inherit"] });
    closeSync(read);
    const event = await launched.nextEvent();
    expect(event?.event).toBe("started");
    await launched.executed();
    expect(readFileSync(`/proc/${event?.value}/cmdline`, "utf8")).toBe("sh\0-c\0read line\0");
    expect(namespaceOf(event?.value ?? 0, "pid")).toBe(namespaceOf(box.container.pid, "pid"));
    closeSync(write);
    await launched.wait();
  });

  test("in its control groups before anything of it runs", async () => {
    const file = outputFile();
    const launched = start(box, commandOf(), { fds: { group: file.fd }, cgroups: ["group"] });
    const event = await launched.nextEvent();
    await launched.wait();
    expect(file.text().replace(/\0+$/, "")).toBe(String(event?.value));
    closeSync(file.fd);
  });

  test("in the working directory", async () => {
    expect(await output(box, "pwd", { cwd: "/work" })).toBe("/work");
  });
});

describe("who it is", () => {
  test("root without supplementary groups, and the capabilities that it is given, no more", async () => {
    const seen = await output(box, "id -u; id -G; grep -E '^Cap(Eff|Prm|Bnd)' /proc/self/status");
    expect(seen).toBe("0\n0\nCapPrm:\t0000000000000023\nCapEff:\t0000000000000023\nCapBnd:\t0000000000000023");
  });

  test("another user with groups, limits, umask, no_new_privs, oom_score_adj", async () => {
    if (host.subgids.length === 0 && !isRoot) return;
    const seen = await output(
      box,
      "id -u; id -g; id -G; umask; ulimit -n; grep NoNewPrivs /proc/self/status; cat /proc/self/oom_score_adj",
      {
        user: { uid: 1000, gid: 1000, additionalGids: [29, 44], umask: 0o27 },
        rlimits: [{ type: "RLIMIT_NOFILE", soft: 77, hard: 77 }],
        noNewPrivileges: true,
        oomScoreAdj: 123,
      },
    );
    expect(seen).toBe("1000\n1000\n1000 29 44\n0027\n77\nNoNewPrivs:\t1\n123");
  });

  test("the leader of a session of its own, with its own environment alone", async () => {
    const lines = (
      await output(box, "env; cut -d' ' -f5,6 /proc/$$/stat; echo $$", { env: ["PATH=/bin", "A=b"] })
    ).split("\n");
    const pid = lines.pop() ?? "";
    expect(lines.pop()).toBe(`${pid} ${pid}`);
    expect(lines.toSorted()).toEqual(["A=b", "PATH=/bin", "PWD=/", "SHLVL=1"]);
  });

  test("under the filter that it is given", async () => {
    const seccomp = {
      defaultAction: "SCMP_ACT_ALLOW",
      syscalls: [{ names: ["mkdir", "mkdirat"], action: "SCMP_ACT_ERRNO", errnoRet: 95 }],
    } as const;
    expect(await output(box, "mkdir /tmp/x 2>&1 || true", {}, { seccomp })).toContain("not supported");
  });
});

describe("what comes of the host with it", () => {
  test("nothing but the three streams", async () => {
    expect(await output(box, "ls /proc/self/fd")).toBe("0\n1\n2\n3"); // 3: the directory that ls reads
  });

  test.each([1, 2, 5])("%i descriptors of the caller, from 3 on", async (count) => {
    const files = Array.from({ length: count }, () => outputFile());
    const names = Object.fromEntries(files.map((file, i) => [`preserved-${i}`, file.fd]));
    const script = files.map((_, i) => `echo "number ${i}" >&${3 + i}`).join(";");
    await output(box, `${script}; ls /proc/self/fd >&2`, {}, { fds: names, preservedFds: count });
    files.forEach((file, i) => {
      expect(file.text()).toBe(`number ${i}\n`);
      closeSync(file.fd);
    });
  });

  test("they end with the command's use of them, not with its supervisor", async () => {
    const [input, given] = [pipe(), pipe()];
    const launched = start(box, commandOf({ args: ["sh", "-c", "exec 3>&-; read line"] }), {
      fds: { "preserved-0": given.write },
      preservedFds: 1,
      stdio: [input.read, "ignore", "inherit"],
    });
    for (const fd of [input.read, given.write]) closeSync(fd);
    expect(await Bun.file(given.read).text()).toBe("");
    for (const fd of [input.write, given.read]) closeSync(fd);
    await launched.wait();
  });

  test("a command that is not there is reported, and to nobody else, also with descriptors in that place", async () => {
    const files = [outputFile(), outputFile()];
    const launched = start(box, commandOf({ args: ["nothing"] }), {
      fds: { "preserved-0": files[0]?.fd ?? -1, "preserved-1": files[1]?.fd ?? -1 },
      preservedFds: 2,
    });
    const error = await launched.wait().catch((each: unknown) => each);
    expect(error).toMatchObject({ step: "execute nothing", because: expect.stringContaining("ENOENT") });
    for (const file of files) {
      expect(file.text()).toBe("");
      closeSync(file.fd);
    }
  });
});

describe("what a box cannot lead it to", () => {
  test.each(["/fds/5", "/proc/self/fd/5", "/proc/self/cwd", "/proc/1/root", "/self"])(
    "a working directory of %s",
    async (cwd) => {
      expect(await failure(box, { cwd })).toMatchObject({ step: `enter the working directory ${cwd}` });
    },
  );

  test("a working directory above the root is the root", async () => {
    expect(await output(box, "pwd; ls -di / . | cut -c1-20", { cwd: "/../../.." })).toMatch(
      /^\/\n *(\d+) \.\n *\1 \/$/,
    );
  });

  test("a working directory that is not there, or no directory", async () => {
    expect(await failure(box, { cwd: "/nowhere" })).toMatchObject({ step: "enter the working directory /nowhere" });
    expect(await failure(box, { cwd: "/bin/busybox" })).toMatchObject({
      step: "enter the working directory /bin/busybox",
    });
  });
});

describe("a box that is being created", () => {
  test("is refused until it has its root: what there is before is the host's", async () => {
    await using workshop = openWorkshop();
    const built = pipe();
    const given = boxInput(workshop, ["/bin/sh", "-c", "read line"]);
    const descriptors = ["built"];
    const { idMap } = given.sandbox;
    const { namespaces } = given.sandbox.config.linux;
    const launched = launch(planNamespaces({ namespaces, idMap, facts: host, descriptors }), {
      fds: { built: built.read },
      stdio: ["ignore", "ignore", "inherit"],
    });
    launched.proceed(planBox({ ...given.sandbox, pipes: [], gates: { pivot: "built" } }));
    closeSync(built.read);
    const pid = (await launched.nextEvent())?.value ?? 0;
    const halfBox = { ...box, container: { ...box.container, pid } };
    expect(await failure(halfBox, {})).toMatchObject({
      step: expect.stringMatching(/^enter the root of the container/),
      because: expect.stringContaining("EAGAIN"),
    });
    closeSync(built.write);
    await launched.wait();
  });
});

describe("its end", () => {
  test("is told as its status; of a signal as 128 + n", async () => {
    expect(await start(box, commandOf({ args: ["sh", "-c", "exit 7"] })).wait()).toBe(7);
    expect(await start(box, commandOf({ args: ["sh", "-c", "kill -9 $$"] })).wait()).toBe(137);
  });

  test("comes with the supervisor's, unless it is orphaned", async () => {
    for (const kind of ["tied", "orphaned"] as const) {
      const [input, written] = [pipe(), pipe()];
      const launched = start(box, commandOf({ args: ["sh", "-c", "echo up; read line; echo $line"] }), {
        supervision: { kind },
        stdio: [input.read, written.write, "inherit"],
      });
      for (const fd of [input.read, written.write]) closeSync(fd);
      const pid = (await launched.nextEvent())?.value ?? 0;
      await launched.executed();
      await readUntil(written.read, /up/);
      if (kind === "tied") {
        process.kill(launched.pid, "SIGKILL");
        await gone([pid]);
        await launched.wait();
      } else {
        expect(await launched.wait()).toBe(0);
        writeSync(input.write, "alive\n");
        await readUntil(written.read, /alive/);
        await gone([pid]);
      }
      for (const fd of [input.write, written.read]) closeSync(fd);
    }
  });
});

describe("a terminal", () => {
  test("is one of the box's own, of the size and with the user that it is asked for", async () => {
    const [ours, theirs] = socketpair(SOCK_STREAM);
    const script = "tty; stty size; stat -c %u $(tty); ls -l /proc/self/fd/0 | grep -c /dev/pts/; echo done";
    const launched = start(
      box,
      commandOf({ terminal: true, consoleSize: { height: 33, width: 99 }, args: ["sh", "-c", script] }),
      { fds: { console: theirs }, stdio: ["ignore", "ignore", "inherit"], blockingConsole: true },
    );
    closeSync(theirs);
    const master = receiveDescriptors(ours, 16).fds[0] ?? -1;
    closeSync(ours);
    expect(fstatSync(master).isCharacterDevice()).toBe(true);
    const chunk = new Uint8Array(4096);
    let text = "";
    while (!text.includes("done")) text += new TextDecoder().decode(chunk.subarray(0, readSync(master, chunk)));
    expect(text).toBe("/dev/pts/0\r\n33 99\r\n0\r\n1\r\ndone\r\n");
    expect(await launched.wait()).toBe(0);
    closeSync(master);
  });

  test("is none when the box has put something else there", async () => {
    await using hostile = await openBox(
      { options: { capAdd: ["SYS_ADMIN"] }, confined: false },
      () => {},
      "mount -t tmpfs x /dev/pts; touch /dev/pts/ptmx",
    );
    const [ours, theirs] = socketpair(SOCK_STREAM);
    const launched = start(hostile, commandOf({ terminal: true }), { fds: { console: theirs } });
    closeSync(theirs);
    const error = await launched.wait().catch((each: unknown) => each);
    expect(error).toMatchObject({ code: "LAUNCH_FAILED", step: expect.stringMatching(/^open a terminal/) });
    expect(receiveDescriptors(ours, 16).fds).toEqual([]);
    closeSync(ours);
  });
});

describe.if(isRoot)("a box that shares its mount namespace", () => {
  const config: BoxSettings["config"] = ({ hostname: _, ...given }) => ({
    ...given,
    linux: { ...given.linux, namespaces: [{ type: "pid" }] },
  });

  test("is entered by its directory, never as the root of the host", async () => {
    await using shared = await openBox({ config });
    const root = openSync(`/proc/${shared.container.pid}/root`, O_PATH | O_DIRECTORY);
    const seen = await output(
      shared,
      "readlink /proc/self/ns/mnt; ls -d /tmp/up; ls -d /proc/self/root/../tmp/up",
      {},
      {
        fds: { root },
        ownDirectory: true,
      },
    );
    closeSync(root);
    expect(seen).toBe(`${namespaceOf("self", "mnt")}\n/tmp/up\n/proc/self/root/../tmp/up`);
    expect(await failure(shared, {})).toMatchObject({
      step: expect.stringMatching(/^enter the root of the container/),
    });
  });
});

describe.if(isRoot)("a box of root without a user namespace", () => {
  test("is joined in the namespaces that it has", async () => {
    await using plain = await openBox({
      config: (config) => ({
        ...config,
        linux: {
          ...config.linux,
          namespaces: config.linux.namespaces.filter(({ type }) => type !== "user" && type !== "ipc"),
        },
      }),
    });
    const kinds: readonly NamespaceType[] = ["user", "ipc", "mount", "pid"];
    const script = kinds.map((type) => `readlink /proc/self/ns/${namespaceFiles[type]}`).join(";");
    expect((await output(plain, script)).split("\n")).toEqual(
      kinds.map((type) =>
        namespaceOf(type === "user" || type === "ipc" ? "self" : plain.container.pid, namespaceFiles[type]),
      ),
    );
  });
});
