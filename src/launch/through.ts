/**
 * Steps that begin a child by way of another process: namespaces are joined by a process (setns(2)), which a launcher that
 * stays outside cannot be. The child's parent is the launcher all the same (CLONE_PARENT), which can wait for it.
 */
import { CLONE_PARENT } from "../../ffi/constants.ts";
import type { PlanBuilder } from "./plan.ts";

/** A pid on its way. */
const pidBytes = 4;

export interface ThroughRequest {
  /** Of the child's clone, for the user. */
  readonly label: string;
  /** CLONE_NEW* of the child. */
  readonly flags: number;
  /** Appends what the process does before it clones the child, and ends. */
  readonly through: () => void;
}

/**
 * Append: begin a process that does what `through` appends, clones the child in the launcher's stead, and ends. The slot
 * returned holds the child's pid, as the launcher counts. A process that fails has reported why; the launcher then exits.
 */
export function forkThrough(plan: PlanBuilder, request: ThroughRequest, child: () => void): number {
  const { label, flags, through } = request;
  const [pid, digits] = [plan.slot(), plan.buffer(pidBytes)];
  plan.scoped(() => {
    const told = plan.pipe("make the pipe that tells the pid");
    const between = plan.fork("begin the process that joins namespaces", 0, () => {
      plan.syscall("close the launcher's end", "close", [{ slot: told.read }]);
      through();
      // clone(2): the pid is that of the caller's own pid namespace, the launcher's.
      const made = plan.fork(label, flags | CLONE_PARENT, () => {
        plan.syscall("close the pipe", "close", [{ slot: told.write }]);
        child();
      });
      plan.add({ kind: "store", slot: made, into: digits.data, offset: 0, width: pidBytes });
      plan.syscall("tell the pid", "write", [{ slot: told.write }, digits, pidBytes]);
    });
    plan.syscall("close the pid's writing end", "close", [{ slot: told.write }]);
    const [failed, made] = [plan.mark("it has failed"), plan.mark("the child is there")];
    plan.syscall("wait for the pid", "read", [{ slot: told.read }, digits, pidBytes], { onZero: failed });
    plan.add({ kind: "jump", to: made });
    plan.here(failed);
    plan.add({ kind: "exit", code: 125 });
    plan.here(made);
    plan.syscall("close the pid's reading end", "close", [{ slot: told.read }]);
    plan.waitForSuccess("the process that joins namespaces", between);
  });
  plan.add({ kind: "load", slot: pid, from: digits.data, offset: 0, width: pidBytes });
  return pid;
}
