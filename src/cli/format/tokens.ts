/** A template as text and the words of its actions (Go, text/template "Text and spaces" and "Arguments"). */
import { DevboxError } from "../../core/errors.ts";

export type Token =
  | { readonly kind: "text"; readonly text: string; readonly column: number }
  | { readonly kind: "action"; readonly words: readonly Word[]; readonly column: number };

export interface Word {
  /** "field" is `.Name`, "variable" is `$name`; "symbol" is one of `( ) | , := =`, and `.` alone. */
  readonly kind: "field" | "variable" | "name" | "string" | "number" | "symbol";
  /** Without its dot, its dollar, its quotes. */
  readonly text: string;
  /** In the whole template, from 1. */
  readonly column: number;
  /** Nothing stands between it and the word before: `.A.B` is one operand, `.A .B` are two. */
  readonly joined: boolean;
}

/** @throws DevboxError USAGE that names the column. */
export function templateError(source: string, column: number, because: string): DevboxError {
  return new DevboxError("USAGE", {
    step: `read --format ${JSON.stringify(source)}`,
    because: `column ${column}: ${because}`,
    hint: "a format is json, table TEMPLATE or TEMPLATE, with fields in double braces: '{{.ID}} {{.Names}}'",
  });
}

/** `{{- ` takes the white space before it away, ` -}}` what follows; `{{/* … *\/}}` is a comment. */
export function tokenize(source: string): Token[] {
  const tokens: Token[] = [];
  let at = 0;
  let trimNext = false;
  while (at < source.length) {
    const open = source.indexOf("{{", at);
    const end = open === -1 ? source.length : open;
    const trims = open !== -1 && /^\{\{-\s/.test(source.slice(open, open + 4));
    let text = source.slice(at, end);
    if (trimNext) text = text.trimStart();
    if (trims) text = text.trimEnd();
    if (text !== "") tokens.push({ kind: "text", text, column: at + 1 });
    if (open === -1) break;
    const action = readAction(source, open, trims ? open + 3 : open + 2);
    if (action.words !== undefined) tokens.push({ kind: "action", words: action.words, column: open + 1 });
    trimNext = action.trims;
    at = action.end;
  }
  return tokens;
}

interface Action {
  /** undefined: a comment. */
  readonly words: readonly Word[] | undefined;
  readonly end: number;
  readonly trims: boolean;
}

const comment = /\s*\/\*[\s\S]*?\*\/(\s-)?\}\}/y;

function readAction(source: string, open: number, start: number): Action {
  comment.lastIndex = start;
  const skipped = comment.exec(source);
  if (skipped !== null) return { words: undefined, end: comment.lastIndex, trims: skipped[1] !== undefined };
  const words: Word[] = [];
  let at = start;
  for (;;) {
    const space = /^\s*/.exec(source.slice(at))?.[0].length ?? 0;
    at += space;
    const rest = source.slice(at);
    if (rest.startsWith("}}")) return { words, end: at + 2, trims: false };
    if (space > 0 && rest.startsWith("-}}")) return { words, end: at + 3, trims: true };
    if (rest === "") throw templateError(source, open + 1, "the action is not closed: }} is missing");
    const word = readWord(source, at, words.length > 0 && space === 0);
    words.push(word.word);
    at += word.length;
  }
}

const patterns: readonly (readonly [Word["kind"], RegExp])[] = [
  ["number", /^[+-]?\d+(?:\.\d+)?/],
  ["field", /^\.([A-Za-z_]\w*)/],
  ["variable", /^\$(\w*)/],
  ["name", /^([A-Za-z_]\w*)/],
  ["symbol", /^(:=|[().|,=])/],
  ["string", /^("(?:[^"\\\n]|\\.)*"|`[^`]*`|'(?:[^'\\\n]|\\.)')/],
];

function readWord(source: string, at: number, joined: boolean): { readonly word: Word; readonly length: number } {
  const rest = source.slice(at);
  for (const [kind, pattern] of patterns) {
    const match = pattern.exec(rest);
    if (match === null) continue;
    const text = kind === "string" ? unquote(source, match[0], at + 1) : (match[1] ?? match[0]);
    return { word: { kind, text, column: at + 1, joined }, length: match[0].length };
  }
  const because = /^["'`]/.test(rest)
    ? "the quoted text has no end"
    : `${JSON.stringify(rest[0])} is not expected here`;
  throw templateError(source, at + 1, because);
}

/** Go's strings have the escapes of JSON, and some more that nobody types. */
function unquote(source: string, literal: string, column: number): string {
  if (literal.startsWith("`")) return literal.slice(1, -1);
  try {
    const text: unknown = JSON.parse(
      literal.startsWith("'") ? `"${literal.slice(1, -1)}"` : literal.replaceAll("\t", "\\t"),
    );
    return String(text);
  } catch {
    throw templateError(source, column, "the quoted text has an escape that is not known");
  }
}
