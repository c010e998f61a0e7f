/** The two steps that every part of the plan needs. */
import type { Mark, PlanBuilder } from "../launch/plan.ts";

export interface Slot {
  readonly slot: number;
}

/** Close the descriptor in a slot. */
export function closeSlot(plan: PlanBuilder, slot: Slot): void {
  plan.syscall("close a descriptor", "close", [slot]);
}

export function jumpTo(plan: PlanBuilder, to: Mark): void {
  plan.add({ kind: "jump", to });
}
