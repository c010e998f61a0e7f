/** Processes with a monitor beside them, without namespaces: what it writes, read independently of the code that devbox reads it with. */
import { closeSync, existsSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  AT_FDCWD,
  O_CLOEXEC,
  O_DIRECTORY,
  O_NOCTTY,
  O_NONBLOCK,
  O_RDONLY,
  O_RDWR,
  SCM_RIGHTS,
  SOCK_STREAM,
  SOL_SOCKET,
  TIOCGPTPEER,
  TIOCSCTTY,
  TIOCSPTLCK,
} from "../../ffi/constants.ts";
import type { Data } from "../../ffi/launcher/wire.ts";
import { pipe2 } from "../../ffi/libc.ts";
import { socketpair } from "../../ffi/socket.ts";
import { type Launched, launch } from "../../src/launch/launch.ts";
import { becomeMonitor, type MonitorRequest } from "../../src/launch/monitor.ts";
import { beginPlan, type LaunchPlan, type PlanBuilder } from "../../src/launch/plan.ts";

export interface Frame {
  readonly stream: number;
  readonly time: bigint;
  readonly text: string;
}

export interface Monitored extends Disposable {
  readonly launched: Launched;
  /** Of the child. */
  readonly pid: number;
  /** Its directory, with a log directory `log`, and FIFOs `input` and `resize` for a terminal. */
  readonly directory: string;
  /** Write to its stdin. */
  readonly input: (text: string) => void;
  frames(name?: string): Frame[];
  /** What was printed to all files of the log, oldest first. */
  printed(stream?: number): string;
  /** The record of the end; undefined as long as there is none. */
  ended(): { readonly status: number; readonly time: bigint } | undefined;
}

/** Waits for what another process does; a file system has no better way to tell. */
export async function until(what: string, condition: () => boolean): Promise<void> {
  for (let round = 0; round < 20_000; round++) {
    if (condition()) return;
    await Bun.sleep(1);
  }
  throw new Error(`not seen: ${what}`);
}

export interface MonitoredSettings extends Partial<Omit<MonitorRequest, "then">> {
  /** What the child does; a script of sh, or steps. */
  readonly child: string | ((plan: PlanBuilder) => void);
  /** What the monitor becomes: a script of sh. */
  readonly next?: string;
  readonly blockingTerminal?: boolean;
  /** The child ends before it has a terminal. */
  readonly endsEarly?: boolean;
  /** Another directory for the log. */
  readonly logDirectory?: string;
  /** Descriptors that are handed over besides. */
  readonly fds?: Readonly<Record<string, number>>;
}

/** Starts a child and its monitor; resolves when the child is there. */
export async function startMonitored(settings: MonitoredSettings): Promise<Monitored> {
  const { terminal = false, fds = {} } = settings;
  const directory = mkdtempSync(join(tmpdir(), "devbox-monitor-"));
  const logDirectory = settings.logDirectory ?? join(directory, "log");
  mkdirSync(logDirectory, { recursive: true });
  const stdin = pipe2(O_CLOEXEC);
  const [stdout, stderr, console] = [pipe2(O_CLOEXEC), pipe2(O_CLOEXEC), socketpair(SOCK_STREAM)];
  const descriptors = {
    log: openSync(logDirectory, O_RDONLY | O_DIRECTORY | O_CLOEXEC),
    ended: openSync(join(directory, "ended"), "w"),
    ...(terminal
      ? { input: openFifo(directory, "input"), resize: openFifo(directory, "resize"), "console-master": console[0] }
      : { stdout: stdout[0], stderr: stderr[0] }),
  };
  const plan = planMonitored(settings, Object.keys(descriptors), Object.keys(fds));
  const launched = launch(plan, {
    fds: { ...descriptors, ...(terminal ? { console: console[1] } : {}), ...fds },
    stdio: terminal ? ["ignore", "ignore", "inherit"] : [stdin[0], stdout[1], stderr[1]],
  });
  const all = [...Object.values(descriptors), ...stdout, ...stderr, ...console, stdin[0]];
  for (const fd of new Set(all)) closeSync(fd);
  const started = await launched.nextEvent();
  if (started?.event !== "started") throw new Error(`not started, but ${started?.event}`);
  const ended = () => readEnd(join(directory, "ended"));
  const frames = (name = "log"): Frame[] => readFrames(join(logDirectory, name), ended() !== undefined);
  return {
    launched,
    pid: started.value,
    directory,
    input: (text) => void writeSync(stdin[1], text),
    frames,
    printed: (stream) => {
      const names = ["log", ...Array.from({ length: 99 }, (_, i) => `log.${i + 1}`)].toReversed();
      const kept = names.flatMap((name) => (existsSync(join(logDirectory, name)) ? frames(name) : []));
      return kept.flatMap((frame) => (stream === undefined || frame.stream === stream ? [frame.text] : [])).join("");
    },
    ended,
    [Symbol.dispose]: () => {
      closeSync(stdin[1]);
      // Of a test that has failed.
      if (ended() === undefined) process.kill(started.value, "SIGKILL");
      rmSync(directory, { recursive: true });
    },
  };
}

function openFifo(directory: string, name: string): number {
  const path = join(directory, name);
  if (Bun.spawnSync(["mkfifo", path]).exitCode !== 0) throw new Error(`mkfifo ${path}`);
  return openSync(path, O_RDWR | O_CLOEXEC);
}

/** A plan whose launcher forks the child, and monitors it. */
export function planMonitored(
  settings: MonitoredSettings,
  descriptors: readonly string[],
  others: readonly string[],
): LaunchPlan {
  const { child, next = "exit 0", terminal = false, maxLogBytes = 0, maxLogFiles = 1, keep = [], beat } = settings;
  const plan = beginPlan("monitor a process");
  for (const name of [...descriptors, ...others]) plan.fd(name);
  const slot = plan.fork("start the child", 0, () => {
    if (settings.endsEarly === true) plan.add({ kind: "exit", code: 4 });
    if (terminal) takeTerminal(plan, settings.blockingTerminal === true);
    if (typeof child === "string") executeShell(plan, child);
    else child(plan);
  });
  if (terminal) plan.syscall("leave the socket to the child", "close", [plan.fd("console")]);
  const request: MonitorRequest = {
    descriptors: settings.descriptors ?? descriptors,
    terminal,
    // biome-ignore lint/suspicious/noThenProperty: a request that is never awaited.
    then: { path: "/bin/sh", args: ["sh", "-c", next], env: ["PATH=/bin:/usr/bin"] },
    keep,
    maxLogBytes,
    maxLogFiles,
    ...(beat === undefined ? {} : { beat }),
  };
  becomeMonitor(plan, request, slot);
  return plan.finish();
}

/** Append: become `sh -c SCRIPT`. */
export function executeShell(plan: PlanBuilder, script: string): void {
  const argv = plan.vector(["sh", "-c", script]);
  plan.syscall("execute sh", "execve", [plan.string("/bin/sh"), argv, plan.vector(["PATH=/bin:/usr/bin"])]);
}

/** As a box does it (src/sandbox/console.ts), on a terminal of the host's devpts. */
function takeTerminal(plan: PlanBuilder, blocking: boolean): void {
  const [master, slave] = [{ slot: plan.slot() }, { slot: plan.slot() }];
  const flags = O_RDWR | O_NOCTTY | O_CLOEXEC | (blocking ? 0 : O_NONBLOCK);
  plan.syscall("open a terminal", "openat", [AT_FDCWD, plan.string("/dev/ptmx"), flags, 0], { save: master.slot });
  plan.syscall("unlock it", "ioctl", [master, TIOCSPTLCK, plan.buffer(4)]);
  plan.syscall("open its slave", "ioctl", [master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC], { save: slave.slot });
  const control = plan.bytes(new Uint8Array(24));
  const view = new DataView(control.data.bytes.buffer);
  view.setBigUint64(0, 20n, true);
  view.setInt32(8, SOL_SOCKET, true);
  view.setInt32(12, SCM_RIGHTS, true);
  plan.add({ kind: "store", slot: master.slot, into: control.data, offset: 16, width: 4 });
  const iovec: Data = { bytes: new Uint8Array(16), pointers: [{ offset: 0, to: { bytes: new Uint8Array(8) } }] };
  new DataView(iovec.bytes.buffer).setBigUint64(8, 1n, true);
  const header = new Uint8Array(56);
  new DataView(header.buffer).setBigUint64(24, 1n, true);
  new DataView(header.buffer).setBigUint64(40, 24n, true);
  const message = plan.struct(header, { 16: { data: iovec }, 32: control });
  plan.syscall("send it", "sendmsg", [plan.fd("console"), message, 0]);
  plan.syscall("close the master", "close", [master]);
  plan.syscall("lead a session", "setsid", []);
  plan.syscall("take the terminal", "ioctl", [slave, TIOCSCTTY, 0]);
  for (const stream of [0, 1, 2]) plan.syscall("use it", "dup3", [slave, stream, 0]);
}

/** While it is written, the last may be there in part. */
function readFrames(path: string, complete: boolean): Frame[] {
  const bytes = existsSync(path) ? readFileSync(path) : Buffer.alloc(0);
  const frames: Frame[] = [];
  for (let at = 0; at < bytes.length; ) {
    if (!complete && (at + 16 > bytes.length || at + 16 + bytes.readUInt32LE(at) > bytes.length)) break;
    const [length, stream, time] = [bytes.readUInt32LE(at), bytes.readUInt32LE(at + 4), bytes.readBigInt64LE(at + 8)];
    if (at + 16 + length > bytes.length) throw new Error(`${path}: half a frame at ${at}`);
    frames.push({ stream, time, text: bytes.toString("latin1", at + 16, at + 16 + length) });
    at += 16 + length;
  }
  return frames;
}

function readEnd(path: string): { readonly status: number; readonly time: bigint } | undefined {
  const bytes = readFileSync(path);
  if (bytes.length === 0) return undefined;
  if (bytes.length !== 16 || bytes.readInt32LE(4) !== 0) throw new Error(`${path}: ${bytes.toString("hex")}`);
  return { status: bytes.readInt32LE(0), time: bytes.readBigInt64LE(8) };
}
