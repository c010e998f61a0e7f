/** Functions of templates: those of Go's text/template that serve here, and docker's (docker/cli, templates/templates.go). */
import { isFields, isList, isMap, isTrue, kindOf, printed, toJson, type Value } from "./value.ts";

/** Throws an Error whose message says what is wrong with the arguments. */
type TemplateFunction = (...args: readonly Value[]) => Value;

export const templateFunctions: Readonly<Record<string, TemplateFunction>> = {
  json: (value) => toJson(value),
  prettyjson: (value) => toJson(value, 2),
  join: (list, separator = "") => listOf("join", list).map(printed).join(textOf("join", separator)),
  split: (text, separator) => textOf("split", text).split(textOf("split", separator)),
  lower: (text) => textOf("lower", text).toLowerCase(),
  upper: (text) => textOf("upper", text).toUpperCase(),
  title: (text) =>
    textOf("title", text).replaceAll(
      /(^|[^\p{L}\p{N}_'])(\p{L})/gu,
      (_, before, letter) => before + letter.toUpperCase(),
    ),
  pad: (text, before, after) =>
    text === "" ? "" : " ".repeat(numberOf("pad", before)) + textOf("pad", text) + " ".repeat(numberOf("pad", after)),
  truncate: (text, length) => textOf("truncate", text).slice(0, numberOf("truncate", length)),
  print: (...values) => values.map(printed).join(" "),
  println: (...values) => `${values.map(printed).join(" ")}\n`,
  printf: (format, ...values) => formatted(textOf("printf", format), values),
  len: (value) => lengthOf(value),
  index: (value, ...keys) => keys.reduce((inner, key) => elementOf(inner, key), value),
  slice: (value, from = 0, to) =>
    sliceOf(value, numberOf("slice", from), to === undefined ? undefined : numberOf("slice", to)),
  not: (value) => !isTrue(value),
  eq: (first, ...others) => others.some((other) => isEqual(first, other)),
  ne: (first, second) => !isEqual(first, second),
  lt: (first, second) => compare(first, second) < 0,
  le: (first, second) => compare(first, second) <= 0,
  gt: (first, second) => compare(first, second) > 0,
  ge: (first, second) => compare(first, second) >= 0,
};

function textOf(name: string, value: Value): string {
  if (typeof value === "string") return value;
  throw new Error(`${name} wants a text, not ${kindOf(value)}`);
}

function numberOf(name: string, value: Value): number {
  if (typeof value === "number" && Number.isInteger(value) && value >= 0) return value;
  throw new Error(`${name} wants a whole number, not ${kindOf(value)}`);
}

function listOf(name: string, value: Value): readonly Value[] {
  if (value === null || value === undefined) return [];
  if (isList(value)) return value;
  throw new Error(`${name} wants a list, not ${kindOf(value)}`);
}

function lengthOf(value: Value): number {
  if (typeof value === "string") return Buffer.byteLength(value);
  if (isMap(value)) return value.size;
  return listOf("len", value).length;
}

function elementOf(value: Value, key: Value): Value {
  if (isMap(value)) return value.get(textOf("index", key)) ?? "";
  if (isFields(value)) return value[textOf("index", key)] ?? "";
  const list = listOf("index", value);
  const index = numberOf("index", key);
  if (index < list.length) return list[index];
  throw new Error(`index ${index} is beyond the end: there are ${list.length}`);
}

function sliceOf(value: Value, from: number, to: number | undefined): Value {
  return typeof value === "string" ? value.slice(from, to) : listOf("slice", value).slice(from, to);
}

function isEqual(first: Value, second: Value): boolean {
  if (isList(first) || isMap(first) || isFields(first)) throw new Error(`${kindOf(first)} cannot be compared`);
  return (first ?? null) === (second ?? null);
}

function compare(first: Value, second: Value): number {
  if (typeof first === "number" && typeof second === "number") return first - second;
  if (typeof first === "string" && typeof second === "string") return first < second ? -1 : first > second ? 1 : 0;
  throw new Error(`${kindOf(first)} and ${kindOf(second)} cannot be compared`);
}

/** The verbs of Go's fmt that fit: %s %v %d %q %x %t %%, with a width and `-`. */
function formatted(format: string, values: readonly Value[]): string {
  const rest = [...values];
  return format.replaceAll(
    /%(-?)(0?)(\d*)([svdqxt%])/g,
    (_, left: string, zero: string, width: string, verb: string) => {
      if (verb === "%") return "%";
      const value = rest.shift();
      const text =
        verb === "q" ? JSON.stringify(printed(value)) : verb === "x" ? Number(value).toString(16) : printed(value);
      const fill = zero === "0" && left === "" ? "0" : " ";
      return left === "-" ? text.padEnd(Number(width)) : text.padStart(Number(width), fill);
    },
  );
}
