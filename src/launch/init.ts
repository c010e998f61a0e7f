/** `--init`: the command as a child of PID 1 of its namespace, which reaps orphans and passes signals on. */
import { O_CLOEXEC, SIG_SETMASK } from "../../ffi/constants.ts";
import { EBADF, EINVAL } from "../../ffi/errno.ts";
import { firstNamedFd, planFd, reportFd } from "../../ffi/launcher/format.ts";
import type { PlanBuilder } from "./plan.ts";

/** sigset_t of the kernel: 64 signals, a bit each. */
const sigsetBytes = 8;

/**
 * Append: become PID 1 for a child; `command` appends what the child does, which ends with an execve. Nothing follows.
 *
 * All descriptors but 0, 1, 2 and the report pipe are closed before the child exists: through /proc/1/fd it could reach
 * a directory of the host otherwise. The report pipe tells of a command that cannot be executed.
 * Signals are blocked before as well: PID 1 of a namespace loses those that it does not wait for (pid_namespaces(7)).
 *
 * `executed`: name of a descriptor that the child keeps until it executes the command, so that its end tells of that. Then
 * PID 1 closes it, and the report pipe, before the child does anything: nothing of the command can hold them open.
 */
export function becomeInit(plan: PlanBuilder, command: () => void, executed?: string): void {
  const all = plan.bytes(new Uint8Array(sigsetBytes).fill(0xff));
  plan.syscall("close the plan's descriptor", "close", [planFd], { tolerate: [EBADF] });
  const kept = executed === undefined ? 0 : 1;
  if (executed !== undefined) {
    // The first of the named ones may be it already: then dup3(2) has nothing to do, and says so.
    const place = [plan.fd(executed), firstNamedFd, O_CLOEXEC];
    plan.syscall("keep what ends at exec", "dup3", place, { tolerate: [EINVAL] });
  }
  plan.syscall("close all descriptors of the host", "close_range", [firstNamedFd + kept, 0xffff_ffff, 0]);
  plan.syscall("hold signals back", "rt_sigprocmask", [SIG_SETMASK, all, 0, sigsetBytes]);
  const closed = executed === undefined ? undefined : plan.pipe("make the pipe that releases the command");
  const child = plan.fork("start the command below init", 0, () => {
    if (closed !== undefined) {
      plan.syscall("close the other end", "close", [{ slot: closed.write }]);
      plan.syscall("wait for init to close its descriptors", "read", [{ slot: closed.read }, plan.buffer(1), 1]);
    }
    plan.syscall("let signals through", "rt_sigprocmask", [SIG_SETMASK, plan.buffer(sigsetBytes), 0, sigsetBytes]);
    command();
  });
  if (closed !== undefined) {
    for (const fd of [firstNamedFd, reportFd, { slot: closed.read }, { slot: closed.write }])
      plan.syscall("leave what ends at exec to the command", "close", [fd]);
  }
  plan.add({ kind: "init", slot: child });
}
