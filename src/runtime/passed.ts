/** Descriptors that come from whoever calls the runtime. */
import { closeSync, readlinkSync } from "node:fs";
import { SOCK_STREAM } from "../../ffi/constants.ts";
import { pidfdOpen } from "../../ffi/libc.ts";
import { connectUnix, sendDescriptors } from "../../ffi/socket.ts";
import { DevboxError } from "../core/errors.ts";
import type { Seccomp } from "../oci/runtime.ts";
import { notifies } from "../sandbox/seccomp-rules.ts";

/** @param option where the path stands, for the error */
export function connectSocket(path: string, option: string): number {
  try {
    return connectUnix(path, SOCK_STREAM);
  } catch (cause) {
    throw new DevboxError("BAD_CONFIG", { step: `${option}: connect to ${path}`, cause });
  }
}

/** `--pidfd-socket`: a pidfd (pidfd_open(2)) of the process goes there, with its kind as the message, as runc sends it. */
export function sendPidfd(path: string, pid: number): void {
  const socket = connectSocket(path, "--pidfd-socket");
  try {
    const pidfd = pidfdOpen(pid);
    try {
      sendDescriptors(socket, new TextEncoder().encode("pidfd"), [pidfd]);
    } finally {
      closeSync(pidfd);
    }
  } finally {
    closeSync(socket);
  }
}

/** Begins the error where nobody listens, with the words of runc. */
export const listenerOption = "linux.seccomp.listenerPath: failed to connect with seccomp agent";

/** Where who answers a filter listens; undefined: it asks nobody, and the path counts for nothing (config-linux.md "Seccomp"). */
export function listenerPath(seccomp: Seccomp | undefined): string | undefined {
  return seccomp !== undefined && notifies(seccomp) ? seccomp.listenerPath : undefined;
}

/** The first after stdin, stdout and stderr. */
const firstPassed = 3;

/**
 * What was open before this program came to be executed. A number that was free is by now Bun's own epoll(7), which it opens
 * first; the descriptors to pass on follow each other, so that the first one missing is found so.
 */
function isInherited(fd: number): boolean {
  try {
    return readlinkSync(`/proc/self/fd/${fd}`) !== "anon_inode:[eventpoll]";
  } catch {
    return false;
  }
}

/** How many of them, at most `count`, were open one after the other. */
export function countPassed(count: number): number {
  let passed = 0;
  while (passed < count && isInherited(firstPassed + passed)) passed++;
  return passed;
}

/** `--preserve-fds N`: descriptors 3 … 3+N-1 by the names that plans have for them. @throws DevboxError USAGE */
export function preserved(count: number): Readonly<Record<string, number>> {
  const fds: Record<string, number> = {};
  for (let index = 0; index < count; index++) {
    const fd = firstPassed + index;
    if (!isInherited(fd)) {
      const step = `--preserve-fds ${count}: preserved-fd ${index}`;
      throw new DevboxError("USAGE", { step, because: `descriptor ${fd} is not open` });
    }
    fds[`preserved-${index}`] = fd;
  }
  return fds;
}
