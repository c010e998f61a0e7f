/** `--init`: the command as a child of PID 1 of its namespace, which reaps orphans and passes signals on. */
import { SIG_SETMASK } from "../../ffi/constants.ts";
import { EBADF } from "../../ffi/errno.ts";
import { firstNamedFd, planFd } from "../../ffi/launcher/format.ts";
import type { PlanBuilder } from "./plan.ts";

/** sigset_t of the kernel: 64 signals, a bit each. */
const sigsetBytes = 8;

/**
 * Append: become PID 1 for a child; `command` appends what the child does, which ends with an execve. Nothing follows.
 *
 * All descriptors but 0, 1, 2 and the report pipe are closed before the child exists: through /proc/1/fd it could reach
 * a directory of the host otherwise. The report pipe tells of a command that cannot be executed.
 * Signals are blocked before as well: PID 1 of a namespace loses those that it does not wait for (pid_namespaces(7)).
 */
export function becomeInit(plan: PlanBuilder, command: () => void): void {
  const all = plan.bytes(new Uint8Array(sigsetBytes).fill(0xff));
  plan.syscall("close the plan's descriptor", "close", [planFd], { tolerate: [EBADF] });
  plan.syscall("close all descriptors of the host", "close_range", [firstNamedFd, 0xffff_ffff, 0]);
  plan.syscall("hold signals back", "rt_sigprocmask", [SIG_SETMASK, all, 0, sigsetBytes]);
  const child = plan.fork("start the command below init", 0, () => {
    plan.syscall("let signals through", "rt_sigprocmask", [SIG_SETMASK, plan.buffer(sigsetBytes), 0, sigsetBytes]);
    command();
  });
  plan.add({ kind: "init", slot: child });
}
