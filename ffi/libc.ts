/**
 * Typed thin wrappers over calls that node:fs does not have, or does not have for paths that are bytes.
 * Each names its man page and throws SyscallError. Extended attributes, sockets and terminals stand in files beside.
 *
 * Nothing here may be used for what needs a single-threaded process (unshare, setns, clone): that is the launcher's.
 */

import { ptr } from "bun:ffi";
import { cName, cPath } from "./c-string.ts";
import {
  AT_FDCWD,
  AT_SYMLINK_FOLLOW,
  AT_SYMLINK_NOFOLLOW,
  F_ADD_SEALS,
  F_DUPFD_CLOEXEC,
  F_GET_SEALS,
  LOCK_NB,
  MFD_ALLOW_SEALING,
  MFD_CLOEXEC,
  O_CLOEXEC,
  O_NONBLOCK,
  POLLIN,
  RENAME_EXCHANGE,
} from "./constants.ts";
import { EINTR, SyscallError } from "./errno.ts";
import { type Bytes, check, lastErrno, libc } from "./library.ts";
import { type OpenHow, openHow, type Timespec, timespecPairBytes, writeTimespec } from "./structs.ts";
import { type SyscallName, syscallNumber } from "./syscalls.ts";

export type { Bytes } from "./library.ts";
export type { OpenHow, Timespec } from "./structs.ts";

/** The same as EAGAIN (flock(2)). */
const EWOULDBLOCK = 11;

function nr(name: SyscallName): number {
  const number = syscallNumber(name, process.arch === "arm64" ? "aarch64" : "x86_64");
  if (number === undefined) throw new SyscallError(name, 38);
  return number;
}

/** memfd_create(2): a new file in memory; closed on exec, sealable unless other flags are given. */
export function memfdCreate(name: string, flags: number = MFD_CLOEXEC | MFD_ALLOW_SEALING): number {
  return check("memfd_create", name, libc().memfd_create(cPath(name), flags));
}

/** fcntl(2) F_ADD_SEALS: forbid changes of a memfd from now on (F_SEAL_*). */
export function addSeals(fd: number, seals: number): void {
  check("fcntl F_ADD_SEALS", fd, libc().fcntl(fd, F_ADD_SEALS, seals));
}

/** fcntl(2) F_GET_SEALS. */
export function getSeals(fd: number): number {
  return check("fcntl F_GET_SEALS", fd, libc().fcntl(fd, F_GET_SEALS, 0));
}

/** fcntl(2) F_DUPFD_CLOEXEC: another descriptor of the same file, its number at least `lowest`. */
export function duplicate(fd: number, lowest: number): number {
  return check("fcntl F_DUPFD_CLOEXEC", fd, libc().fcntl(fd, F_DUPFD_CLOEXEC, lowest));
}

/** openat2(2): open below `directory` as `how` allows (RESOLVE_*). Closed on exec. */
export function openat2(directory: number, path: Bytes, how: OpenHow): number {
  const bytes = openHow({ ...how, flags: how.flags | O_CLOEXEC });
  const name = ptr(cPath(path));
  return check("openat2", path, libc().syscall(nr("openat2"), directory, name, ptr(bytes), bytes.length, 0, 0));
}

/** flock(2), LOCK_SH, LOCK_EX or LOCK_UN. Blocks the thread until the lock is there. */
export function flock(fd: number, operation: number): void {
  while (libc().flock(fd, operation) === -1) {
    const errno = lastErrno();
    if (errno !== EINTR) throw new SyscallError("flock", errno, `descriptor ${fd}`);
  }
}

/** flock(2) with LOCK_NB: false if another holds the lock. */
export function tryFlock(fd: number, operation: number): boolean {
  if (libc().flock(fd, operation | LOCK_NB) !== -1) return true;
  const errno = lastErrno();
  if (errno === EWOULDBLOCK) return false;
  throw new SyscallError("flock", errno, `descriptor ${fd}`);
}

/** syncfs(2): all of the file system that `fd` is on to disk. Blocks the thread; reports lost writes since Linux 5.8. */
export function syncfs(fd: number): void {
  check("syncfs", fd, libc().syscall(nr("syncfs"), fd, 0, 0, 0, 0, 0));
}

/** renameat2(2) with RENAME_EXCHANGE: two names change places, at once. EINVAL where the file system cannot. */
export function renameExchange(one: Bytes, other: Bytes): void {
  const [from, to] = [ptr(cPath(one)), ptr(cName(other))];
  check("renameat2", one, libc().syscall(nr("renameat2"), AT_FDCWD, from, AT_FDCWD, to, RENAME_EXCHANGE, 0));
}

/** linkat(2) with AT_SYMLINK_FOLLOW on /proc/self/fd: gives a name to a file that has none (open(2), O_TMPFILE). EEXIST where it is taken. */
export function linkUnnamed(fd: number, path: Bytes): void {
  const [from, to] = [ptr(cPath(`/proc/self/fd/${fd}`)), ptr(cName(path))];
  check("linkat", path, libc().syscall(nr("linkat"), AT_FDCWD, from, AT_FDCWD, to, AT_SYMLINK_FOLLOW, 0));
}

/** mknod(2): `mode` with its S_IF* type; `device` as makedev(3), 0 for fifos, sockets, files and overlay whiteouts. */
export function mknodat(directory: number, path: Bytes, mode: number, device: number | bigint): void {
  check("mknodat", path, libc().mknodat(directory, cPath(path), mode, device));
}

/** lchown(2): change owner and group; of a symbolic link itself. */
export function lchown(path: Bytes, uid: number, gid: number): void {
  check("lchown", path, libc().lchown(cPath(path), uid, gid));
}

/** chroot(2). The working directory stays: call chdir too. */
export function chroot(path: Bytes): void {
  check("chroot", path, libc().chroot(cPath(path)));
}

/** fchdir(2). */
export function fchdir(fd: number): void {
  check("fchdir", fd, libc().fchdir(fd));
}

/** umask(2): the former mask. Never fails. */
export function umask(mask: number): number {
  return libc().umask(mask);
}

const SEEK_DATA = 3;
const SEEK_HOLE = 4;
const ENXIO = 6;

/** lseek(2) SEEK_DATA: where data begins at or behind `offset`; undefined: only a hole follows. Moves the file offset. */
export function seekData(fd: number, offset: number): number | undefined {
  const found = Number(libc().lseek(fd, BigInt(offset), SEEK_DATA));
  if (found !== -1) return found;
  const errno = lastErrno();
  if (errno === ENXIO) return undefined;
  throw new SyscallError("lseek", errno, `descriptor ${fd}`);
}

/** lseek(2) SEEK_HOLE: where the data at `offset` ends. Moves the file offset. */
export function seekHole(fd: number, offset: number): number {
  const found = Number(libc().lseek(fd, BigInt(offset), SEEK_HOLE));
  if (found !== -1) return found;
  throw new SyscallError("lseek", lastErrno(), `descriptor ${fd}`);
}

const times = new Uint8Array(timespecPairBytes);
const timesView = new DataView(times.buffer);

/** utimensat(2): set both times to the nanosecond; of a symbolic link itself unless `flags` say otherwise. */
export function utimensat(
  directory: number,
  path: Bytes,
  access: Timespec,
  modification: Timespec,
  flags: number = AT_SYMLINK_NOFOLLOW,
): void {
  writeTimespec(timesView, 0, access);
  writeTimespec(timesView, 16, modification);
  check("utimensat", path, libc().utimensat(directory, cPath(path), times, flags));
}

/** pidfd_open(2): a descriptor that stays the same process's; polls readable at its end. */
export function pidfdOpen(pid: number): number {
  return check("pidfd_open", `process ${pid}`, libc().syscall(nr("pidfd_open"), pid, 0, 0, 0, 0, 0));
}

/** pidfd_send_signal(2). `signal` 0 only asks whether the process is there: ESRCH if not. */
export function pidfdSendSignal(pidfd: number, signal: number): void {
  check("pidfd_send_signal", pidfd, libc().syscall(nr("pidfd_send_signal"), pidfd, signal, 0, 0, 0, 0));
}

/** poll(2) for input, an end, or the death of a pidfd's process: false after `timeoutMs`. Blocks the thread. */
export function pollReadable(fd: number, timeoutMs: number): boolean {
  const entry = new DataView(new ArrayBuffer(8));
  entry.setInt32(0, fd, true);
  entry.setInt16(4, POLLIN, true);
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    const left = Math.max(0, Math.ceil(deadline - performance.now()));
    const ready = libc().poll(ptr(entry), 1, left);
    if (ready !== -1) return ready > 0;
    const errno = lastErrno();
    if (errno !== EINTR) throw new SyscallError("poll", errno, `descriptor ${fd}`);
  }
}

/** pipe2(2), closed on exec: [read end, write end]. */
export function pipe2(flags: number = O_CLOEXEC): [number, number] {
  const ends = new Int32Array(2);
  check("pipe2", undefined, libc().pipe2(ends, flags));
  return [ends[0] ?? -1, ends[1] ?? -1];
}

/** eventfd(2), a counter from 0, not blocking, closed on exec. */
export function eventfd(): number {
  return check("eventfd2", undefined, libc().syscall(nr("eventfd2"), 0, O_NONBLOCK | O_CLOEXEC, 0, 0, 0, 0));
}
