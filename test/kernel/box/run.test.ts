/** `run` as a program of its own, on a directory as the root: streams, signals, what stays on disk, and its sudden death. */
import { afterAll, describe, expect, test } from "bun:test";
import { chmodSync, mkdtempSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { RunOptions } from "../../../src/bundle/options.ts";
import { listBoxes } from "../../../src/store/boxes.ts";
import { openStore } from "../../../src/store/open.ts";
import { openWorkshop } from "../../helpers/busybox-box.ts";
import { collect } from "../../helpers/devbox.ts";
import { descendants, gone } from "../../helpers/processes.ts";

const workshop = openWorkshop();
afterAll(() => workshop[Symbol.asyncDispose]());
const program = join(import.meta.dir, "../../helpers/programs/run-box.ts");

interface Home {
  readonly store: string;
  start(script: string, options?: Partial<RunOptions>): Bun.Subprocess<"pipe", "pipe", "pipe">;
  run(script: string, options?: Partial<RunOptions>): Promise<{ stdout: string; stderr: string; status: number }>;
  /** Names of the boxes on disk. */
  boxes(): readonly string[];
}

function home(): Home {
  const store = mkdtempSync(join(workshop.path, "store-"));
  chmodSync(store, 0o755);
  const env = { ...process.env, DEVBOX_STORE: store };
  const spawn = (script: string, options: Partial<RunOptions> = {}) =>
    Bun.spawn(
      [process.execPath, program, workshop.root, JSON.stringify({ command: ["/bin/sh", "-c", script], ...options })],
      { env, stdin: "pipe", stdout: "pipe", stderr: "pipe" },
    );
  return {
    store,
    start: spawn,
    async run(script, options) {
      const child = spawn(script, options);
      child.stdin.end();
      const [stdout, stderr, status] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited]);
      return { stdout, stderr, status };
    },
    boxes: () => listBoxes(openStore({ DEVBOX_STORE: store }), () => {}).map(({ name }) => name),
  };
}

describe("streams and status", () => {
  test("are passed on", async () => {
    const { run, boxes } = home();
    expect(await run("echo out; echo err >&2; exit 42")).toEqual({ stdout: "out\n", stderr: "err\n", status: 42 });
    expect(await run("kill -9 $$; sleep 1000", { init: true })).toMatchObject({ status: 137 });
    expect(boxes()).toEqual([]);
  });

  test("stdin is there when it is asked for, else /dev/null", async () => {
    const child = home().start("cat; echo end", { interactive: true });
    child.stdin.write("hello\n");
    child.stdin.end();
    expect(await child.stdout.text()).toBe("hello\nend\n");
    expect(await home().run("readlink /proc/self/fd/0")).toMatchObject({ stdout: "/dev/null\n" });
  });

  test("a user of the box may open a pipe anew as /dev/stdout; files stay the host user's", async () => {
    const { store } = home();
    const options = JSON.stringify({ command: ["/bin/sh", "-c", "echo opened > /dev/stdout; id -u"], user: "dev" });
    const line = `"$1" "$2" "$3" "$4"`;
    const words = ["sh", "-c", `${line} | cat; ${line} > "$5" 2>/dev/null; stat -c %u "$5"`, "sh"];
    const file = join(store, "file");
    const child = Bun.spawn([...words, process.execPath, program, workshop.root, options, file], {
      env: { ...process.env, DEVBOX_STORE: store },
      stderr: "inherit",
    });
    expect(await child.stdout.text()).toBe(`opened\n1000\n${process.getuid?.()}\n`);
  });

  test("a port that devbox chose is told, one that was given is not", async () => {
    const free = { hostIp: "127.0.0.1", hostPort: 0, containerPort: 80, protocol: "tcp" } as const;
    const taken = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data: () => {} } });
    const given = { ...free, hostPort: taken.port, containerPort: 81 };
    taken.stop(true);
    const { stderr, status } = await home().run("true", { network: "slirp4netns", ports: [free, given] });
    expect(stderr).toMatch(/^published 127\.0\.0\.1:[1-9]\d* -> 80\/tcp\n$/);
    expect(status).toBe(0);
  });

  test("the command line's mistakes have docker's statuses", async () => {
    const { run, boxes } = home();
    expect(await run("", { command: ["nothing"], keep: true, name: "mine" })).toMatchObject({ status: 127 });
    expect(await run("", { command: ["/etc/passwd"], keep: true, name: "mine" })).toMatchObject({ status: 126 });
    expect(await run("", { workdir: "/etc/passwd", keep: true, name: "mine" })).toMatchObject({ status: 125 });
    // A box that never ran does not keep its name from the next try.
    expect(boxes()).toEqual([]);
    expect(await run("exit 3", { keep: true, name: "mine" })).toMatchObject({ status: 3 });
    expect(boxes()).toEqual(["mine"]);
  });
});

describe("a terminal", () => {
  const ignoring = "trap '' HUP; trap 'echo caught; exit 9' TERM; echo ready; while :; do sleep 0.05; done";

  /** A program in a session of its own, on a terminal that the test holds the other end of. */
  function onTerminal(tty: boolean) {
    const shown = Promise.withResolvers<void>();
    let text = "";
    const options = { command: ["/bin/sh", "-c", ignoring], tty, interactive: true, stopTimeoutSeconds: 0 };
    const child = Bun.spawn([process.execPath, program, workshop.root, JSON.stringify(options)], {
      env: { ...process.env, DEVBOX_STORE: home().store },
      terminal: {
        data: (_, data) => {
          text += Buffer.from(data).toString();
          if (text.includes("ready")) shown.resolve();
        },
      },
    });
    return { child, ready: shown.promise };
  }

  test.each([true, false])("that is closed ends a box that ignores it, -t: %p", async (tty) => {
    const { child, ready } = onTerminal(tty);
    await ready;
    child.terminal?.close();
    expect(await child.exited).toBe(137);
  });

  test("that is there leaves SIGHUP to the box", async () => {
    const { child, ready } = onTerminal(true);
    await ready;
    child.kill("SIGHUP");
    child.kill("SIGTERM");
    expect(await child.exited).toBe(9);
  });

  test("on a full disk is an error of the output, and the box is gone", async () => {
    const { store, boxes } = home();
    const options = JSON.stringify({ command: ["/bin/sh", "-c", "echo x; sleep 1000"], tty: true });
    const child = Bun.spawn([process.execPath, program, workshop.root, options], {
      env: { ...process.env, DEVBOX_STORE: store },
      stdout: Bun.file("/dev/full"),
      stderr: "pipe",
    });
    expect(await child.stderr.text()).toBe("pass on the output of the box: no space left on device (ENOSPC)\n");
    expect(await child.exited).toBe(125);
    expect(boxes()).toEqual([]);
  });
});

describe("signals", () => {
  test.each([false, true])("reach the command, --init: %p", async (init) => {
    const child = home().start("trap 'echo caught; exit 9' TERM; echo ready; while read line; do :; done", {
      interactive: true,
      init,
    });
    const output = collect(child.stdout);
    await output.until(/ready/);
    child.kill("SIGTERM");
    expect(await child.exited).toBe(9);
    await output.ended;
    expect(output.text()).toBe("ready\ncaught\n");
  });
});

test.each([
  ["a line and the beginning of one", "one\ntwo"],
  ["whole lines", "one\ntwo\n"],
  ["nothing", ""],
])("a terminal of the box alone: stdin is typed into it, and its end is the end of input: %s", async (_, text) => {
  const child = home().start("stty -echo -onlcr; cat; echo '|end'", { tty: true, interactive: true });
  child.stdin.write(text);
  child.stdin.end();
  // What was typed before echoing was off is there twice.
  expect(await child.stdout.text()).toEndWith(`${text}|end\n`);
});

test("a terminal without input: stdin is left alone", async () => {
  const child = home().start("tty; echo end", { tty: true, interactive: false });
  expect(await child.stdout.text()).toBe("/dev/pts/0\r\nend\r\n");
});

test("a terminal through which more is typed than fits, into a box that writes as much", async () => {
  const { store } = home();
  const options = {
    command: ["/bin/sh", "-c", "stty raw -echo; echo ready; head -c 400000"],
    tty: true,
    interactive: true,
  };
  let seen = "";
  const ready = Promise.withResolvers<void>();
  const child = Bun.spawn([process.execPath, program, workshop.root, JSON.stringify(options)], {
    env: { ...process.env, DEVBOX_STORE: store },
    terminal: {
      data: (_, data) => {
        seen += new TextDecoder("latin1").decode(data);
        if (seen.includes("ready")) ready.resolve();
      },
    },
  });
  await ready.promise;
  child.terminal?.write("x".repeat(400_000));
  expect(await child.exited).toBe(0);
  child.terminal?.close();
  expect(seen.match(/x/g)).toHaveLength(400_000);
});

describe("kill -9", () => {
  test.each([{ tty: false }, { tty: true }, { init: true }, { user: "dev" }])(
    "with %p: box, mounts and descriptors go",
    async (options) => {
      const { start, run, store, boxes } = home();
      const child = start("trap '' HUP TERM INT; echo ready; while :; do sleep 1000; done", options);
      await collect(child.stdout).until(/ready/);
      const pids = descendants(child.pid).map(({ pid }) => pid);
      // The program, its supervisor and the box at least.
      expect(pids.length).toBeGreaterThanOrEqual(3);
      child.kill("SIGKILL");
      await gone(pids);
      expect(readFileSync("/proc/self/mountinfo", "utf8")).not.toContain(store);
      expect(boxes()).toHaveLength(1);
      // The next one cleans up.
      expect(await run("true")).toMatchObject({ status: 0 });
      expect(boxes()).toEqual([]);
      expect(readdirSync(join(store, "boxes")).filter((name) => /^[0-9a-f]{64}$/.test(name))).toEqual([]);
    },
  );

  test("of the supervisor: the box goes, and the status says how", async () => {
    const child = home().start("echo ready; while :; do sleep 1000; done");
    await collect(child.stdout).until(/ready/);
    const [, supervisor, ...box] = descendants(child.pid).map(({ pid }) => pid);
    if (supervisor === undefined) throw new Error("no supervisor");
    process.kill(supervisor, "SIGKILL");
    expect(await child.exited).toBe(137);
    await gone(box);
  });
});
