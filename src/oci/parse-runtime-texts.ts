/** Readers of the kinds of text and number that config.json has in many places. */
import { expected, isAbsent, type JsonPlace, member, type Reader, readArray, readInteger, readString } from "./json.ts";

/** 2^32-1. */
const maxUint32 = 0xffff_ffff;

/** As `optional`, and "" is nothing, too: Go programs that leave `omitempty` out write it. */
export function optionalText<K extends string, T>(
  place: JsonPlace,
  key: K,
  read: Reader<T>,
): { readonly [P in K]?: T } {
  const inner = member(place, key);
  if (isAbsent(inner) || inner.value === "") return {};
  const result: { [P in K]?: T } = {};
  result[key] = read(inner);
  return result;
}

export function readUint32(place: JsonPlace): number {
  return readInteger(place, 0, maxUint32);
}

/** Ids in the kernel; -1 means "leave it" to its calls (setresuid(2)). */
export function readId(place: JsonPlace): number {
  return readInteger(place, 0, maxUint32 - 1);
}

export function absolutePath(place: JsonPlace): string {
  const path = readString(place);
  return path.startsWith("/") ? path : expected(place, "an absolute path");
}

export function absolutePaths(place: JsonPlace): string[] {
  return readArray(place, absolutePath);
}

export function readEnvironment(place: JsonPlace): string[] {
  return readArray(place, (entry) => {
    const text = readString(entry);
    return text.indexOf("=") > 0 ? text : expected(entry, "NAME=VALUE");
  });
}

/** A word of `pattern`, which `what` describes. */
export function readMatching(place: JsonPlace, pattern: RegExp, what: string): string {
  const text = readString(place);
  return pattern.test(text) ? text : expected(place, what);
}
