/** Descriptors that come from whoever calls the runtime. */
import { readFileSync } from "node:fs";
import { SOCK_STREAM } from "../../ffi/constants.ts";
import { connectUnix } from "../../ffi/socket.ts";
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

/** Where who answers a filter listens; undefined: it asks nobody, and the path counts for nothing (config-linux.md "Seccomp"). */
export function listenerPath(seccomp: Seccomp | undefined): string | undefined {
  return seccomp !== undefined && notifies(seccomp) ? seccomp.listenerPath : undefined;
}

/** The first after stdin, stdout and stderr. */
const firstPassed = 3;

const closeOnExec = 0o2000000;

/** What was open before this program came to be executed; a number that was free is one of Bun's own now, which all close. */
function isInherited(fd: number): boolean {
  try {
    const [, flags = ""] = /^flags:\s*([0-7]+)$/m.exec(readFileSync(`/proc/self/fdinfo/${fd}`, "latin1")) ?? [];
    return (Number.parseInt(flags, 8) & closeOnExec) === 0;
  } catch {
    return false;
  }
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
