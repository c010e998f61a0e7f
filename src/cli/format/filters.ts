/** `--filter KEY=VALUE`, repeated (docker: one key's values are alternatives, several keys must all fit; labels all). */
import { DevboxError } from "../../core/errors.ts";

export type Filters = ReadonlyMap<string, readonly string[]>;

/**
 * @param known the keys of the command
 * @throws DevboxError USAGE that names the filter
 */
export function parseFilters(texts: readonly string[], known: readonly string[]): Filters {
  const filters = new Map<string, string[]>();
  for (const text of texts) {
    const equals = text.indexOf("=");
    const key = text.slice(0, Math.max(equals, 0)).trim().toLowerCase();
    if (equals < 1) throw badFilter(text, "it has no =: write KEY=VALUE");
    if (!known.includes(key)) throw badFilter(text, `the keys are ${known.join(", ")}`);
    filters.set(key, [...(filters.get(key) ?? []), text.slice(equals + 1).trim()]);
  }
  return filters;
}

export function badFilter(text: string, because: string): DevboxError {
  return new DevboxError("USAGE", { step: `read --filter ${JSON.stringify(text)}`, because });
}

/** Whether a filter is not given, or one of its values fits. */
export function anyFits(filters: Filters, key: string, fits: (value: string) => boolean): boolean {
  const values = filters.get(key);
  return values === undefined || values.some(fits);
}

/** `label=NAME`, `label=NAME=VALUE`: all of them. */
export function labelsFit(filters: Filters, labels: Readonly<Record<string, string>>, key = "label"): boolean {
  return (filters.get(key) ?? []).every((text) => {
    const equals = text.indexOf("=");
    const name = equals === -1 ? text : text.slice(0, equals);
    if (!Object.hasOwn(labels, name)) return false;
    return equals === -1 || labels[name] === text.slice(equals + 1);
  });
}

/** docker takes a regular expression for names, or what a name contains. */
export function nameFits(pattern: string, name: string): boolean {
  if (name.includes(pattern)) return true;
  try {
    return new RegExp(pattern).test(name);
  } catch {
    return false;
  }
}

/** Go's strconv.ParseBool. @throws DevboxError USAGE */
export function booleanFilter(filters: Filters, key: string): boolean | undefined {
  const value = filters.get(key)?.at(-1);
  if (value === undefined) return undefined;
  if (/^(1|t|true)$/i.test(value)) return true;
  if (/^(0|f|false)$/i.test(value)) return false;
  throw badFilter(`${key}=${value}`, "it is true or false");
}
