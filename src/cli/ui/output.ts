/** The two streams: stdout is data, stderr everything else. Synchronous, so nothing is lost at exit and nothing overtakes. */
import { writeSync } from "node:fs";
import { DevboxError, errnoName } from "../../core/errors.ts";

/**
 * Writes to stdout. Exact bytes: the caller ends lines. When the reader has gone (`devbox images | head -1`), nothing is
 * written and nothing is wrong: the command ends as it would have.
 * @throws DevboxError SYSCALL_FAILED where the disk under it is full, or the like.
 */
export function writeOut(text: string): void {
  try {
    writeAll(1, text);
  } catch (cause) {
    throw new DevboxError("SYSCALL_FAILED", {
      step: "write the output",
      cause,
      hint: "make room where stdout goes, or send it elsewhere",
    });
  }
}

/**
 * Writes bytes to stdout or stderr as they are.
 * @returns false: the reader has gone. @throws DevboxError SYSCALL_FAILED where the disk under it is full, or the like.
 */
export function writeBytes(fd: 1 | 2, bytes: Uint8Array): boolean {
  try {
    return writeAll(fd, bytes);
  } catch (cause) {
    const hint = "make room where the output goes, or send it elsewhere";
    throw new DevboxError("SYSCALL_FAILED", { step: "write the output", cause, hint });
  }
}

/** Writes to stderr. What goes wrong with that cannot be told to anybody. */
export function writeError(text: string): void {
  try {
    writeAll(2, text);
  } catch {
    // The exit status still says it.
  }
}

/** Whether somebody reads it. */
function writeAll(fd: number, content: string | Uint8Array): boolean {
  let rest = typeof content === "string" ? Buffer.from(content) : content;
  while (rest.length > 0) {
    try {
      rest = rest.subarray(writeSync(fd, rest));
    } catch (error) {
      const name = errnoName(error);
      if (name === "EPIPE" || name === "EBADF") return false; // gone, or closed from the start
      // The description is shared: another process may have made it non-blocking (ssh and many event loops do).
      if (name !== "EAGAIN") throw error;
      Bun.sleepSync(1);
    }
  }
  return true;
}
