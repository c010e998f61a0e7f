/** The system call tables that a filter meets: one architecture of the kernel has several (seccomp(2), "arch"). */
import { type Architecture, type SyscallName, syscallTable } from "../../ffi/syscalls.ts";

/** A table of system call numbers: what `arch` and the number together say. */
export type Abi = "x86_64" | "x32" | "i386" | "aarch64";

/** linux/audit.h: the value of seccomp_data.arch. x32 has that of x86_64 and is told apart by bit 30 of the number. */
export const auditArch: Readonly<Record<Abi, number>> = {
  x86_64: 0xc000_003e,
  x32: 0xc000_003e,
  i386: 0x4000_0003,
  aarch64: 0xc000_00b7,
};

/** Set in the numbers of x32: __X32_SYSCALL_BIT, asm/unistd.h. */
export const x32Bit = 0x4000_0000;

/** Architectures of the runtime-spec that the kernel of each architecture can meet and that we have numbers for. */
const abiOfArch: Readonly<Record<Architecture, Readonly<Record<string, Abi>>>> = {
  x86_64: { SCMP_ARCH_X86_64: "x86_64", SCMP_ARCH_X86: "i386", SCMP_ARCH_X32: "x32" },
  aarch64: { SCMP_ARCH_AARCH64: "aarch64" },
};

/**
 * The tables that a filter is to cover: always the native one, as in runc and crun. Architectures that this kernel
 * never runs are left out, as is 32-bit ARM, whose calls a filter on arm64 therefore ends with the process.
 */
export function coveredAbis(architectures: readonly string[], native: Architecture): readonly Abi[] {
  const named = architectures.map((name) => abiOfArch[native][name]).filter((abi) => abi !== undefined);
  return [...new Set<Abi>([native, ...named])];
}

/** Calls with own numbers in x32, because their structures hold pointers (asm/unistd_x32.h). */
const x32Numbers: Readonly<Record<string, number>> = {
  rt_sigaction: 512,
  rt_sigreturn: 513,
  ioctl: 514,
  readv: 515,
  writev: 516,
  recvfrom: 517,
  sendmsg: 518,
  recvmsg: 519,
  execve: 520,
  ptrace: 521,
  rt_sigpending: 522,
  rt_sigtimedwait: 523,
  rt_sigqueueinfo: 524,
  sigaltstack: 525,
  timer_create: 526,
  mq_notify: 527,
  kexec_load: 528,
  waitid: 529,
  set_robust_list: 530,
  get_robust_list: 531,
  vmsplice: 532,
  move_pages: 533,
  preadv: 534,
  pwritev: 535,
  rt_tgsigqueueinfo: 536,
  recvmmsg: 537,
  sendmmsg: 538,
  process_vm_readv: 539,
  process_vm_writev: 540,
  setsockopt: 541,
  getsockopt: 542,
  io_setup: 543,
  io_submit: 544,
  execveat: 545,
  preadv2: 546,
  pwritev2: 547,
};

/** What is known of each number of one table. */
export interface NumberTable<T> {
  readonly abi: Abi;
  /** By number, without the x32 bit. */
  readonly entries: (T | undefined)[];
  /** Column of `syscallTable`. */
  readonly column: 0 | 1 | 2;
}

export function newTable<T>(abi: Abi): NumberTable<T> {
  return { abi, entries: [], column: abi === "i386" ? 1 : abi === "aarch64" ? 2 : 0 };
}

/** Enters a call under its number in each table that has it, unless there is an entry already. Unknown names are passed over. */
export function enter<T>(tables: readonly NumberTable<T>[], name: string, entry: T): void {
  if (!isSyscallName(name)) return;
  const numbers = syscallTable[name];
  for (const { abi, column, entries } of tables) {
    const number = (abi === "x32" ? x32Numbers[name] : undefined) ?? numbers[column];
    if (number !== -1) entries[number] ??= entry;
  }
}

function isSyscallName(name: string): name is SyscallName {
  return Object.hasOwn(syscallTable, name);
}
