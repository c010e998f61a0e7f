/**
 * What a template sees: plain data with Go's distinction between a struct, whose fields are known, and a map, whose keys
 * are not: `.Nmae` is a slip in the first and simply absent in the second. Structs are objects here, maps are Maps.
 */

export type Value = Scalar | readonly Value[] | ValueMap | Fields | Method;
type Scalar = string | number | boolean | null | undefined;
export interface ValueMap extends ReadonlyMap<string, Value> {}
export interface Fields {
  readonly [name: string]: Value;
}
/** A field that takes arguments: `{{.Label "project"}}`. */
export type Method = (...args: readonly Value[]) => Value;

export function isList(value: Value): value is readonly Value[] {
  return Array.isArray(value);
}

export function isMap(value: Value): value is ValueMap {
  return value instanceof Map;
}

export function isFields(value: Value): value is Fields {
  return typeof value === "object" && value !== null && !isList(value) && !isMap(value);
}

/** Data of any type of ours as a value; interfaces of TypeScript have no index signature, hence this. */
export function toValue(data: unknown): Value {
  if (data === null || data === undefined) return null;
  if (typeof data === "function") return (...args) => toValue(data(...args));
  if (typeof data === "string" || typeof data === "number" || typeof data === "boolean") return data;
  if (Array.isArray(data)) return data.map(toValue);
  if (data instanceof Map) return new Map([...data].map(([key, value]) => [String(key), toValue(value)]));
  if (typeof data === "object") return fieldsOf(data);
  return String(data);
}

function fieldsOf(data: object): Fields {
  const entries = Object.entries(data).filter(([, value]) => value !== undefined);
  return Object.fromEntries(entries.map(([name, value]) => [name, toValue(value)]));
}

/** JSON as Go writes it: maps as objects with their keys in order; methods are no data. */
export function toJson(value: Value, indent?: number): string {
  return JSON.stringify(value, (_, inner: unknown) => (inner instanceof Map ? sortedObject(inner) : inner), indent);
}

function sortedObject(map: ReadonlyMap<string, unknown>): object {
  return Object.fromEntries([...map].sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** text/template "Actions": false, 0, nil, and whatever is empty, are false. */
export function isTrue(value: Value): boolean {
  if (isList(value)) return value.length > 0;
  if (isMap(value)) return value.size > 0;
  return Boolean(value);
}

/** As Go's `%v`. */
export function printed(value: Value): string {
  if (value === null || value === undefined) return "<no value>";
  if (isList(value)) return `[${value.map(printedInside).join(" ")}]`;
  if (isMap(value)) {
    const entries = [...value].sort(([a], [b]) => (a < b ? -1 : 1));
    return `map[${entries.map(([key, inner]) => `${key}:${printedInside(inner)}`).join(" ")}]`;
  }
  if (isFields(value)) return `{${Object.values(value).map(printedInside).join(" ")}}`;
  return typeof value === "function" ? printed(value()) : String(value);
}

function printedInside(value: Value): string {
  return value === null || value === undefined ? "<nil>" : printed(value);
}

/** What a value is, for messages. */
export function kindOf(value: Value): string {
  if (value === null || value === undefined) return "nothing";
  if (isList(value)) return "a list";
  if (isMap(value)) return "a map";
  if (isFields(value)) return "a structure";
  return typeof value === "function" ? "a method" : `a ${typeof value}`;
}
