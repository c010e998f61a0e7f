/** The pipe through which plans go to the launcher. Its end is the launcher's sign that we have given up, or are gone. */
import { writeSync } from "node:fs";
import { O_CLOEXEC } from "../../ffi/constants.ts";
import { pipe2 } from "../../ffi/libc.ts";
import { closeOnce } from "../core/close-once.ts";
import { errnoName } from "../core/errors.ts";

export interface PlanPipe {
  /** The end for the launcher to inherit. */
  readonly theirs: number;
  /** After the launch: so that their death is seen as a broken pipe. */
  closeTheirs(): void;
  /**
   * Writes a plan whole. One that is larger than a pipe (64 KiB, pipe(7)) waits for the launcher to read, which it does
   * whatever becomes of us; that it has ended is no error, since it has reported why.
   */
  write(plan: Uint8Array): void;
  /** No more plans will come. */
  close(): void;
}

export function openPlanPipe(): PlanPipe {
  const [theirs, ours] = pipe2(O_CLOEXEC);
  const closeTheirs = closeOnce(theirs);
  const closeOurs = closeOnce(ours);
  return {
    theirs,
    closeTheirs,
    write(plan) {
      try {
        for (let done = 0; done < plan.length; ) done += writeSync(ours, plan, done);
      } catch (error) {
        if (errnoName(error) !== "EPIPE") throw error;
      }
    },
    close() {
      closeTheirs();
      closeOurs();
    },
  };
}
