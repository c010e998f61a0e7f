/**
 * The C library, opened once on first use, and the one place where a failed call becomes an error.
 * Everything that a call needs between being prepared and being checked is allocated before it.
 */
import { dlopen, type FFIFunction, type Pointer, read } from "bun:ffi";
import { SyscallError } from "./errno.ts";

/** A path or name for the kernel: text as UTF-8, or the very bytes, without NUL at the end. */
export type Bytes = string | Uint8Array;

/** Results of type ssize_t and long are read as 32 bits: all that these calls return fits, and -1 stays -1. */
const symbols = {
  __errno_location: { args: [], returns: "ptr" },
  chroot: { args: ["ptr"], returns: "i32" },
  close: { args: ["i32"], returns: "i32" },
  connect: { args: ["i32", "ptr", "u32"], returns: "i32" },
  fchdir: { args: ["i32"], returns: "i32" },
  fcntl: { args: ["i32", "i32", "i32"], returns: "i32" },
  fgetxattr: { args: ["i32", "ptr", "ptr", "u64"], returns: "i32" },
  flistxattr: { args: ["i32", "ptr", "u64"], returns: "i32" },
  flock: { args: ["i32", "i32"], returns: "i32" },
  fsetxattr: { args: ["i32", "ptr", "ptr", "u64", "i32"], returns: "i32" },
  ioctl: { args: ["i32", "u64", "ptr"], returns: "i32" },
  lchown: { args: ["ptr", "u32", "u32"], returns: "i32" },
  lgetxattr: { args: ["ptr", "ptr", "ptr", "u64"], returns: "i32" },
  llistxattr: { args: ["ptr", "ptr", "u64"], returns: "i32" },
  lremovexattr: { args: ["ptr", "ptr"], returns: "i32" },
  lseek: { args: ["i32", "i64", "i32"], returns: "i64" },
  lsetxattr: { args: ["ptr", "ptr", "ptr", "u64", "i32"], returns: "i32" },
  memfd_create: { args: ["ptr", "u32"], returns: "i32" },
  mknodat: { args: ["i32", "ptr", "u32", "u64"], returns: "i32" },
  pipe2: { args: ["ptr", "i32"], returns: "i32" },
  poll: { args: ["ptr", "u64", "i32"], returns: "i32" },
  recvmsg: { args: ["i32", "ptr", "i32"], returns: "i32" },
  sendmsg: { args: ["i32", "ptr", "i32"], returns: "i32" },
  socket: { args: ["i32", "i32", "i32"], returns: "i32" },
  socketpair: { args: ["i32", "i32", "i32", "ptr"], returns: "i32" },
  syscall: { args: ["i64", "i64", "i64", "i64", "i64", "i64", "i64"], returns: "i32" },
  umask: { args: ["u32"], returns: "u32" },
  utimensat: { args: ["i32", "ptr", "ptr", "i32"], returns: "i32" },
} as const satisfies Record<string, FFIFunction>;

/** glibc, then musl under the names that its distributions give it. */
const libraryNames = [
  "libc.so.6",
  process.arch === "arm64" ? "libc.musl-aarch64.so.1" : "libc.musl-x86_64.so.1",
  "libc.so",
];

interface Library {
  readonly call: ReturnType<typeof dlopen<typeof symbols>>["symbols"];
  /** Where this thread's errno lives: errno(3). The same for the life of the thread. */
  readonly errnoAddress: Pointer;
}

let library: Library | undefined;

function open(): Library {
  let failure: unknown;
  for (const name of libraryNames) {
    try {
      const call = dlopen(name, symbols).symbols;
      const errnoAddress = call.__errno_location();
      if (typeof errnoAddress !== "number") throw new Error("__errno_location: no address");
      const opened: Library = { call, errnoAddress };
      library = opened;
      return opened;
    } catch (error) {
      failure ??= error;
    }
  }
  throw failure;
}

/** The functions of the C library. Opening them costs 0.1 ms, once; nothing is done at import. */
export function libc(): Library["call"] {
  return (library ?? open()).call;
}

/**
 * The result of a call, or a SyscallError if it is -1.
 * Always used as `check(name, object, libc().name(…))`: errno is read at once after the call, nothing is allocated between.
 */
export function check(call: string, object: Bytes | number | undefined, result: number): number {
  if (result === -1) throw new SyscallError(call, lastErrno(), describe(object));
  return result;
}

/** errno of the call that has just returned -1; for the few callers to whom a certain errno is an answer. */
export function lastErrno(): number {
  return read.i32((library ?? open()).errnoAddress);
}

function describe(object: Bytes | number | undefined): string | undefined {
  if (object === undefined || typeof object === "string") return object;
  return typeof object === "number" ? `descriptor ${object}` : new TextDecoder().decode(object);
}
