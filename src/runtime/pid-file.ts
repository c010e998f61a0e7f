/** `--pid-file`. */
import { renameSync, rmSync, writeFileSync } from "node:fs";
import { SIGKILL } from "../../ffi/constants.ts";
import { DevboxError } from "../core/errors.ts";
import { sendSignal } from "./signal.ts";

/**
 * Whoever waits for the file never sees half of it. It may be wanted in a directory where others write as well: so the name in between
 * is one that nobody can have made a link of (`wx` is O_EXCL, open(2)).
 * @throws DevboxError STATE_UNUSABLE
 */
export function writePidFile(path: string, pid: number): void {
  const temporary = `${path}.${crypto.randomUUID()}`;
  try {
    writeFileSync(temporary, String(pid), { flag: "wx" });
    renameSync(temporary, path);
  } catch (cause) {
    rmSync(temporary, { force: true });
    throw new DevboxError("STATE_UNUSABLE", {
      step: `write ${path}`,
      cause,
      hint: "name another file: --pid-file FILE",
    });
  }
}

/** The same for a process that runs already: one that nobody can be told of is ended. */
export function writePidFileOrEnd(path: string, pid: number): void {
  try {
    writePidFile(path, pid);
  } catch (error) {
    sendSignal(pid, SIGKILL);
    throw error;
  }
}
