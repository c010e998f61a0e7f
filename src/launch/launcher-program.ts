/**
 * The launcher's program: taken in as text when devbox is bundled (and by the test runner), so that starting it
 * reads no file. `scripts/build-launcher` makes the texts; the one of an architecture without a compiler is empty.
 */
import { closeSync, openSync, writeSync } from "node:fs";
import aarch64 from "../../dist/launcher-aarch64.txt" with { type: "text" };
import x86_64 from "../../dist/launcher-x86_64.txt" with { type: "text" };
import {
  F_SEAL_GROW,
  F_SEAL_SEAL,
  F_SEAL_SHRINK,
  F_SEAL_WRITE,
  MFD_ALLOW_SEALING,
  MFD_CLOEXEC,
  MFD_EXEC,
} from "../../ffi/constants.ts";
import { EINVAL, SyscallError } from "../../ffi/errno.ts";
import { addSeals, memfdCreate } from "../../ffi/libc.ts";
import type { Architecture } from "../../ffi/syscalls.ts";
import { DevboxError } from "../core/errors.ts";

/** The program for `architecture`. Throws INTERNAL if it was not built. */
export function launcherProgram(architecture: Architecture): Uint8Array {
  const text = architecture === "x86_64" ? x86_64 : aarch64;
  if (text === "") {
    const because = `this devbox was built without the launcher for ${architecture}`;
    throw new DevboxError("INTERNAL", { step: "start the launcher", because });
  }
  return Buffer.from(text, "base64");
}

/** The architecture of this process. */
export const hostArchitecture: Architecture = process.arch === "arm64" ? "aarch64" : "x86_64";

/** A file in memory that nobody can change any more, not even we. */
function sealedFile(name: string, bytes: Uint8Array, flags: number): number {
  const fd = memfdCreate(name, flags);
  try {
    writeSync(fd, bytes);
    addSeals(fd, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL);
  } catch (error) {
    closeSync(fd);
    throw error;
  }
  return fd;
}

/** The launcher's program in a sealed memfd, open for reading only: execve(2) refuses what is open for writing (ETXTBSY). */
export function openLauncherProgram(): number {
  const bytes = launcherProgram(hostArchitecture);
  const writable = executableFile("devbox-launcher", bytes);
  try {
    return openSync(`/proc/self/fd/${writable}`, "r");
  } finally {
    closeSync(writable);
  }
}

/** Since 6.3 a memfd to be executed must say so where vm.memfd_noexec is set; before, the flag is unknown (memfd_create(2)). */
function executableFile(name: string, bytes: Uint8Array): number {
  const flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
  try {
    return sealedFile(name, bytes, flags | MFD_EXEC);
  } catch (error) {
    if (!(error instanceof SyscallError) || error.errno !== EINVAL) throw error;
    return sealedFile(name, bytes, flags);
  }
}
