/**
 * Signals to processes that may have ended a moment ago: hooks, and PID 1 of a box, which a process of the parent namespace
 * may signal (pid_namespaces(7)).
 */

/**
 * kill(2): to the process, or with a negative `pid` to the process group. That there is none any more (ESRCH) is no
 * error: whoever waits for it learns how it ended.
 */
export function sendSignal(pid: number, signal: number): void {
  try {
    process.kill(pid, signal);
  } catch {
    // ESRCH; another user's process (EPERM) cannot be among ours.
  }
}
