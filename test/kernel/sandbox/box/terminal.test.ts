/** A box with a terminal of its own: who owns it, who controls it, and what ends it. */
import { afterAll, expect, test } from "bun:test";
import { closeSync, readSync, writeSync } from "node:fs";
import { setWindowSize } from "../../../../ffi/terminal.ts";
import { errnoName } from "../../../../src/core/errors.ts";
import { create } from "../../../../src/runtime/create.ts";
import { type BoxSettings, boxInput, openWorkshop } from "../../../helpers/busybox-box.ts";
import { collect } from "../../../helpers/devbox.ts";

const workshop = openWorkshop();
afterAll(() => workshop[Symbol.asyncDispose]());

interface Session extends Disposable {
  readonly master: number;
  output(pattern: RegExp): Promise<RegExpMatchArray>;
  type(text: string): void;
  /** All that was shown, and the exit status. */
  readonly end: Promise<readonly [text: string, status: number]>;
}

/** The end of a pseudoterminal is EIO (pty(7)). */
async function* untilHangUp(master: number): AsyncGenerator<Uint8Array> {
  try {
    yield* Bun.file(master).stream();
  } catch (error) {
    if (errnoName(error) !== "EIO") throw error;
  }
}

/** Resolves as soon as there is something to read, and reads it, without a reader that would hold the master open. */
async function readSome(master: number): Promise<void> {
  for (;;) {
    try {
      readSync(master, new Uint8Array(100));
      return;
    } catch (error) {
      if (errnoName(error) !== "EAGAIN") throw error;
      await Bun.sleep(1);
    }
  }
}

async function open(script: string, settings: BoxSettings = {}): Promise<Session> {
  const size = { height: 33, width: 99 };
  const input = boxInput(workshop, ["/bin/sh", "-c", script], {
    ...settings,
    options: { ...settings.options, tty: true },
    config: (config) => ({ ...config, process: { ...config.process, consoleSize: size } }),
  });
  const { terminal: master, start, launched } = await create(input);
  if (master === undefined) throw new Error("no terminal");
  const shown = collect(untilHangUp(master));
  start();
  const status = launched.wait();
  return {
    master,
    output: shown.until,
    type: (text) => void writeSync(master, text),
    end: Promise.all([status, shown.ended]).then(([code]) => [shown.text(), code] as const),
    [Symbol.dispose]: () => closeSync(master),
  };
}

async function shown(script: string, settings: BoxSettings = {}): Promise<string[]> {
  using session = await open(script, settings);
  return (await session.end)[0].trim().split("\r\n");
}

test("it is the streams, the controlling terminal and /dev/console, and has the size that was asked for", async () => {
  const script = "tty; stty size; (echo controlling > /dev/tty); stat -c '%t:%T' /dev/console /dev/pts/0; ls /dev/pts";
  const lines = await shown(script);
  expect(lines.slice(0, 3)).toEqual(["/dev/pts/0", "33 99", "controlling"]);
  const [console, pts, ...names] = lines.slice(3);
  expect(console).toBe(String(pts));
  expect(names.join(" ").split(/\s+/).sort()).toEqual(["0", "ptmx"]);
});

test("it belongs to the user, who may open it anew", async () => {
  const script = "stat -c '%u %g %a' /dev/console /dev/pts/0; echo opened > /dev/stdout; echo again > $(tty)";
  const [console, pts, ...opened] = await shown(script, { options: { user: "dev" } });
  expect(console).toMatch(/^1000 \d+ 620$/);
  expect(pts).toBe(String(console));
  expect(opened).toEqual(["opened", "again"]);
});

test("what is typed is echoed once and read", async () => {
  using session = await open("echo ready; read line; echo got $line");
  await session.output(/ready/);
  session.type("hello\r");
  expect(await session.end).toEqual(["ready\r\nhello\r\ngot hello\r\n", 0]);
});

test.each([false, true])("ctrl-c reaches the foreground once, --init: %p", async (init) => {
  using session = await open("trap 'echo caught' INT; echo ready; read line; echo $line", { options: { init } });
  await session.output(/ready/);
  session.type("\x03");
  await session.output(/caught/);
  session.type("end\r");
  const [text, status] = await session.end;
  expect(text.match(/caught/g)).toHaveLength(1);
  expect(status).toBe(0);
});

test("a change of size is told", async () => {
  using session = await open("trap 'stty size; exit 4' WINCH; echo ready; while :; do sleep 0.01; done");
  await session.output(/ready/);
  setWindowSize(session.master, { rows: 11, columns: 22 });
  const [text, status] = await session.end;
  expect(text).toContain("11 22");
  expect(status).toBe(4);
});

test("all that was written is there, although the box has ended", async () => {
  const lines = await shown("i=0; while [ $i -lt 3000 ]; do echo line $i; i=$((i+1)); done");
  expect(lines).toHaveLength(3000);
  expect(lines.at(-1)).toBe("line 2999");
});

test("closing the master hangs up: a shell that reads ends", async () => {
  const input = boxInput(workshop, ["/bin/sh", "-c", "echo r; while read line; do :; done; exit 6"], {
    options: { tty: true },
  });
  const { terminal, start, launched } = await create(input);
  start();
  if (terminal === undefined) throw new Error("no terminal");
  // Not before the box has taken it.
  await readSome(terminal);
  closeSync(terminal);
  expect(await launched.wait()).toBe(6);
});

test("without one there is no console", async () => {
  const { terminal, launched, start } = await create(boxInput(workshop, ["/bin/sh", "-c", "test ! -e /dev/console"]));
  start();
  expect(terminal).toBeUndefined();
  expect(await launched.wait()).toBe(0);
});
