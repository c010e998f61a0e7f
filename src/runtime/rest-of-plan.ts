/** What an init process has still to do when `create` has ended: in whose words `start` tells what failed of it. */
import type { LaunchPlan, Op } from "../../ffi/launcher/wire.ts";
import type { DevboxError } from "../core/errors.ts";
import { type FailedReport, findFailure, launchError } from "../launch/failure.ts";
import { explainFailure } from "./explain-failure.ts";

/** The operations of a plan from `first` on, as the launcher numbers them, without the data that they need. */
export interface RestOfPlan {
  readonly title: string;
  readonly first: number;
  readonly ops: readonly Op[];
}

/**
 * @param before number of operations of the plan that it continues
 * @param gate name of the descriptor where it waits
 */
export function restOfPlan({ title, ops }: LaunchPlan, before: number, gate: string): RestOfPlan {
  const at = Math.max(
    0,
    ops.findIndex((op) => op.kind === "syscall" && op.args.some((argument) => isFd(argument, gate))),
  );
  return { title, first: before + at, ops: ops.slice(at).map(withoutData) };
}

function isFd(argument: unknown, name: string): boolean {
  return typeof argument === "object" && argument !== null && "fd" in argument && argument.fd === name;
}

function withoutData(op: Op): Op {
  switch (op.kind) {
    case "syscall":
      return { ...op, args: [] };
    case "expectSuccess":
    case "fail":
    case "mark":
    case "jump":
      return "status" in op ? { ...op, status: nothing } : op;
    default:
      // Nothing of these ever fails in a way of its own.
      return { kind: "exit", code: 0 };
  }
}

const nothing = { bytes: new Uint8Array() } as const;

/** A report of failure that came after the gate. */
export function restError(rest: RestOfPlan, report: FailedReport): DevboxError {
  const op = report.op === undefined ? undefined : report.op - rest.first;
  const plan: LaunchPlan = { title: rest.title, ops: rest.ops, fds: [] };
  const failure = findFailure(plan, { ...report, op });
  const better = failure === undefined ? undefined : explainFailure(failure);
  return better ?? launchError(plan, report, failure);
}
