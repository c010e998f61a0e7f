/** The time that images made here say they were made at. */
import type { Context } from "../../core/context.ts";
import { DevboxError } from "../../core/errors.ts";

/**
 * `SOURCE_DATE_EPOCH` (reproducible-builds.org, "SOURCE_DATE_EPOCH specification"), so that equal input gives equal
 * images, else now.
 * @throws DevboxError USAGE when it is no number of seconds
 */
export function creationTime(context: Pick<Context, "env" | "now">): Date {
  return sourceDate(context.env) ?? context.now();
}

/** undefined: it is not set, or empty. @throws DevboxError USAGE when it is no number of seconds */
export function sourceDate(env: Context["env"]): Date | undefined {
  const text = env["SOURCE_DATE_EPOCH"];
  if (text === undefined || text === "") return undefined;
  const date = new Date(/^\d{1,12}$/.test(text) ? Number(text) * 1000 : Number.NaN);
  // RFC 3339 has years of four digits.
  if (!Number.isNaN(date.getTime()) && date.getUTCFullYear() <= 9999) return date;
  throw new DevboxError("USAGE", {
    step: `read SOURCE_DATE_EPOCH=${text}`,
    because: "it is no number of seconds since 1970",
    hint: "for example: export SOURCE_DATE_EPOCH=$(git log -1 --format=%ct)",
  });
}
