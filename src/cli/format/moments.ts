/** Moments as docker's users write them: `--since 10m`, `--until 2024-05-01T12:00:00`, seconds since 1970. */
import { DevboxError } from "../../core/errors.ts";

const units: Readonly<Record<string, number>> = { h: 3_600_000, m: 60_000, s: 1000, ms: 1 };

/** Milliseconds since 1970. @throws DevboxError USAGE naming the flag */
export function parseMoment(flag: string, text: string, now: Date): number {
  if (/^\d+(?:\.\d{1,9})?$/.test(text)) return Number(text) * 1000;
  const span = parseSpan(text);
  if (span !== undefined) return now.getTime() - span;
  const time = /^\d{4}-\d{2}-\d{2}(?:T|$)/.test(text) ? Date.parse(withTime(text)) : Number.NaN;
  if (!Number.isNaN(time)) return time;
  throw new DevboxError("USAGE", {
    step: `read ${flag} ${JSON.stringify(text)}`,
    because: "it is no moment",
    hint: `for example ${flag} 10m, ${flag} 2024-05-01T12:00:00, or seconds since 1970`,
  });
}

/** A date alone means its first moment here, not in Greenwich. */
function withTime(text: string): string {
  return text.includes("T") ? text : `${text}T00:00:00`;
}

/** Go's durations: `1h30m`, `2.5s`. */
function parseSpan(text: string): number | undefined {
  if (!/^(?:\d+(?:\.\d+)?(?:h|ms|m|s))+$/.test(text)) return undefined;
  const parts = text.matchAll(/(\d+(?:\.\d+)?)(h|ms|m|s)/g);
  return [...parts].reduce((sum, [, count, unit = "s"]) => sum + Number(count) * (units[unit] ?? 0), 0);
}
