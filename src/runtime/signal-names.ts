/** Signals as people and engines name them: `TERM`, `sigterm`, `15`, `RTMIN+3`. */
import { DevboxError } from "../core/errors.ts";
import { os } from "../core/os.ts";

/** The first two real-time signals belong to the C library (signal(7)), the numbers of x86_64 and aarch64. */
const realTime = { RTMIN: 34, RTMAX: 64 } as const;

/** Names that node:os leaves out or has another for. */
const others: Readonly<Record<string, number>> = { CLD: 17, POLL: 29, IOT: 6, ...realTime };

/** @throws DevboxError USAGE */
export function signalNumber(text: string): number {
  const number = /^\d{1,3}$/.test(text) ? Number(text) : numberOf(text.toUpperCase().replace(/^SIG/, ""));
  if (number !== undefined && number >= 1 && number <= realTime.RTMAX) return number;
  throw new DevboxError("USAGE", {
    step: `unknown signal ${JSON.stringify(text)}`,
    hint: "name it (TERM, SIGTERM, RTMIN+1) or give its number, 1 to 64",
  });
}

function numberOf(name: string): number | undefined {
  const { signals } = os().constants;
  const key = `SIG${name}`;
  if (Object.hasOwn(signals, key)) return signals[key as NodeJS.Signals];
  if (Object.hasOwn(others, name)) return others[name];
  const [, base, sign, offset] = /^(RTMIN|RTMAX)([+-])(\d{1,2})$/.exec(name) ?? [];
  if (base !== "RTMIN" && base !== "RTMAX") return undefined;
  const found = realTime[base] + (sign === "-" ? -1 : 1) * Number(offset);
  return found >= realTime.RTMIN && found <= realTime.RTMAX ? found : undefined;
}
