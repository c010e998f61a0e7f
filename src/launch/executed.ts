/**
 * The pipe that tells when a command is executed: the process that becomes it holds the writing end, alone, until the kernel
 * closes that at execve(2). A process that ends before closes it as well: then it has reported why, or was killed.
 */
import { O_CLOEXEC, O_NONBLOCK } from "../../ffi/constants.ts";
import { pipe2 } from "../../ffi/libc.ts";
import { closeOnce } from "../core/close-once.ts";

/** By this name a plan has its end, unless the caller gives another descriptor. */
export const executedName = "executed";

export interface ExecutedPipe {
  /** The end for the launcher to inherit, by its name. */
  readonly fds: Readonly<Record<string, number>>;
  closeTheirs(): void;
  /** Resolves when nobody holds their end any more; once. */
  ended(): Promise<void>;
  /** Not while somebody waits for the end, which closes it as well. */
  close(): void;
}

export function openExecutedPipe(): ExecutedPipe {
  const [ours, theirs] = pipe2(O_CLOEXEC | O_NONBLOCK);
  const closeTheirs = closeOnce(theirs);
  const closeOurs = closeOnce(ours);
  let isWatched = false;
  return {
    fds: { [executedName]: theirs },
    closeTheirs,
    async ended() {
      isWatched = true;
      try {
        await Bun.file(ours).bytes();
      } finally {
        closeOurs();
      }
    },
    close() {
      closeTheirs();
      if (!isWatched) closeOurs();
    },
  };
}
