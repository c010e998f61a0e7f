/** The words of a template as a tree (Go, text/template "Actions" and "Pipelines"). */
import { type Token, templateError, tokenize, type Word } from "./tokens.ts";

export type Node =
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "print"; readonly pipeline: Pipeline }
  | { readonly kind: "if" | "with"; readonly pipeline: Pipeline; readonly body: Template; readonly otherwise: Template }
  | { readonly kind: "range"; readonly pipeline: Pipeline; readonly body: Template; readonly otherwise: Template }
  | { readonly kind: "leave"; readonly how: "break" | "continue" };

export type Template = readonly Node[];

export interface Pipeline {
  /** Variables that get its value: in a range, the last one the element and the one before the key. */
  readonly variables: readonly string[];
  /** `:=` makes the variables, `=` changes them. */
  readonly declares: boolean;
  readonly commands: readonly Command[];
  readonly column: number;
}

/** A function or method with its arguments, or one operand. */
export interface Command {
  readonly operands: readonly Operand[];
}

export interface Operand {
  readonly base:
    | { readonly kind: "dot" }
    | { readonly kind: "variable"; readonly name: string }
    | { readonly kind: "literal"; readonly value: string | number | boolean | null }
    | { readonly kind: "function"; readonly name: string }
    | { readonly kind: "group"; readonly pipeline: Pipeline };
  /** `.A.B` behind it. */
  readonly fields: readonly string[];
  readonly column: number;
}

interface Reader {
  readonly source: string;
  readonly tokens: readonly Token[];
  at: number;
}

/** @throws DevboxError USAGE that names the column. */
export function parseTemplate(source: string): Template {
  const reader: Reader = { source, tokens: tokenize(source), at: 0 };
  const { nodes, end } = readNodes(reader, 0);
  if (end !== undefined) throw templateError(source, end.column, `{{${end.name}}} has nothing to belong to`);
  return nodes;
}

/** What ended a list of nodes: `end` or `else`, with what follows the word. */
interface End {
  readonly name: "end" | "else";
  readonly rest: readonly Word[];
  readonly column: number;
}

function readNodes(reader: Reader, loops: number): { readonly nodes: Node[]; readonly end: End | undefined } {
  const nodes: Node[] = [];
  for (let token = reader.tokens[reader.at]; token !== undefined; token = reader.tokens[reader.at]) {
    reader.at += 1;
    if (token.kind === "text") {
      nodes.push({ kind: "text", text: token.text });
      continue;
    }
    const [first, ...rest] = token.words;
    if (first === undefined) throw templateError(reader.source, token.column, "the action is empty");
    if (first.kind === "name" && (first.text === "end" || first.text === "else")) {
      return { nodes, end: { name: first.text, rest, column: token.column } };
    }
    nodes.push(readNode(reader, token.words, token.column, loops));
  }
  return { nodes, end: undefined };
}

const unsupported: readonly string[] = ["define", "template", "block"];

function readNode(reader: Reader, words: readonly Word[], column: number, loops: number): Node {
  const [first, ...rest] = words;
  const name = first?.kind === "name" ? first.text : undefined;
  if (name === "if" || name === "with" || name === "range") return readBlock(reader, name, rest, column, loops);
  if (name === "break" || name === "continue") {
    if (loops === 0) throw templateError(reader.source, column, `{{${name}}} stands outside of a range`);
    return { kind: "leave", how: name };
  }
  if (name !== undefined && unsupported.includes(name))
    throw templateError(reader.source, column, `{{${name}}} is not supported`);
  return { kind: "print", pipeline: readPipeline(reader.source, words, column) };
}

function readBlock(
  reader: Reader,
  name: "if" | "with" | "range",
  words: readonly Word[],
  column: number,
  loops: number,
): Node {
  const pipeline = readPipeline(reader.source, words, column);
  const body = readNodes(reader, name === "range" ? loops + 1 : loops);
  const otherwise = readOtherwise(reader, body.end, name, column, loops);
  if (name === "range") return { kind: name, pipeline, body: body.nodes, otherwise };
  return { kind: name, pipeline, body: body.nodes, otherwise };
}

function readOtherwise(reader: Reader, end: End | undefined, name: string, column: number, loops: number): Template {
  if (end === undefined) throw templateError(reader.source, column, `{{${name}}} has no {{end}}`);
  if (end.name === "end") return [];
  const [next, ...rest] = end.rest;
  if (next !== undefined) {
    if (next.kind === "name" && (next.text === "if" || next.text === "with") && next.text === name)
      return [readBlock(reader, next.text, rest, next.column, loops)];
    throw templateError(
      reader.source,
      next.column,
      `{{else}} is followed by ${name === "range" ? "nothing" : name}, or nothing`,
    );
  }
  const otherwise = readNodes(reader, loops);
  if (otherwise.end?.name !== "end") throw templateError(reader.source, column, `{{${name}}} has no {{end}}`);
  return otherwise.nodes;
}

function readPipeline(source: string, words: readonly Word[], column: number): Pipeline {
  const { variables, declares, rest } = readVariables(words);
  const reader: WordReader = { source, words: rest, at: 0 };
  const commands = readCommands(reader, column);
  const surplus = rest[reader.at];
  if (surplus !== undefined) throw templateError(source, surplus.column, `${surplus.text} is not expected here`);
  return { variables, declares, commands, column };
}

/** `$x :=`, `$key, $value :=`, `$x =`. */
function readVariables(words: readonly Word[]) {
  const sign = words.findIndex(({ kind, text }) => kind === "symbol" && (text === ":=" || text === "="));
  const names = words.slice(0, Math.max(sign, 0)).filter(({ kind }) => kind === "variable");
  if (sign < 1 || names.length * 2 - 1 !== sign || names.length > 2)
    return { variables: [], declares: false, rest: words };
  return {
    variables: names.map(({ text }) => text),
    declares: words[sign]?.text === ":=",
    rest: words.slice(sign + 1),
  };
}

interface WordReader {
  readonly source: string;
  readonly words: readonly Word[];
  at: number;
}

function isSymbol(word: Word | undefined, text: string): boolean {
  return word?.kind === "symbol" && word.text === text;
}

function readCommands(reader: WordReader, column: number): Command[] {
  const commands: Command[] = [];
  for (;;) {
    const operands: Operand[] = [];
    for (let next = reader.words[reader.at]; startsOperand(next); next = reader.words[reader.at]) {
      operands.push(readOperand(reader, next));
    }
    if (operands.length === 0) {
      const where = reader.words[reader.at]?.column ?? reader.words.at(-1)?.column ?? column;
      throw templateError(reader.source, where, "a value is missing");
    }
    commands.push({ operands });
    if (!isSymbol(reader.words[reader.at], "|")) return commands;
    reader.at += 1;
  }
}

function startsOperand(word: Word | undefined): word is Word {
  return word !== undefined && (word.kind !== "symbol" || word.text === "(" || word.text === ".");
}

function readOperand(reader: WordReader, word: Word): Operand {
  const base = readBase(reader, word);
  const fields: string[] = word.kind === "field" ? [word.text] : [];
  for (let next = reader.words[reader.at]; next?.kind === "field" && next.joined; next = reader.words[reader.at]) {
    fields.push(next.text);
    reader.at += 1;
  }
  return { base, fields, column: word.column };
}

const constants: ReadonlyMap<string, boolean | null> = new Map([
  ["true", true],
  ["false", false],
  ["nil", null],
]);

function readBase(reader: WordReader, word: Word): Operand["base"] {
  reader.at += 1;
  switch (word.kind) {
    case "field":
      return { kind: "dot" };
    case "variable":
      return { kind: "variable", name: word.text };
    case "string":
      return { kind: "literal", value: word.text };
    case "number":
      return { kind: "literal", value: Number(word.text) };
    case "name": {
      const constant = constants.get(word.text);
      return constant === undefined ? { kind: "function", name: word.text } : { kind: "literal", value: constant };
    }
    case "symbol":
      return word.text === "." ? { kind: "dot" } : readGroup(reader, word.column);
  }
}

function readGroup(reader: WordReader, column: number): Operand["base"] {
  const commands = readCommands(reader, column);
  if (!isSymbol(reader.words[reader.at], ")"))
    throw templateError(reader.source, column, "the parenthesis is not closed");
  reader.at += 1;
  return { kind: "group", pipeline: { variables: [], declares: false, commands, column } };
}
