/** Failures of a box's plan for which there is more to say than the errno: whose fault it is, and what to do. */
import { describeErrno, EACCES, EINVAL, ENOENT, EPERM, EROFS } from "../../ffi/errno.ts";
import { DevboxError } from "../core/errors.ts";
import type { LaunchFailure } from "../launch/failure.ts";

/** execve(2): no format that the kernel knows. */
const ENOEXEC = 8;

/** The better error, or undefined where LAUNCH_FAILED with label and errno says it all. */
export function explainFailure(failure: LaunchFailure): DevboxError | undefined {
  return isCommand(failure) ? explainCommand(failure) : explainStep(failure);
}

/** Only the command's own execve(2) tolerates errors; helpers have none to look further for. */
function isCommand({ op }: LaunchFailure): boolean {
  return op.kind === "fail" || (op.kind === "syscall" && op.call === "execve" && (op.tolerate?.length ?? 0) > 0);
}

/** What the command itself is to blame for gets docker's exit codes 126 and 127. */
function explainCommand({ label: step, errno }: LaunchFailure): DevboxError {
  if (errno === ENOENT) {
    const because = step.includes("/")
      ? "there is no such file in the box, or the interpreter that its first line names is missing"
      : "there is no such command in the box's PATH";
    return new DevboxError("COMMAND_NOT_FOUND", { step, because });
  }
  const because =
    errno === ENOEXEC
      ? "it is made for another kind of processor, or a script without #! in its first line"
      : describeErrno(errno);
  return new DevboxError("COMMAND_NOT_EXECUTABLE", { step, because });
}

function explainStep({ label: step, errno }: LaunchFailure): DevboxError | undefined {
  const hint = hints.find(({ labels, errnos }) => labels.test(step) && errnos.includes(errno))?.hint;
  return hint === undefined
    ? undefined
    : new DevboxError("LAUNCH_FAILED", { step, because: describeErrno(errno), hint });
}

const hints: readonly { readonly labels: RegExp; readonly errnos: readonly number[]; readonly hint: string }[] = [
  {
    labels: /^(?:open|set) the sysctl /,
    errnos: [EACCES, EPERM, ENOENT],
    hint: "a box can set only what belongs to its own namespaces: net.*, kernel.shm*, kernel.msg*, kernel.sem, fs.mqueue.*",
  },
  {
    labels: /^set the limit /,
    errnos: [EPERM],
    hint: "a box cannot have more than your own hard limit: see ulimit -H -a",
  },
  {
    labels: /^mount (?:proc|sysfs) /,
    errnos: [EPERM],
    hint: "parts of /proc or /sys are hidden here, as in a container: give that one the right to see them whole",
  },
  {
    labels: /^make the (?:mount point|working directory) /,
    errnos: [EACCES, EROFS],
    hint: "the box needs it there, and you may not write to its root file system: make it beforehand",
  },
  {
    labels: /^bind .* on \//,
    errnos: [EINVAL],
    hint: "a file can be mounted only on a file, a directory only on a directory: look at what the image has there",
  },
];
