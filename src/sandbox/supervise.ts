/** What becomes of the launcher when the process that it has begun is there. */
import { becomeMonitor } from "../launch/monitor.ts";
import type { PlanBuilder } from "../launch/plan.ts";
import type { Supervision } from "./input.ts";

/**
 * The last steps of the launcher: tell that the process in slot `process` is there, and look after it, or leave it to whoever
 * adopts it.
 */
export function supervise(plan: PlanBuilder, supervision: Supervision, process: number): void {
  if (supervision.kind === "monitored") {
    becomeMonitor(plan, supervision.monitor, process);
    return;
  }
  plan.add({ kind: "report", event: "started", slot: process });
  if (supervision.kind === "tied") plan.add({ kind: "supervise", slot: process, tied: true });
  else plan.add({ kind: "exit", code: 0 });
}
