/**
 * Joining the caller's streams to a box in the background: its output is read from its log, its input goes through the FIFO in
 * its directory. So any number of devboxes may attach, one after the other or at once, and none of them matters to the box.
 */
import { closeSync, constants, openSync, writeSync } from "node:fs";
import { join } from "node:path";
import { O_CLOEXEC } from "../../ffi/constants.ts";
import type { Context } from "../core/context.ts";
import { DevboxError, errnoName } from "../core/errors.ts";
import { isWatched } from "../store/box-state.ts";
import { boxEvent, recordEvent } from "../store/events.ts";
import { liveDirectory } from "../store/paths.ts";
import type { BoxPaths, BoxRecord, Store } from "../store/types.ts";
import { defaultDetachKeys, detachScanner, parseDetachKeys } from "./detach-keys.ts";
import { type LogReader, logDirectory, openLog } from "./log-files.ts";
import { followLog } from "./logs.ts";
import { type BoxSettings, readSettings } from "./settings.ts";
import { findRunning, openSettled, signalBox } from "./settled.ts";
import { forwardSignals } from "./signals.ts";
import { fifoNames } from "./streams.ts";
import { enterRawMode, passInput, terminalSize, writeAll } from "./terminal.ts";
import { exitCodeAtEnd } from "./wait.ts";

export interface AttachRequest {
  readonly stdin: boolean;
  readonly signals: boolean;
  /** undefined: those of the box, or the default. */
  readonly detachKeys: string | undefined;
}

/** undefined: the user has detached, and the box runs on. */
export type AttachEnd = number | undefined;

/** @returns the exit code of the box. @throws DevboxError BOX_NOT_FOUND, BOX_STATE */
export async function attachToBox(context: Context, name: string, request: AttachRequest): Promise<AttachEnd> {
  const { store } = openSettled(context);
  const { paths, record } = findRunning(store, name, "attach to");
  if (record.status === "paused") {
    throw new DevboxError("BOX_STATE", { step: `attach to the box ${record.name}`, because: "it is paused" });
  }
  using log = openLog(logDirectory(paths), "end");
  return await attach(context, { store, paths, record, log, writer: undefined }, request);
}

export interface AttachedBox {
  readonly store: Store;
  readonly paths: BoxPaths;
  readonly record: BoxRecord;
  /** Where its output is read from. */
  readonly log: LogReader;
  /** Of an input that ends with ours; undefined: it goes through the FIFO. */
  readonly writer: number | undefined;
}

/** Until the box ends for good, or the user types the keys. */
export async function attach(context: Context, box: AttachedBox, request: AttachRequest): Promise<AttachEnd> {
  const { store, paths, record, log } = box;
  const settings = readSettings(paths);
  if (settings === undefined || record.monitorPid === undefined) throw cannot(record, "it runs in the foreground");
  if (settings.options.log.driver === "none") throw cannot(record, "it was started with --log-driver none");
  const detached = new AbortController();
  await using _input = joinInput(box, settings, request, () => detached.abort());
  recordEvent(store, boxEvent("attach", record));
  using forwarder = request.signals ? forwardSignals() : undefined;
  forwarder?.to((signal) => void signalBox(record, signal));
  // Signals are for the box, or they end this devbox as they end any other.
  const signal = request.signals ? detached.signal : AbortSignal.any([detached.signal, context.signal]);
  const ends = { directory: liveDirectory(store), goesOn: () => isWatched(paths) };
  try {
    for await (const { stream, bytes } of followLog({ signal }, log, ends))
      await writeAll(stream === "stdout" ? 1 : 2, bytes, () => detached.signal.aborted);
    return await exitCodeAtEnd({ ...context, signal }, store, paths);
  } catch (error) {
    if (!detached.signal.aborted) throw error;
    recordEvent(store, boxEvent("detach", record));
    return undefined;
  }
}

function cannot(record: BoxRecord, because: string): DevboxError {
  return new DevboxError("BOX_STATE", { step: `attach to the box ${record.name}`, because });
}

/** The caller's stdin and, with a terminal, its size; until disposed. */
function joinInput(
  { paths, writer }: AttachedBox,
  { options }: BoxSettings,
  { stdin, detachKeys }: AttachRequest,
  onDetach: () => void,
): AsyncDisposable {
  const resize = options.tty ? passSize(join(paths.directory, fifoNames.resize)) : undefined;
  const name = options.tty ? fifoNames.input : fifoNames.stdin;
  const fifo = stdin && options.interactive ? (writer ?? openForWriting(join(paths.directory, name))) : undefined;
  const restore = fifo !== undefined && options.tty ? enterRawMode() : undefined;
  const keys = parseDetachKeys(detachKeys ?? options.detachKeys ?? defaultDetachKeys);
  const input =
    fifo === undefined
      ? undefined
      : passInput(fifo, {
          end: writer === undefined ? "nothing" : "close",
          ...(restore === undefined ? {} : { filter: detaching(keys, onDetach) }),
        });
  return {
    async [Symbol.asyncDispose]() {
      resize?.[Symbol.dispose]();
      restore?.();
      await input?.stop();
      if (fifo !== undefined && writer === undefined) closeSync(fifo);
    },
  };
}

function detaching(keys: Uint8Array, onDetach: () => void): (bytes: Uint8Array) => Uint8Array | undefined {
  const scanner = detachScanner(keys);
  return (bytes) => {
    const { pass, detached } = scanner.scan(bytes);
    if (!detached) return pass;
    onDetach();
    return undefined;
  };
}

/** Not blocking: whoever does not read must not stop us. undefined: nobody is there to read. */
function openForWriting(path: string): number | undefined {
  try {
    return openSync(path, constants.O_WRONLY | constants.O_NONBLOCK | O_CLOEXEC);
  } catch (error) {
    if (errnoName(error) === "ENXIO" || errnoName(error) === "ENOENT") return undefined;
    throw error;
  }
}

/** The size of the caller's terminal, now and when it changes, as the monitor reads it: struct winsize (ioctl_tty(2)). */
function passSize(path: string): Disposable | undefined {
  const fifo = openForWriting(path);
  if (fifo === undefined) return undefined;
  const send = (more: number): void => {
    const size = terminalSize();
    if (size === undefined) return;
    try {
      writeSync(fifo, new Uint8Array(Uint16Array.of(size.rows, size.columns + more, 0, 0).buffer));
    } catch {
      // It has ended, or has not read the last one yet.
    }
  };
  const onResize = (): void => send(0);
  process.on("SIGWINCH", onResize);
  // A program that draws on its terminal does so again when its size changes: whoever attaches wants to see it (docker).
  send(1);
  send(0);
  return {
    [Symbol.dispose]() {
      process.off("SIGWINCH", onResize);
      closeSync(fifo);
    },
  };
}
