/** The user's terminal joined to the box's: raw mode, both directions, resizing; restored whatever happens. */
import { closeSync, createReadStream, write } from "node:fs";
import { promisify } from "node:util";
import {
  getTerminalState,
  getWindowSize,
  rawState,
  setTerminalState,
  setWindowSize,
  type WindowSize,
} from "../../ffi/terminal.ts";
import { errnoName } from "../core/errors.ts";

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

export interface JoinedTerminal extends Disposable {
  /** Resolves when everything that the box wrote has been passed on. */
  readonly drained: Promise<void>;
}

/**
 * Joins descriptor 0 and 1 to the master of the box's terminal until disposed, and closes the master then. A stdin that
 * is no terminal (`-t` in a script) is passed on as it is, and its end becomes the box's end of file.
 * @param interactive false: stdin is left alone.
 */
export function joinTerminal(master: number, interactive: boolean): JoinedTerminal {
  const restore = interactive ? enterRawMode() : undefined;
  const input = interactive ? passInput(master, restore !== undefined) : undefined;
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
      if (restore !== undefined) {
        process.off("exit", restore);
        restore();
      }
      // Not before the last call that uses it: the number may be another file's by then.
      Promise.allSettled([input?.stop(), drained]).then(() => closeSync(master));
    },
  };
}

function enterRawMode(): (() => void) | undefined {
  try {
    const before = getTerminalState(0);
    setTerminalState(0, rawState(before));
    const restore = (): void => {
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

/** Writes are awaited one by one, without the thread: a box that does not read must not keep its output from being read. */
function passInput(master: number, isTerminal: boolean): { stop(): Promise<void> } {
  const input = createReadStream("", { fd: 0, autoClose: false, highWaterMark: 16 * 1024 });
  let writing = Promise.resolve();
  let isStopped = false;
  let last = newline;
  input.on("data", (chunk) => {
    if (isStopped) return;
    const bytes = Buffer.from(chunk);
    last = bytes.at(-1) ?? last;
    input.pause();
    writing = writeAll(master, bytes).then(() => void input.resume());
  });
  // The box may be gone, and stdin may be closed: both are no reason to end a box that still runs.
  input.on("error", () => input.destroy());
  input.on("end", () => {
    if (isTerminal || isStopped) return;
    const end = last === newline ? [endOfFile] : [endOfFile, endOfFile];
    writing = writing.then(() => writeAll(master, Uint8Array.from(end)));
  });
  return {
    stop() {
      isStopped = true;
      input.destroy();
      return writing;
    },
  };
}

async function passOutput(master: number): Promise<void> {
  const output = createReadStream("", { fd: master, autoClose: false, highWaterMark: 64 * 1024 });
  try {
    for await (const chunk of output) await writeAll(1, Buffer.from(chunk));
  } catch (error) {
    // The last slave's close ends the stream with EIO: the normal end of a pseudoterminal (pty(7)).
    if (errnoName(error) !== "EIO") throw error;
  }
}

const writeSome = promisify(write);

/** Writes all of it, also to a descriptor that somebody made non-blocking. A reader that is gone is no failure. */
async function writeAll(fd: number, bytes: Uint8Array): Promise<void> {
  for (let done = 0; done < bytes.length; ) {
    try {
      const { bytesWritten } = await writeSome(fd, bytes, done);
      done += bytesWritten;
    } catch (error) {
      const name = errnoName(error);
      if (name === "EPIPE" || name === "EIO" || name === "EBADF") return;
      if (name !== "EAGAIN") throw error;
      await Bun.sleep(1);
    }
  }
}
