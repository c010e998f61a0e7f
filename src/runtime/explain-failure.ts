/** Failures of a box's plan for which there is more to say than the errno: whose fault it is, and what to do. */
import {
  describeErrno,
  EACCES,
  EAGAIN,
  EINVAL,
  ELOOP,
  ENOENT,
  ENOTDIR,
  ENOTTY,
  EPERM,
  EROFS,
  errnoNameOf,
} from "../../ffi/errno.ts";
import type { SyscallName } from "../../ffi/syscalls.ts";
import { DevboxError } from "../core/errors.ts";
import type { LaunchFailure } from "../launch/failure.ts";

/** execve(2): no format that the kernel knows. */
const ENOEXEC = 8;

/** The better error, or undefined where LAUNCH_FAILED with label and errno says it all. */
export function explainFailure(failure: LaunchFailure): DevboxError | undefined {
  return isCommand(failure) ? explainCommand(failure) : explainStep(failure);
}

/** The command's own execve(2), or the search for it before. Helpers are executed too, but have none to look further for. */
function isCommand({ op, label }: LaunchFailure): boolean {
  const looksFurther = op.kind === "fail" || (op.kind === "syscall" && (op.tolerate?.length ?? 0) > 0);
  return looksFurther && label.startsWith("execute ");
}

/** What the command itself is to blame for gets docker's exit codes 126 and 127. */
function explainCommand({ label: step, errno, cause }: LaunchFailure): DevboxError {
  if (errno === ENOENT) {
    const because = step.includes("/")
      ? "there is no such file in the box, or the interpreter that its first line names is missing (ENOENT)"
      : "there is no such command in the box's PATH (ENOENT)";
    return new DevboxError("COMMAND_NOT_FOUND", { step, because, cause });
  }
  if (errno !== ENOEXEC)
    return new DevboxError("COMMAND_NOT_EXECUTABLE", { step, because: describeErrno(errno), cause });
  return new DevboxError("COMMAND_NOT_EXECUTABLE", {
    step,
    because: "it is made for another kind of processor, or a script without #! in its first line (ENOEXEC)",
    hint: "take an image for this machine: devbox pull again without --platform; or install an emulator: qemu-user-static",
    cause,
  });
}

interface Rule {
  readonly labels: RegExp;
  readonly errnos: readonly number[];
  /** Only of this system call. */
  readonly call?: SyscallName;
  /** Where the words of the errno do not say it. */
  readonly because?: string;
  readonly hint: string;
}

function explainStep({ label: step, op, errno, cause }: LaunchFailure): DevboxError | undefined {
  const called = op.kind === "syscall" ? op.call : undefined;
  const rule = rules.find(
    ({ labels, errnos, call }) => labels.test(step) && errnos.includes(errno) && (call ?? called) === called,
  );
  if (rule === undefined) return undefined;
  const { hint } = rule;
  const because = rule.because === undefined ? describeErrno(errno) : `${rule.because} (${errnoNameOf(errno)})`;
  return new DevboxError("LAUNCH_FAILED", { step, because, hint, cause });
}

/** The first that fits counts. */
const rules: readonly Rule[] = [
  {
    labels: /^join linux\.namespaces\[/,
    errnos: [EINVAL, ENOTTY],
    because: "what lies there is no namespace of that type",
    hint: "name the file of a namespace: /proc/PID/ns/TYPE, or what it is bound to (ip-netns(8): /run/netns/NAME)",
  },
  {
    labels: /^join linux\.namespaces\[/,
    errnos: [EPERM],
    hint: "a namespace can be joined by whoever is root of the user namespace that it belongs to: join that one as well",
  },
  {
    labels: /^enter the root of the container: /,
    errnos: [EAGAIN],
    because: "its command does not run yet",
    hint: "try again in a moment",
  },
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
    labels: /^(?:find AppArmor|set the AppArmor profile )/,
    errnos: [ENOENT, EINVAL],
    because: "AppArmor is not in use here, or has no such profile",
    hint: "load the profile, or take process.apparmorProfile out of config.json",
  },
  {
    labels: /^find SELinux/,
    errnos: [ENOENT],
    because: "SELinux is not in use here",
    hint: "take process.selinuxLabel out of config.json",
  },
  {
    labels: /^set the scheduler SCHED_DEADLINE/,
    errnos: [EPERM],
    because: "process scheduler can't be used together with AllowedCPUs, nor without CAP_SYS_NICE on the host",
    hint: "take linux.resources.cpu.cpus out of config.json (sched_setattr(2)), or process.scheduler",
  },
  {
    labels: /^set the (?:scheduler|I\/O priority) /,
    errnos: [EPERM],
    hint: "without CAP_SYS_NICE on the host only nicer ones can be had",
  },
  {
    labels: /^mount (?:proc|sysfs) /,
    errnos: [EPERM],
    hint: "parts of /proc or /sys are hidden here, as in a container: give that one the right to see them whole",
  },
  {
    labels: /^(?:make the (?:mount point|working directory)|replace the dangling symlink) \/(?:proc|sys)\//,
    errnos: [EACCES, ENOENT, EPERM, EROFS],
    because: "only the kernel makes files in /proc and /sys",
    hint: "choose another place in the box",
  },
  {
    labels: /^make the (?:mount point|working directory) /,
    errnos: [EACCES, EROFS],
    hint: "the box needs it there, and you may not write to its root file system: make it beforehand",
  },
  {
    labels: /^enter the working directory /,
    errnos: [ENOTDIR, ENOENT, ELOOP],
    because: "what the image has there is no directory",
    hint: "give a directory, or a path that is not there: -w DIR",
  },
  {
    labels: /^enter the mount point \/(?:proc|sys)$/,
    errnos: [ENOTDIR, ENOENT, ELOOP],
    because: "it must be mounted on ordinary directory, and the image has none there",
    hint: "take away what the image has there: a directory is made where there is nothing",
  },
  {
    labels: /^enter the mount point /,
    errnos: [ENOTDIR, ENOENT, ELOOP],
    because: "what the image has there is no directory",
    hint: "a directory can be mounted only on a directory, or where there is nothing: choose another place in the box",
  },
  {
    labels: /^bind .* on \//,
    errnos: [EINVAL],
    call: "open_tree",
    because: "something is mounted below it, and a user namespace may not show what that covers",
    hint: "bind it with all that is mounted below: rbind",
  },
  {
    labels: /^bind .* on \//,
    errnos: [EPERM],
    call: "mount_setattr",
    because: "the host has it otherwise, and a user namespace may not take that away",
    hint: "leave out the option that the host's own mount contradicts: see it in /proc/self/mountinfo",
  },
  {
    labels: /^map the ids of the mount /,
    errnos: [EPERM],
    because: "only root of the machine may map the ids of its file systems",
    hint: "leave out the id map, or change the owners of the files",
  },
  {
    labels: /^map the ids of the mount /,
    errnos: [EINVAL],
    because: "its file system cannot do that, or has an id map already",
    hint: "ext4, xfs, btrfs and tmpfs can; an overlay can not",
  },
  {
    labels: /^bind .* on \//,
    errnos: [EINVAL],
    hint: "a file can be mounted only on a file, a directory only on a directory: look at what the image has there",
  },
];
