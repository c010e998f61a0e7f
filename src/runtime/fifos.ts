/** The two FIFOs by which `start`, another process at another time, reaches the init process that `create` has left behind. */
import { closeSync, constants, existsSync, openSync, writeSync } from "node:fs";
import { AT_FDCWD, O_CLOEXEC } from "../../ffi/constants.ts";
import { mknodat } from "../../ffi/libc.ts";
import { closeOnce } from "../core/close-once.ts";
import { errnoName } from "../core/errors.ts";
import type { ContainerPaths } from "./state-directory.ts";

export interface Fifos extends Disposable {
  readonly start: number;
  readonly executed: number;
}

/**
 * Makes and opens them for the init process. Both ways: opening one end alone waits for the other (fifo(7)), and the init
 * process keeps both open until it executes the command, so that `start` finds somebody there.
 */
export function makeFifos(paths: ContainerPaths): Fifos {
  const start = makeFifo(paths.start);
  const executed = makeFifo(paths.executed);
  const [closeStart, closeExecuted] = [closeOnce(start), closeOnce(executed)];
  return {
    start,
    executed,
    [Symbol.dispose]() {
      closeStart();
      closeExecuted();
    },
  };
}

function makeFifo(path: string): number {
  mknodat(AT_FDCWD, path, constants.S_IFIFO | 0o600, 0);
  return openSync(path, constants.O_RDWR | O_CLOEXEC);
}

/** The reading end of the reports, not blocking; opened before the byte is written, so that none is missed. */
export function openExecuted(paths: ContainerPaths): number {
  return openSync(paths.executed, constants.O_RDONLY | constants.O_NONBLOCK | O_CLOEXEC);
}

/** Whether the init process waits for its start: it holds the FIFO until it executes the command. */
export function isAwaited(paths: ContainerPaths): boolean {
  try {
    const fd = openStart(paths);
    if (fd !== undefined) closeSync(fd);
    return fd !== undefined;
  } catch {
    return existsSync(paths.start); // closed to us; whoever may start it will find out
  }
}

/** Lets the command run; false: nobody waits for it any more. */
export function letStart(paths: ContainerPaths): boolean {
  const fd = openStart(paths);
  if (fd === undefined) return false;
  try {
    writeSync(fd, Uint8Array.of(1));
    return true;
  } catch (error) {
    if (errnoName(error) === "EPIPE") return false;
    throw error;
  } finally {
    closeSync(fd);
  }
}

/** undefined: nobody has its other end. */
function openStart(paths: ContainerPaths): number | undefined {
  try {
    return openSync(paths.start, constants.O_WRONLY | constants.O_NONBLOCK | O_CLOEXEC);
  } catch (error) {
    if (errnoName(error) === "ENXIO" || errnoName(error) === "ENOENT") return undefined;
    throw error;
  }
}
