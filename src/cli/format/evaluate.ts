/** A template on a value: text. */

import { templateFunctions } from "./functions.ts";
import type { Command, Node, Operand, Pipeline, Template } from "./parse.ts";
import { templateError } from "./tokens.ts";
import { isFields, isList, isMap, isTrue, kindOf, printed, type Value } from "./value.ts";

/** Variables of one block; those of the blocks around it are found through `outer`. */
interface Scope {
  readonly values: Map<string, Value>;
  readonly outer: Scope | undefined;
}

interface Evaluation {
  readonly source: string;
  readonly dot: Value;
  readonly scope: Scope;
}

/**
 * @param source the text of the template, for errors
 * @throws DevboxError USAGE that names the column
 */
export function evaluate(source: string, template: Template, root: Value): string {
  const out: string[] = [];
  run({ source, dot: root, scope: { values: new Map([["", root]]), outer: undefined } }, template, out);
  return out.join("");
}

type Leaving = "break" | "continue" | undefined;

function run(at: Evaluation, nodes: Template, out: string[]): Leaving {
  for (const node of nodes) {
    const leaving = runNode(at, node, out);
    if (leaving !== undefined) return leaving;
  }
  return undefined;
}

function inner(at: Evaluation, dot: Value): Evaluation {
  return { source: at.source, dot, scope: { values: new Map(), outer: at.scope } };
}

function runNode(at: Evaluation, node: Node, out: string[]): Leaving {
  switch (node.kind) {
    case "text":
      out.push(node.text);
      return undefined;
    case "leave":
      return node.how;
    case "print": {
      const value = pipelineValue(at, node.pipeline);
      if (node.pipeline.variables.length === 0) out.push(printed(value));
      else assign(at, node.pipeline, [value]);
      return undefined;
    }
    case "range":
      return runRange(at, node, out);
    default: {
      const block = inner(at, at.dot);
      const value = pipelineValue(block, node.pipeline);
      assign(block, node.pipeline, [value]);
      if (!isTrue(value)) return run(block, node.otherwise, out);
      return run(node.kind === "with" ? { ...block, dot: value } : block, node.body, out);
    }
  }
}

function runRange(at: Evaluation, node: Extract<Node, { kind: "range" }>, out: string[]): Leaving {
  const elements = elementsOf(at, node.pipeline, pipelineValue(at, node.pipeline));
  if (elements.length === 0) return run(inner(at, at.dot), node.otherwise, out);
  for (const [key, value] of elements) {
    const turn = inner(at, value);
    assign(turn, node.pipeline, node.pipeline.variables.length === 2 ? [key, value] : [value]);
    if (run(turn, node.body, out) === "break") break;
  }
  return undefined;
}

function elementsOf(at: Evaluation, { column }: Pipeline, value: Value): (readonly [Value, Value])[] {
  if (value === null || value === undefined) return [];
  if (isList(value)) return value.map((element, index) => [index, element] as const);
  if (isMap(value)) return [...value].sort(([a], [b]) => (a < b ? -1 : 1));
  if (typeof value === "number") return Array.from({ length: value }, (_, index) => [index, index] as const);
  throw templateError(at.source, column, `range wants a list or a map, not ${kindOf(value)}`);
}

function assign(at: Evaluation, { variables, declares, column }: Pipeline, values: readonly Value[]): void {
  for (const [index, name] of variables.entries()) {
    const scope = declares ? at.scope : scopeOf(at.scope, name);
    if (scope === undefined) throw templateError(at.source, column, `there is no variable $${name}`);
    scope.values.set(name, values[index]);
  }
}

function scopeOf(scope: Scope | undefined, name: string): Scope | undefined {
  return scope === undefined || scope.values.has(name) ? scope : scopeOf(scope.outer, name);
}

function pipelineValue(at: Evaluation, { commands }: Pipeline): Value {
  let value: Value;
  for (const [index, command] of commands.entries()) value = call(at, command, index === 0 ? [] : [value]);
  return value;
}

/** The value of the command before comes last among the arguments. */
function call(at: Evaluation, { operands }: Command, piped: readonly Value[]): Value {
  const [head, ...rest] = operands;
  if (head === undefined) return undefined;
  if (head.base.kind === "function" && (head.base.name === "and" || head.base.name === "or"))
    return choose(at, head, rest, piped);
  const args = [...rest.map((operand) => operandValue(at, operand)), ...piped];
  const target = operandTarget(at, head);
  if (typeof target !== "function") {
    if (args.length > 0) throw templateError(at.source, head.column, `${kindOf(target)} takes no arguments`);
    return target;
  }
  try {
    return target(...args);
  } catch (error) {
    throw templateError(at.source, head.column, error instanceof Error ? error.message : String(error));
  }
}

/** The first argument that decides; later ones are not looked at. */
function choose(at: Evaluation, head: Operand, rest: readonly Operand[], piped: readonly Value[]): Value {
  const isAnd = head.base.kind === "function" && head.base.name === "and";
  const parts: (() => Value)[] = [
    ...rest.map((operand) => () => operandValue(at, operand)),
    ...piped.map((v) => () => v),
  ];
  if (parts.length === 0) throw templateError(at.source, head.column, "and, or want an argument");
  let value: Value;
  for (const part of parts) {
    value = part();
    if (isTrue(value) !== isAnd) break;
  }
  return value;
}

/** An operand that stands for itself: methods and functions without arguments are called. */
function operandValue(at: Evaluation, operand: Operand): Value {
  const target = operandTarget(at, operand);
  return typeof target === "function" ? call(at, { operands: [operand] }, []) : target;
}

function operandTarget(at: Evaluation, operand: Operand): Value {
  let value = baseOf(at, operand);
  for (const name of operand.fields) value = fieldOf(at, operand, value, name);
  return value;
}

function baseOf(at: Evaluation, { base, column }: Operand): Value {
  switch (base.kind) {
    case "dot":
      return at.dot;
    case "literal":
      return base.value;
    case "group":
      return pipelineValue(at, base.pipeline);
    case "variable": {
      const scope = scopeOf(at.scope, base.name);
      if (scope === undefined) throw templateError(at.source, column, `there is no variable $${base.name}`);
      return scope.values.get(base.name);
    }
    case "function": {
      const found = Object.hasOwn(templateFunctions, base.name) ? templateFunctions[base.name] : undefined;
      if (found === undefined) throw templateError(at.source, column, `there is no function "${base.name}"`);
      return found;
    }
  }
}

function fieldOf(at: Evaluation, { column }: Operand, value: Value, name: string): Value {
  const of = typeof value === "function" ? value() : value;
  if (isMap(of)) return of.get(name);
  if (of === null || of === undefined)
    throw templateError(at.source, column, `there is no value to take .${name} from`);
  if (!isFields(of)) throw templateError(at.source, column, `${kindOf(of)} has no field .${name}`);
  if (Object.hasOwn(of, name)) return of[name];
  const names = Object.keys(of);
  const known = names.length <= 40 ? `; there are ${names.map((each) => `.${each}`).join(", ")}` : "";
  throw templateError(at.source, column, `there is no field .${name}${known}`);
}
