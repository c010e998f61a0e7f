/** The user's terminal joined to the box's: raw mode, both directions, resizing; restored whatever happens. */
import { closeSync, constants, openSync, writeSync } from "node:fs";
import {
  getTerminalState,
  getWindowSize,
  rawState,
  setTerminalState,
  setWindowSize,
  type WindowSize,
} from "../../ffi/terminal.ts";
import { DevboxError, errnoName } from "../core/errors.ts";
import type { RuntimeProcess } from "../oci/runtime.ts";

/** The size of the user's terminal; undefined when neither stdin nor stdout is one. */
export function terminalSize(): WindowSize | undefined {
  for (const stream of [0, 1]) {
    try {
      return getWindowSize(stream);
    } catch {
      // ENOTTY: the other may be one.
    }
  }
  return undefined;
}

/** The process of a terminal, with the size of the user's. */
export function withTerminalSize<P extends Pick<RuntimeProcess, "consoleSize">>(process: P): P {
  const size = terminalSize();
  return size === undefined ? process : { ...process, consoleSize: { height: size.rows, width: size.columns } };
}

/**
 * Whether the user's terminal was closed: from then on the kernel answers every ioctl(2) with EIO, before it sends SIGHUP
 * (drivers/tty/tty_io.c, __tty_hangup).
 */
export function isHungUp(): boolean {
  return [0, 1, 2].some((stream) => {
    try {
      getWindowSize(stream);
      return false;
    } catch (error) {
      return errnoName(error) === "EIO";
    }
  });
}

export interface JoinedTerminal extends Disposable {
  /** Resolves when everything that the box wrote has been passed on. */
  readonly drained: Promise<void>;
}

/**
 * Joins descriptor 0 and 1 to the master of the box's terminal until disposed, and closes the master then. A stdin that
 * is no terminal (`-t` in a script) is passed on as it is, and its end becomes the box's end of file.
 * @param master not blocking.
 * @param interactive false: stdin is left alone.
 */
export function joinTerminal(master: number, interactive: boolean): JoinedTerminal {
  const restore = interactive ? enterRawMode() : undefined;
  const input = interactive ? passInput(master, { end: restore === undefined ? "mark" : "nothing" }) : undefined;
  const drained = passOutput(master);
  const resize = (): void => {
    const size = terminalSize();
    if (size !== undefined) setWindowSize(master, size);
  };
  process.on("SIGWINCH", resize);
  // It may have changed since the box was planned.
  resize();
  return {
    drained,
    [Symbol.dispose]() {
      process.off("SIGWINCH", resize);
      restore?.();
      // Not before the last call that uses it: the number may be another file's by then.
      Promise.allSettled([input?.stop(), drained]).then(() => closeSync(master));
    },
  };
}

/** Puts the terminal of stdin into raw mode, until what is returned is called, or devbox exits; undefined: there is none. */
/**
 * Joins the terminals (see `joinTerminal`) until all that was printed has been passed on, and `run` is over.
 * @param run lets the command go on, and waits for its end
 */
export async function joinUntilEnd(master: number, interactive: boolean, run: () => Promise<number>): Promise<number> {
  using joined = joinTerminal(master, interactive);
  const [status] = await Promise.all([run(), joined.drained]);
  return status;
}

export function enterRawMode(): (() => void) | undefined {
  try {
    const before = getTerminalState(0);
    setTerminalState(0, rawState(before));
    const restore = (): void => {
      process.off("exit", restore);
      try {
        setTerminalState(0, before);
      } catch {
        // EIO: the terminal is gone, and nobody looks at it.
      }
    };
    process.on("exit", restore);
    return restore;
  } catch (error) {
    // ENOTTY: stdin is a pipe or a file. EIO: a terminal that was hung up, or a background job of a shell.
    if (["ENOTTY", "EIO", "EBADF"].includes(errnoName(error) ?? "")) return undefined;
    throw error;
  }
}

/** VEOF: what the line discipline of the box takes for the end of input (termios(3)); within a line only for the line's. */
const endOfFile = 4;
const newline = 10;

export interface PassedInput {
  /**
   * What the end of stdin is to the box: on a terminal the character that says so, on a pipe its end. "nothing": whoever types
   * has gone, and others may come.
   */
  readonly end: "mark" | "close" | "nothing";
  /** What of the bytes goes to the box; undefined: no more does from here on. */
  readonly filter?: (bytes: Uint8Array) => Uint8Array | undefined;
}

/**
 * Passes stdin on to a descriptor, which stays the caller's unless its end is to be closed.
 *
 * Both directions wait by polling, never in a read(2) or write(2): Bun has as few threads for those as there are
 * processors, and a box that does not read its input must not keep its output from being read.
 */
export function passInput(to: number, { end, filter = (bytes) => bytes }: PassedInput): { stop(): Promise<void> } {
  const { fd, close } = openInput();
  const reader = Bun.file(fd).stream().getReader();
  let isStopped = false;
  const passed = (async () => {
    let last = newline;
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      const bytes = filter(value);
      if (bytes === undefined) return;
      last = bytes.at(-1) ?? last;
      await writeAll(to, bytes, () => isStopped);
    }
    const mark = last === newline ? [endOfFile] : [endOfFile, endOfFile];
    if (end === "mark") await writeAll(to, Uint8Array.from(mark), () => isStopped);
    if (end === "close") closeSync(to);
  })()
    // The box may be gone, and stdin may be closed: both are no reason to end a box that still runs.
    .catch(() => {});
  return {
    async stop() {
      isStopped = true;
      await reader.cancel().catch(() => {});
      await passed;
      close();
    },
  };
}

/**
 * stdin opened anew, so that not blocking (fcntl(2), O_NONBLOCK) is ours alone: the shell and others share descriptor 0.
 * A socket cannot be opened so, nor what belongs to another user.
 */
function openInput(): { readonly fd: number; close(): void } {
  try {
    const fd = openSync("/proc/self/fd/0", constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY);
    return { fd, close: () => closeSync(fd) };
  } catch {
    return { fd: 0, close() {} };
  }
}

async function passOutput(master: number): Promise<void> {
  try {
    for await (const chunk of Bun.file(master).stream()) await writeAll(1, chunk, () => false);
  } catch (error) {
    // The last slave's close ends the stream with EIO: the normal end of a pseudoterminal (pty(7)).
    if (errnoName(error) !== "EIO") throw error;
  }
}

function notWritten(cause: unknown): DevboxError {
  const hint = "make room where stdout goes, or send it elsewhere";
  return new DevboxError("SYSCALL_FAILED", { step: "pass on the output of the box", cause, hint });
}

/** Writes all of it, waiting where the descriptor does not. A reader that is gone is no failure. */
export async function writeAll(fd: number, bytes: Uint8Array, isStopped: () => boolean): Promise<void> {
  for (let done = 0; done < bytes.length && !isStopped(); ) {
    try {
      done += writeSync(fd, bytes, done);
    } catch (error) {
      const name = errnoName(error);
      if (name === "EPIPE" || name === "EIO" || name === "EBADF") return;
      if (name !== "EAGAIN") throw notWritten(error);
      await Bun.sleep(1);
    }
  }
}
