/**
 * An error as the user reads it: what, because, hint; readable without colour.
 *
 *     error: mount overlay on the root: invalid argument (EINVAL)
 *       because: the upper directory is on a file system without user xattrs
 *     hint: put the store on ext4, xfs or btrfs: export DEVBOX_STORE=DIR
 */
import { DevboxError, describeCause, errorTable } from "../../core/errors.ts";
import { makeStyle, visible } from "./terminal.ts";

export interface MessageOptions {
  readonly colour: boolean;
  /** Adds the code, the causes and the stack. */
  readonly debug: boolean;
}

/** Any thrown value as a `DevboxError`: whatever is not one was not foreseen. */
export function toDevboxError(error: unknown): DevboxError {
  if (error instanceof DevboxError) return error;
  // fetch, streams and timers end in these when their signal is aborted.
  if (error instanceof Error && error.name === "AbortError")
    return new DevboxError("INTERRUPTED", { step: "interrupted" });
  return new DevboxError("INTERNAL", { step: "unexpected failure", cause: error });
}

/** The lines of an error, newline at the end. */
export function renderError(error: DevboxError, { colour, debug }: MessageOptions): string {
  const style = makeStyle(colour);
  const { what, because } = whatAndBecause(error);
  const lines = [`${style.bold(style.red("error:"))} ${indent(what, 2)}`];
  if (because !== undefined) lines.push(`  because: ${indent(because, 4)}`);
  for (const other of error.alsoFailed) lines.push(`  also failed: ${indent(describeCause(other), 4)}`);
  if (error.hint !== undefined) lines.push(`${style.bold("hint:")} ${indent(error.hint, 2)}`);
  if (debug) lines.push(...debugLines(error));
  return `${lines.join("\n")}\n`;
}

/** The system's own words follow what failed; a reason that somebody gave beside them is the because. */
function whatAndBecause({ step, because, cause }: DevboxError): { what: string; because: string | undefined } {
  if (because === undefined || cause === undefined || cause instanceof DevboxError) return { what: step, because };
  if (because === describeCause(cause)) return { what: `${step}: ${because}`, because: undefined };
  const words = systemWords(cause);
  if (words === undefined || step.includes(words)) return { what: step, because };
  if (because === words) return { what: `${step}: ${words}`, because: undefined };
  // Somebody put the same in better words.
  const code = words.slice(words.lastIndexOf("("));
  return because.includes(code) ? { what: step, because } : { what: `${step}: ${words}`, because };
}

/** `invalid argument (EINVAL)`, of a failed system call. */
function systemWords(cause: unknown): string | undefined {
  return /[^:]+ \(E[A-Z0-9]+\)$/.exec(describeCause(cause))?.[0].trim();
}

function debugLines(error: DevboxError): string[] {
  const lines = [`code: ${error.code} (exit status ${errorTable[error.code].exit})`];
  let cause: unknown = error;
  for (let depth = 0; cause !== undefined && depth < 8; depth++) {
    lines.push(depth === 0 ? "stack:" : "caused by:");
    const stack = cause instanceof Error ? (cause.stack ?? cause.message) : String(cause);
    lines.push(`  ${indent(stack, 2)}`);
    cause = cause instanceof Error ? cause.cause : undefined;
  }
  return lines;
}

/** Continues a text of several lines below its first. */
function indent(text: string, spaces: number): string {
  return visible(text.trimEnd()).replaceAll("\n", `\n${" ".repeat(spaces)}`);
}

/** The error as one JSON line, for `--json`. */
export function errorJson(error: DevboxError): string {
  const { code, message, step, because, hint, exitStatus } = error;
  const alsoFailed = error.alsoFailed.length === 0 ? undefined : error.alsoFailed.map(describeCause);
  return `${JSON.stringify({ event: "error", code, message, step, because, hint, exitStatus, alsoFailed })}\n`;
}
