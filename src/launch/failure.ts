/** A launcher's report of failure in the user's words. */
import { CLONE_NEWUSER } from "../../ffi/constants.ts";
import { describeErrno, ENOSPC, EPERM, ETIMEDOUT, EUSERS, SyscallError } from "../../ffi/errno.ts";
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
  /** The operation by its place in the plan, for --debug. */
  readonly cause: SyscallError;
}

export type FailedReport = Extract<LaunchReport, { readonly kind: "failed" }>;

/** What a report says about its plan; undefined if the launcher refused the plan as a whole. */
export function findFailure(plan: LaunchPlan, report: FailedReport): LaunchFailure | undefined {
  const op = report.op === undefined ? undefined : plan.ops[report.op];
  if (op === undefined || report.op === undefined) return undefined;
  const label = "label" in op ? op.label : op.kind;
  const call = op.kind === "syscall" ? op.call : op.kind;
  const { errno, detail } = report;
  const cause = new SyscallError(call, errno, `(operation ${report.op} of the plan "${plan.title}")`);
  return { label, op, index: report.op, errno, detail, cause };
}

/** LAUNCH_FAILED with the step that failed and why; INTERNAL if the launcher refused the plan. `cause` names the operation. */
export function launchError(plan: LaunchPlan, report: FailedReport, failure: LaunchFailure | undefined): DevboxError {
  if (failure === undefined) {
    const because = `the launcher refused it: ${describeErrno(report.errno)}, check ${report.detail}`;
    return new DevboxError("INTERNAL", { step: `read the launch plan "${plan.title}"`, because });
  }
  const { errno, detail, label: step, cause } = failure;
  if (errno === 0) return helperError(step, detail, cause);
  const denial = makesUserNamespace(failure) ? denials[errno] : undefined;
  if (denial !== undefined) return new DevboxError("USERNS_DENIED", { step, ...denial, cause });
  // For a program that was waited for; errno(3) speaks of connections.
  const because =
    errno === ETIMEDOUT && failure.op.kind === "fail" ? "it took too long (ETIMEDOUT)" : describeErrno(errno);
  return new DevboxError("LAUNCH_FAILED", { step, because, cause });
}

/** The helpers that a plan waits for write id maps; what they have to say, they have written to stderr. */
function helperError(step: string, status: number, cause: SyscallError): DevboxError {
  const because = `exit status ${status}`;
  const file = { newuidmap: "/etc/subuid", newgidmap: "/etc/subgid" }[step];
  if (file === undefined) return new DevboxError("LAUNCH_FAILED", { step, because, cause });
  const hint = `${step} must be setuid root, or have the capability, and ${file} must grant you the ids: see devbox doctor`;
  return new DevboxError("LAUNCH_FAILED", { step, because, hint, cause });
}

function makesUserNamespace({ op }: LaunchFailure): boolean {
  if (op.kind !== "syscall" || op.call !== "clone") return false;
  const [flags] = op.args;
  return typeof flags === "number" && (flags & CLONE_NEWUSER) !== 0;
}

const limits = {
  hint: "allow more: sudo sysctl user.max_user_namespaces=65536; other kinds have theirs: sysctl -a | grep user.max_",
};

/** What clone(2) means by these when it makes namespaces; the words of errno(3) tell of disks and users. */
const denials: Readonly<Record<number, { readonly because: string; readonly hint?: string }>> = {
  [EPERM]: { because: "this machine does not let you make user namespaces (EPERM)" },
  [ENOSPC]: { because: "user.max_user_namespaces or a limit of its kind is reached (ENOSPC)", ...limits },
  // Before 4.9, and for namespaces that are nested too deep.
  [EUSERS]: { because: "user.max_user_namespaces or a limit of its kind is reached (EUSERS)", ...limits },
};
