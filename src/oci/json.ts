/**
 * Readers for JSON from outside. Each takes a place (a value and the path to it) and returns a typed value, or throws
 * an error that names place and reason: `layers[2].size: expected an integer ≥ 0, got "12"`.
 *
 * Go programs write `null` for an empty list, map or string; `optional` reads it as absent.
 */
import { DevboxError, type ErrorCode } from "../core/errors.ts";

/** What is being read: for the error. */
export interface JsonDocument {
  readonly code: ErrorCode;
  /** `read manifest sha256:…`. */
  readonly step: string;
}

export interface JsonPlace {
  readonly value: unknown;
  /** `layers[2].size`; "" is the whole document. */
  readonly path: string;
  readonly document: JsonDocument;
}

export type Reader<T> = (place: JsonPlace) => T;

/**
 * Decode a document. The byte order mark, invalid UTF-8 and more than `maxBytes` are refused. `decode`: `decodeExactly` where
 * integers of 64 bits count.
 */
export function parseJson(
  bytes: Uint8Array,
  document: JsonDocument,
  maxBytes: number,
  decode: (text: string) => unknown = JSON.parse,
): JsonPlace {
  const root: JsonPlace = { value: undefined, path: "", document };
  if (bytes.byteLength > maxBytes) {
    return fail(root, `it has ${bytes.byteLength} bytes; at most ${maxBytes} are accepted`);
  }
  try {
    const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
    return { ...root, value: decode(text) };
  } catch {
    return fail(root, "it is not valid JSON");
  }
}

export function fail(place: JsonPlace, because: string): never {
  const { code, step } = place.document;
  throw new DevboxError(code, { step, because: place.path === "" ? because : `${place.path}: ${because}` });
}

/** Fail with `expected WHAT, got VALUE`. */
export function expected(place: JsonPlace, what: string): never {
  return fail(place, `expected ${what}, got ${describe(place.value)}`);
}

const MAX_SHOWN = 60;

function describe(value: unknown): string {
  if (value === undefined) return "nothing";
  if (Array.isArray(value)) return "a list";
  if (typeof value === "object" && value !== null) return "an object";
  if (typeof value === "bigint") return String(value);
  const text = JSON.stringify(value);
  return text.length > MAX_SHOWN ? `${text.slice(0, MAX_SHOWN)}…` : text;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

export function readObject(place: JsonPlace): Record<string, unknown> {
  return isObject(place.value) ? place.value : expected(place, "an object");
}

/** The place of a member of an object; its value is undefined where there is none. */
export function member(place: JsonPlace, key: string): JsonPlace {
  const object = readObject(place);
  const path = place.path === "" ? key : `${place.path}.${key}`;
  return { value: Object.hasOwn(object, key) ? object[key] : undefined, path, document: place.document };
}

export function isAbsent(place: JsonPlace): boolean {
  return place.value === undefined || place.value === null;
}

/** `{ [key]: value }` where the member is there, `{}` where it is not: to be spread into an object with optional members. */
export function optional<K extends string, T>(place: JsonPlace, key: K, read: Reader<T>): { readonly [P in K]?: T } {
  const inner = member(place, key);
  if (isAbsent(inner)) return {};
  const result: { [P in K]?: T } = {};
  result[key] = read(inner);
  return result;
}

/** A string without NUL, which no path, name or environment entry can carry. */
export function readString(place: JsonPlace): string {
  if (typeof place.value !== "string") return expected(place, "a string");
  return place.value.includes("\0") ? expected(place, "a string without NUL") : place.value;
}

export function readBoolean(place: JsonPlace): boolean {
  return typeof place.value === "boolean" ? place.value : expected(place, "true or false");
}

/** An integer that a JavaScript number holds exactly. */
export function readInteger(place: JsonPlace, min = 0, max = Number.MAX_SAFE_INTEGER): number {
  const { value } = place;
  if (typeof value === "number" && Number.isSafeInteger(value) && value >= min && value <= max) return value;
  return expected(place, max === Number.MAX_SAFE_INTEGER ? `an integer ≥ ${min}` : `an integer from ${min} to ${max}`);
}

/** An integer up to 64 bits; a bigint only where a number would not be exact. */
export function readInteger64(place: JsonPlace, min: bigint, max: bigint): number | bigint {
  const { value } = place;
  const isInteger = typeof value === "bigint" || (typeof value === "number" && Number.isSafeInteger(value));
  if (isInteger && value >= min && value <= max) return value;
  return expected(place, `an integer from ${min} to ${max}`);
}

/** One of the words that there are. */
export function readOneOf<T extends string>(place: JsonPlace, words: readonly T[]): T {
  return words.find((word) => word === place.value) ?? expected(place, `one of ${words.join(", ")}`);
}

export function readArray<T>(place: JsonPlace, read: Reader<T>, maxItems = 10_000): T[] {
  if (!Array.isArray(place.value)) return expected(place, "a list");
  const items: readonly unknown[] = place.value;
  if (items.length > maxItems) return fail(place, `it has ${items.length} items; at most ${maxItems} are accepted`);
  return items.map((value, index) => read({ value, path: `${place.path}[${index}]`, document: place.document }));
}

export function readStrings(place: JsonPlace): string[] {
  return readArray(place, readString);
}

/** An object as a map. Built with `fromEntries`, so that a member `__proto__` stays a member. */
export function readMap<T>(place: JsonPlace, read: Reader<T>, maxMembers = 10_000): Record<string, T> {
  const keys = Object.keys(readObject(place));
  if (keys.length > maxMembers) return fail(place, `it has ${keys.length} members; at most ${maxMembers} are accepted`);
  return Object.fromEntries(keys.map((key) => [key, read(member(place, key))]));
}

export function readStringMap(place: JsonPlace): Record<string, string> {
  return readMap(place, readString);
}
