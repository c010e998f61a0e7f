/**
 * The standard streams of a box that outlives devbox. Its output goes through pipes, or its terminal, to the monitor, which
 * writes the log; its input comes from nowhere or, with --interactive, from a FIFO in its directory that `attach` writes to.
 */
import { chmodSync, closeSync, constants, mkdirSync, openSync, rmSync } from "node:fs";
import { join } from "node:path";
import { AT_FDCWD, O_CLOEXEC, O_DIRECTORY } from "../../ffi/constants.ts";
import { mknodat, pipe2 } from "../../ffi/libc.ts";
import type { RunOptions } from "../bundle/options.ts";
import { closeOnce } from "../core/close-once.ts";
import type { Stdio } from "../launch/launch.ts";
import { storeError } from "../store/atomic-write.ts";
import { endedPath } from "../store/box-state.ts";
import type { BoxPaths } from "../store/types.ts";
import { logDirectory } from "./log-files.ts";

/** FIFOs in the directory of a box. */
export const fifoNames = { stdin: "stdin", input: "input", resize: "resize" } as const;

export interface DetachedStreams extends Disposable {
  readonly stdio: readonly [Stdio, Stdio, Stdio];
  /** For the monitor, by the names that `MonitorRequest.descriptors` knows. */
  readonly descriptors: Readonly<Record<string, number>>;
  /** Of an input that ends: the caller's, to be closed at the end. */
  readonly writer: number | undefined;
}

/**
 * What an interactive box without a terminal reads. "open": from whoever attaches, one after the other, without an end.
 * "once": from this devbox, which holds the writing end: its end is the end of the box's input.
 */
export type Input = "open" | "once";

/** Makes the files and pipes anew. Disposed of after the launch: the box and its monitor have theirs. */
export function openStreams(
  paths: BoxPaths,
  { tty, interactive, log }: Pick<RunOptions, "interactive" | "log" | "tty">,
  input: Input,
): DetachedStreams {
  const closers: (() => void)[] = [];
  const own = (fd: number): number => {
    closers.push(closeOnce(fd));
    return fd;
  };
  const dispose = (): void => {
    for (const close of closers) close();
  };
  try {
    const files = {
      ended: own(openSync(endedPath(paths), "w", 0o600)),
      ...(log.driver === "none" ? {} : { log: own(openLogDirectory(paths)) }),
    };
    if (tty) {
      const [input, resize] = [fifoNames.input, fifoNames.resize].map((name) =>
        own(makeFifo(join(paths.directory, name))),
      );
      const descriptors = { ...files, input: given(input), resize: given(resize) };
      return { stdio: ["ignore", "ignore", "ignore"], descriptors, writer: undefined, [Symbol.dispose]: dispose };
    }
    const [stdout, stdoutOfBox] = pipe2(O_CLOEXEC).map(own);
    const [stderr, stderrOfBox] = pipe2(O_CLOEXEC).map(own);
    const stdin = interactive ? openStdin(join(paths.directory, fifoNames.stdin), input) : undefined;
    if (stdin !== undefined) own(stdin.reader);
    return {
      stdio: [stdin?.reader ?? "ignore", given(stdoutOfBox), given(stderrOfBox)],
      descriptors: { ...files, stdout: given(stdout), stderr: given(stderr) },
      writer: stdin?.writer,
      [Symbol.dispose]: dispose,
    };
  } catch (error) {
    dispose();
    throw storeError(error, `make the streams of the box in ${paths.directory}`);
  }
}

/** pipe2 gives two. */
function given(fd: number | undefined): number {
  if (fd === undefined) throw new Error("there is no such descriptor");
  return fd;
}

function openLogDirectory(paths: BoxPaths): number {
  mkdirSync(logDirectory(paths), { recursive: true, mode: 0o700 });
  return openSync(logDirectory(paths), constants.O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

/** Opening one end alone waits for the other (fifo(7)): with both of one's own it does not. */
function openStdin(path: string, input: Input): { readonly reader: number; readonly writer: number | undefined } {
  const both = makeFifo(path);
  if (input === "open") return { reader: both, writer: undefined };
  try {
    const reader = openSync(path, constants.O_RDONLY | O_CLOEXEC);
    return { reader, writer: openSync(path, constants.O_WRONLY | O_CLOEXEC) };
  } finally {
    closeSync(both);
  }
}

/** Opened both ways. */
function makeFifo(path: string): number {
  rmSync(path, { force: true });
  mknodat(AT_FDCWD, path, constants.S_IFIFO | 0o666, 0);
  // The user of the box gets it; the directory is closed to all others.
  chmodSync(path, 0o666);
  return openSync(path, constants.O_RDWR | O_CLOEXEC);
}
