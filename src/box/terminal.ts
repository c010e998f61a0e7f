/** The user's terminal joined to the box's: raw mode, both directions, resizing; restored whatever happens. */
import { createReadStream, writeSync } from "node:fs";
import {
  getTerminalState,
  getWindowSize,
  rawState,
  setTerminalState,
  setWindowSize,
  type WindowSize,
} from "../../ffi/terminal.ts";
import { errnoName } from "../core/errors.ts";

/** The size of the user's terminal; undefined when stdin is none. */
export function terminalSize(): WindowSize | undefined {
  try {
    return getWindowSize(0);
  } catch {
    return undefined;
  }
}

export interface JoinedTerminal extends Disposable {
  /** Resolves when everything that the box wrote has been passed on. */
  readonly drained: Promise<void>;
}

/**
 * Joins descriptor 0 and 1 to the master of the box's terminal until disposed. A stdin that is no terminal (`-t` in a
 * script) is passed on as it is, and its end becomes the box's end of file.
 */
export function joinTerminal(master: number): JoinedTerminal {
  const restore = enterRawMode();
  const resize = (): void => {
    const size = terminalSize();
    if (size !== undefined) setWindowSize(master, size);
  };
  process.on("SIGWINCH", resize);
  const stopInput = passInput(master, restore !== undefined);
  const drained = passOutput(master);
  return {
    drained,
    [Symbol.dispose]() {
      stopInput();
      process.off("SIGWINCH", resize);
      if (restore !== undefined) {
        process.off("exit", restore);
        restore();
      }
    },
  };
}

function enterRawMode(): (() => void) | undefined {
  try {
    const before = getTerminalState(0);
    setTerminalState(0, rawState(before));
    const restore = (): void => setTerminalState(0, before);
    process.on("exit", restore);
    return restore;
  } catch (error) {
    // ENOTTY: stdin is a pipe or a file.
    if (errnoName(error) === "ENOTTY") return undefined;
    throw error;
  }
}

/** VEOF: what the line discipline of the box takes for the end of input (termios(3)). */
const endOfFile = Uint8Array.of(4);

function passInput(master: number, isTerminal: boolean): () => void {
  const input = createReadStream("", { fd: 0, autoClose: false, highWaterMark: 16 * 1024 });
  input.on("data", (chunk) => writeAll(master, Buffer.from(chunk)));
  // The box may be gone, and stdin may be closed: both are no reason to end a box that still runs.
  input.on("error", () => input.destroy());
  if (!isTerminal) input.on("end", () => writeAll(master, endOfFile));
  return () => input.destroy();
}

/** The last slave's close ends the stream with EIO: the normal end of a pseudoterminal (pty(7)). */
function passOutput(master: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const output = createReadStream("", { fd: master, highWaterMark: 64 * 1024 });
    output.on("data", (chunk) => writeAll(1, Buffer.from(chunk)));
    output.on("end", resolve);
    output.on("error", (error) => (errnoName(error) === "EIO" ? resolve() : reject(error)));
  });
}

/** Writes all of it, also to a descriptor that somebody made non-blocking. A reader that is gone is no failure. */
function writeAll(fd: number, bytes: Uint8Array): void {
  for (let done = 0; done < bytes.length; ) {
    try {
      done += writeSync(fd, bytes, done);
    } catch (error) {
      const name = errnoName(error);
      if (name === "EAGAIN") Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1);
      else if (name === "EPIPE" || name === "EIO" || name === "EBADF") return;
      else throw error;
    }
  }
}
