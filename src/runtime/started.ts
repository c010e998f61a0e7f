/** What every process that is begun has in common: its pid, and the streams that it gets. */
import { fstatSync } from "node:fs";
import { SIGINT } from "../../ffi/constants.ts";
import { DevboxError } from "../core/errors.ts";
import type { Launched, Stdio } from "../launch/launch.ts";
import type { RuntimeProcess } from "../oci/runtime.ts";

/** Standard streams that are pipes and would be closed to the user of the box. */
export function pipesToGive({ terminal, user }: RuntimeProcess, stdio: readonly Stdio[]): number[] {
  if (terminal === true || user.uid === 0) return [];
  return stdio.flatMap((stream, number) => (isPipe(stream === "inherit" ? number : stream) ? [number] : []));
}

function isPipe(stream: number | "ignore"): boolean {
  try {
    return stream !== "ignore" && fstatSync(stream).isFIFO();
  } catch {
    return false; // a stream that is closed is nobody's
  }
}

/** Of the init process, as the host counts, as soon as it exists. */
export async function startedPid(launched: Launched): Promise<number> {
  const event = await launched.nextEvent();
  if (event?.event === "started") return event.value;
  const status = await launched.wait();
  const step = "start the box";
  if (status === 128 + SIGINT) throw new DevboxError("INTERRUPTED", { step, because: "interrupted" });
  throw new DevboxError("LAUNCH_FAILED", { step, because: `the launcher ended early, with status ${status}` });
}
