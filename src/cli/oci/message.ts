/**
 * Errors in the words that engines look for. podman makes 127 of "executable file not found in" and "no such file or
 * directory", 126 of "permission denied" and "operation not permitted" (libpod/oci_util.go); docker does the same with
 * "executable file not found" and the like. Our own errors say the last three as errno(3) does.
 */
import { DevboxError, describeCause } from "../../core/errors.ts";

export interface Message {
  readonly text: string;
  readonly hint?: string;
  readonly stack?: string;
}

export function messageOf(error: unknown): Message {
  if (!(error instanceof DevboxError)) {
    const stack = error instanceof Error ? error.stack : undefined;
    return { text: oneLine(describeCause(error)), ...(stack === undefined ? {} : { stack }) };
  }
  const lines = [wordsOf(error), ...error.alsoFailed.map((other) => `also: ${describeCause(other)}`)];
  const { stack, hint } = error;
  return { text: lines.map(oneLine).join("; "), hint, ...(stack === undefined ? {} : { stack }) };
}

function wordsOf(error: DevboxError): string {
  // The words of runc: of several hooks it tells which.
  const hook = /^(\w+ hook #\d+) (.*)$/s.exec(error.step);
  if (hook !== null) return `error running ${hook[1]}: ${hook[2]}: ${error.because}`;
  const command = /^execute (.*)$/s.exec(error.step)?.[1];
  if (command === undefined) return error.message;
  const name = JSON.stringify(command);
  if (error.code === "COMMAND_NOT_FOUND") {
    return command.includes("/")
      ? `exec ${command}: no such file or directory`
      : `exec: ${name}: executable file not found in $PATH`;
  }
  return error.code === "COMMAND_NOT_EXECUTABLE" ? `exec: ${name}: ${error.because}` : error.message;
}

/** A line of a log is a message. */
function oneLine(text: string): string {
  return text.trimEnd().replaceAll(/\s*\n\s*/g, "; ");
}
