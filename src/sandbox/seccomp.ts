/** The filter of a box: the prebuilt one if its profile is the default, else compiled now. */
import type { Architecture, SyscallName } from "../../ffi/syscalls.ts";
import type { Seccomp } from "../oci/runtime.ts";
import { compileFilter, type SeccompFilter } from "./seccomp-compile.ts";
import { prebuildFilters } from "./seccomp-prebuilt.ts" with { type: "macro" };

/**
 * The program and flags for seccomp(2). `needed`: calls that must be possible under it, as they are under the default.
 * BAD_CONFIG for what cannot be compiled: unknown flags, too many rules, obstacles to what is needed.
 * Profiles are compared whole, as text, which takes a hundredth of the time of compiling one.
 */
export function compileSeccomp(
  seccomp: Seccomp,
  architecture: Architecture,
  needed: readonly SyscallName[] = [],
): SeccompFilter {
  const prebuilt = prebuildFilters()[architecture === "x86_64" ? 0 : 1];
  if (textOf(seccomp) !== prebuilt.profile) return compileFilter(seccomp, architecture, needed);
  return { instructions: Uint8Array.fromBase64(prebuilt.instructions), flags: prebuilt.flags };
}

/** undefined: it has an integer of 64 bits, which the default has not, and JSON.stringify refuses. */
function textOf(seccomp: Seccomp): string | undefined {
  try {
    return JSON.stringify(seccomp);
  } catch {
    return undefined;
  }
}
