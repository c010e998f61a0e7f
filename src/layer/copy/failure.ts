/** Failures of a copy name the path, and say no more than once that something is being copied. */
import { DevboxError, describeCause } from "../../core/errors.ts";

/** Runs a step on a path; what it throws becomes COPY_FAILED of this path. */
export function inPath<T>(step: string, action: () => T): T {
  try {
    return action();
  } catch (error) {
    if (error instanceof DevboxError) throw error;
    throw new DevboxError("COPY_FAILED", { step, because: describeCause(stripped(error)), cause: error });
  }
}

/** The paths that the kernel saw begin with /proc/self/fd: of no use to anybody. */
function stripped(error: unknown): unknown {
  if (!(error instanceof Error) || !("errno" in error) || typeof error.errno !== "number") return error;
  return Object.assign(new Error(error.message), { errno: error.errno, code: codeOf(error) });
}

function codeOf(error: Error): unknown {
  if ("code" in error) return error.code;
  return "errnoName" in error ? error.errnoName : undefined;
}
