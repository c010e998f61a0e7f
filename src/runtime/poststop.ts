/** poststop hooks: after everything else is gone. */
import { DevboxError, describeCause } from "../core/errors.ts";
import { stateOf } from "./container.ts";
import { runHookProgram } from "./hooks.ts";
import type { ContainerRecord } from "./record.ts";

/** One that fails keeps none of the others (runtime-spec runtime.md "Lifecycle" step 13). */
export async function runPoststopHooks(record: ContainerRecord, warn: (warning: string) => void): Promise<void> {
  const state = stateOf(record, "stopped");
  for (const [index, hook] of (record.config.hooks?.poststop ?? []).entries()) {
    await runHookProgram("poststop", hook, state, index).catch((error) => warn(warningOf(error)));
  }
}

/** In the words of crun, which its users look for. */
function warningOf(error: unknown): string {
  const status = error instanceof DevboxError ? /^exit status (\d+)/.exec(error.because ?? "")?.[1] : undefined;
  const text = describeCause(error);
  return status === undefined ? text : `poststop hook failed with exit code ${status}: ${text}`;
}
