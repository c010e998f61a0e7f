/** What becomes of the launcher when the process that it has begun is there. */
import type { PlanBuilder } from "../launch/plan.ts";
import type { Supervision } from "./input.ts";

/** The last steps of the launcher: look after the process in slot `process`, or leave it to whoever adopts it. */
export function supervise(plan: PlanBuilder, supervision: Supervision, process: number): void {
  if (supervision.kind === "tied") plan.add({ kind: "supervise", slot: process, tied: true });
  else if (supervision.kind === "orphaned") plan.add({ kind: "exit", code: 0 });
  else throw new Error("not yet");
}
