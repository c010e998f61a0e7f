/** Points in time as docker's --since and --until read them. */
import { parseDuration } from "../core/duration.ts";
import { badFlag } from "./run-values.ts";

/**
 * Milliseconds since 1970 of `2026-01-31T12:00:00Z`, of the same without zone (here) or time of day, of seconds since 1970
 * (`1769860800.5`), or of a time before `now` (`10m`).
 * @throws DevboxError USAGE naming the flag
 */
export function parseTimePoint(flag: string, text: string, now: Date): number {
  if (/^\d+(\.\d+)?$/.test(text)) return Number(text) * 1000;
  const ago = parseDuration(text);
  if (ago !== undefined) return now.getTime() - ago;
  // Without a zone, a date alone would be read as UTC, with a time as local: docker means local both times.
  const isDate = /^\d{4}-\d\d-\d\d$/.test(text);
  const isTime = /^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d)?$/.test(text);
  const time = isDate || isTime ? Date.parse(isDate ? `${text}T00:00:00` : text) : Number.NaN;
  if (Number.isNaN(time)) throw badFlag(flag, text, "it is neither a time nor how long ago", "10m");
  return time;
}
