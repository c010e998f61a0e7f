/** The two streams: stdout is data, stderr everything else. Synchronous, so nothing is lost at exit and nothing overtakes. */
import { writeSync } from "node:fs";
import { errnoName } from "../../core/errors.ts";

/**
 * Writes to stdout. Exact bytes: the caller ends lines. When the reader has gone (`devbox images | head -1`), nothing is
 * written and nothing is wrong: the command ends as it would have.
 */
export function writeOut(text: string): void {
  writeAll(1, text);
}

/** Writes to stderr; a closed stderr is ignored, for there is nobody left to tell. */
export function writeError(text: string): void {
  writeAll(2, text);
}

function writeAll(fd: number, text: string): void {
  let rest = Buffer.from(text);
  while (rest.length > 0) {
    try {
      rest = rest.subarray(writeSync(fd, rest));
    } catch (error) {
      const name = errnoName(error);
      if (name === "EPIPE" || name === "EBADF") return; // gone, or closed from the start
      // The description is shared: another process may have made it non-blocking (ssh and many event loops do).
      if (name !== "EAGAIN") throw error;
      Bun.sleepSync(1);
    }
  }
}
