/** The small grammar inside mount flags: comma-separated fields, booleans, options of tmpfs(5). */
import { DevboxError } from "../core/errors.ts";

export type Fail = (because: string) => never;

export function failBecause(step: string, hint: string): Fail {
  return (because) => {
    throw new DevboxError("USAGE", { step, because, hint });
  };
}

/** One line of CSV (RFC 4180): a field in quotes may hold commas, and `""` for a quote. */
export function splitFields(text: string, fail: Fail): string[] {
  const fields: string[] = [];
  let rest = text;
  for (;;) {
    const match = /^(?:"((?:[^"]|"")*)"|([^",]*))(,|$)/.exec(rest);
    if (match === null) return fail("a quote is in the wrong place: a quoted field starts and ends with one");
    fields.push(match[1] === undefined ? (match[2] ?? "") : match[1].replaceAll('""', '"'));
    if (match[3] === "") break;
    rest = rest.slice(match[0].length);
  }
  if (fields.includes("")) return fail("a field between commas is empty");
  return fields;
}

/** Go's strconv.ParseBool, which docker uses. */
export function parseBoolean(text: string, key: string, fail: Fail): boolean {
  if (["1", "t", "true"].includes(text.toLowerCase())) return true;
  if (["0", "f", "false"].includes(text.toLowerCase())) return false;
  return fail(`${key} is true or false, not "${text}"`);
}

const plainTmpfsOptions: readonly string[] = [
  "ro",
  "rw",
  "exec",
  "noexec",
  "suid",
  "nosuid",
  "dev",
  "nodev",
  "atime",
  "noatime",
  "diratime",
  "nodiratime",
  "relatime",
  "strictatime",
];

const valuedTmpfsOptions: Readonly<Record<string, RegExp>> = {
  mode: /^[0-7]{1,5}$/,
  uid: /^[0-9]+$/,
  gid: /^[0-9]+$/,
  nr_inodes: /^[0-9]+[kmg]?$/i,
  nr_blocks: /^[0-9]+[kmg]?$/i,
};

/** An option of `--tmpfs`, checked, as tmpfs(5) writes it. */
export function tmpfsOption(option: string, fail: Fail): string {
  if (plainTmpfsOptions.includes(option)) return option;
  const equals = option.indexOf("=");
  const [key, value] = [option.slice(0, Math.max(equals, 0)), option.slice(equals + 1)];
  if (key === "size") return tmpfsSizeOption(value, fail);
  const shape = Object.hasOwn(valuedTmpfsOptions, key) ? valuedTmpfsOptions[key] : undefined;
  if (shape === undefined) return fail(`the option "${option}" is unknown`);
  return shape.test(value) ? option : fail(`"${value}" is no ${key}`);
}

/** docker writes sizes as 64m, 64mb or a share, 50%; tmpfs(5) reads no "b". */
export function tmpfsSizeOption(text: string, fail: Fail): string {
  const match = /^([0-9]+)(?:([kmgt]?)b?|(%))$/i.exec(text);
  if (match === null) return fail(`"${text}" is no size: write 64m, 1g, or 50%`);
  return `size=${match[1]}${(match[2] ?? "").toLowerCase()}${match[3] ?? ""}`;
}
