/** The flags of `stop` and `restart`. */
import type { StopRequest } from "../box/stop.ts";
import { signalNumber } from "../runtime/signal-names.ts";
import type { ArgumentDefs, Values } from "./command.ts";
import { badFlag } from "./run-values.ts";

export const stopFlags = {
  time: {
    type: "string",
    alias: "t",
    valueHint: "SECONDS",
    description: "How long to wait before SIGKILL; -1: for ever; default: what the box says, or 10",
  },
  timeout: { type: "string", hidden: true, description: "docker's newer spelling of --time" },
  signal: {
    type: "string",
    alias: "s",
    valueHint: "SIGNAL",
    description: "Send this one instead of what the box says",
  },
} as const satisfies ArgumentDefs;

/** @throws DevboxError USAGE */
export function toStopRequest({ time, timeout, signal }: Values<typeof stopFlags>): StopRequest {
  const text = time ?? timeout;
  if (text !== undefined && !/^(-1|\d{1,9})$/.test(text)) {
    throw badFlag("--time", text, "it is not a number of seconds", "10");
  }
  // A slip is told before anything is stopped.
  if (signal !== undefined) signalNumber(signal);
  return { signal, timeoutSeconds: text === undefined ? undefined : Number(text) };
}
