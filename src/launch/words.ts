/** Numbers of system call arguments in words, for `explain`: the flags and options that a reader wants to see. */
import * as constants from "../../ffi/constants.ts";
import type { SyscallName } from "../../ffi/syscalls.ts";

/** How one argument is written. */
export type Writer = (value: number) => string;

/** The constants of a family, by prefix of their names. */
function family(...prefixes: readonly string[]): readonly (readonly [string, number])[] {
  return Object.entries(constants).filter(([name]) => prefixes.some((prefix) => name.startsWith(prefix)));
}

/** `MS_BIND|MS_REC`; what has no name is added in hexadecimal. */
function flags(...prefixes: readonly string[]): Writer {
  return (value) => {
    const names: string[] = [];
    // In 64 bits: some flags are above bit 31, and ~0 must not become all flags that there are.
    let rest = BigInt.asUintN(64, BigInt(value));
    for (const [name, bits] of family(...prefixes).toSorted((a, b) => b[1] - a[1])) {
      const mask = BigInt(bits);
      if (mask <= 0n || (rest & mask) !== mask) continue;
      names.unshift(name);
      rest &= ~mask;
    }
    if (rest !== 0n) names.push(`0x${rest.toString(16)}`);
    return names.length === 0 ? "0" : names.join("|");
  };
}

/** One name of a family, or the number. */
function oneOf(...prefixes: readonly string[]): Writer {
  return (value) => family(...prefixes).find(([, number]) => number === value)?.[0] ?? String(value);
}

const octal: Writer = (value) => (value === 0 ? "0" : `0${value.toString(8)}`);
const directory: Writer = (value) => (value === constants.AT_FDCWD ? "AT_FDCWD" : String(value));
const signal = oneOf("SIG");

const cloneFlags: Writer = (value) => {
  // The low byte is the signal at the child's end (clone(2)).
  const exitSignal = value % 256;
  const names = flags("CLONE_")(value - exitSignal);
  if (exitSignal === 0) return names;
  return names === "0" ? signal(exitSignal) : `${names}|${signal(exitSignal)}`;
};

/** PR_CAP_AMBIENT has operations of its own, which look like options by name (prctl(2)). */
const prctlOption: Writer = (value) =>
  value === constants.PR_CAP_AMBIENT ? "PR_CAP_AMBIENT" : oneOf("PR_SET_", "PR_CAPBSET_", "PR_GET_")(value);

const lastDescriptor: Writer = (value) => (value === 0xffff_ffff ? "~0" : String(value));

export const openFlags = flags("O_");
export const resolveFlags = flags("RESOLVE_");
export const mountAttributes = flags("MOUNT_ATTR_");
export const propagation = flags("MS_");
export const writeOctal = octal;

/** call → writers of its arguments by position. What is not here is written as a number. */
export const argumentWriters: Readonly<Partial<Record<SyscallName, Readonly<Record<number, Writer>>>>> = {
  clone: { 0: cloneFlags },
  unshare: { 0: flags("CLONE_") },
  setns: { 1: flags("CLONE_") },
  mount: { 3: flags("MS_") },
  umount2: { 1: flags("MNT_", "UMOUNT_") },
  open_tree: { 0: directory, 2: flags("OPEN_TREE_", "AT_") },
  move_mount: { 0: directory, 2: directory, 4: flags("MOVE_MOUNT_") },
  fsopen: { 1: flags("FSOPEN_") },
  fsconfig: { 1: oneOf("FSCONFIG_") },
  fsmount: { 1: flags("FSMOUNT_"), 2: flags("MOUNT_ATTR_") },
  mount_setattr: { 0: directory, 2: flags("AT_") },
  openat: { 0: directory, 2: openFlags, 3: octal },
  openat2: { 0: directory },
  mkdirat: { 0: directory, 2: octal },
  mknodat: { 0: directory, 2: octal },
  symlinkat: { 1: directory },
  unlinkat: { 0: directory, 2: flags("AT_") },
  fchmodat: { 0: directory, 2: octal },
  fchownat: { 0: directory, 4: flags("AT_") },
  pipe2: { 1: openFlags },
  dup3: { 2: openFlags },
  fcntl: { 1: oneOf("F_DUPFD_") },
  recvmsg: { 2: flags("MSG_") },
  prctl: { 0: prctlOption },
  close_range: { 1: lastDescriptor, 2: flags("CLOSE_RANGE_") },
  wait4: { 2: flags("__WALL", "WNOHANG") },
  kill: { 1: signal },
  umask: { 0: octal },
  ioctl: { 1: oneOf("TIOC", "TCGETS", "TCSETS") },
  prlimit64: { 1: oneOf("RLIMIT_") },
  seccomp: { 0: oneOf("SECCOMP_SET_MODE_"), 1: flags("SECCOMP_FILTER_FLAG_") },
};
