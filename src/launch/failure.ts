/** A launcher's report of failure in the user's words. */
import { describeErrno, SyscallError } from "../../ffi/errno.ts";
import type { LaunchPlan, LaunchReport, Op } from "../../ffi/launcher/wire.ts";
import { DevboxError } from "../core/errors.ts";

/** The operation that failed. */
export interface LaunchFailure {
  /** What it was to do: the operation's label. */
  readonly label: string;
  readonly op: Op;
  /** Index of the operation in the plan. */
  readonly index: number;
  /** 0 if not a system call but a helper program has failed. */
  readonly errno: number;
  /** Exit status of the helper program, else 0. */
  readonly detail: number;
}

export type FailedReport = Extract<LaunchReport, { readonly kind: "failed" }>;

/** What a report says about its plan; undefined if the launcher refused the plan as a whole. */
export function findFailure(plan: LaunchPlan, report: FailedReport): LaunchFailure | undefined {
  const op = report.op === undefined ? undefined : plan.ops[report.op];
  if (op === undefined || report.op === undefined) return undefined;
  const label = "label" in op ? op.label : op.kind;
  return { label, op, index: report.op, errno: report.errno, detail: report.detail };
}

/** LAUNCH_FAILED with the step that failed and why; INTERNAL if the launcher refused the plan. `cause` names the operation. */
export function launchError(plan: LaunchPlan, report: FailedReport, failure: LaunchFailure | undefined): DevboxError {
  if (failure === undefined) {
    const because = `the launcher refused it: ${describeErrno(report.errno)}, check ${report.detail}`;
    return new DevboxError("INTERNAL", { step: `read the launch plan "${plan.title}"`, because });
  }
  const { op, index, errno, detail, label } = failure;
  const call = op.kind === "syscall" ? op.call : op.kind;
  return new DevboxError("LAUNCH_FAILED", {
    step: label,
    because: errno === 0 ? `exit status ${detail}` : describeErrno(errno),
    cause: new SyscallError(call, errno, `(operation ${index} of the plan "${plan.title}")`),
  });
}
