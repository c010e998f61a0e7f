/** Where the init process waits for a sign from outside. */
import type { PlanBuilder } from "../launch/plan.ts";

/** Steps that wait for a byte from the descriptor `name`; its end without one means that the box is given up. */
export function passGate(plan: PlanBuilder, name: string, label: string): void {
  const givenUp = plan.mark("devbox has given up");
  const go = plan.mark("go");
  plan.syscall(label, "read", [plan.fd(name), plan.buffer(1), 1], { onZero: givenUp });
  plan.add({ kind: "jump", to: go });
  plan.here(givenUp);
  plan.add({ kind: "exit", code: 125 });
  plan.here(go);
}
