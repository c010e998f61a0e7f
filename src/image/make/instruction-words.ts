/**
 * Words of Dockerfile instructions as docker's builder reads them (docs.docker.com, Dockerfile reference, "Environment
 * replacement"): quotes as in a shell, backslashes, and `$NAME`, `${NAME}`, `${NAME:-word}`, `${NAME:+word}`.
 */

/** The value of a variable; undefined: it is not set. */
export type Variables = (name: string) => string | undefined;

/** Words between blanks, with their quotes and backslashes, which `expand` takes away. */
export function splitWords(text: string): readonly string[] {
  return text.match(/(?:\\.|'[^']*'|"(?:\\.|[^"\\])*"|[^\s])+/gs) ?? [];
}

/**
 * What a word means: without its quotes, with the values of its variables.
 * @throws Error in words, where a quote or a brace is not closed
 */
export function expand(word: string, variables: Variables): string {
  const reader = { text: word, at: 0 };
  return readUntil(reader, undefined, variables);
}

interface Reader {
  readonly text: string;
  at: number;
}

/** Up to `end`, which is read too; undefined: up to the end of the text. */
function readUntil(reader: Reader, end: "}" | undefined, variables: Variables): string {
  let result = "";
  while (reader.at < reader.text.length) {
    const char = reader.text.charAt(reader.at++);
    if (char === end) return result;
    if (char === "'") result += readSingle(reader);
    else if (char === '"') result += readDouble(reader, variables);
    else if (char === "\\") result += reader.text.charAt(reader.at++);
    else if (char === "$") result += readVariable(reader, variables);
    else result += char;
  }
  if (end !== undefined) throw new Error("a brace is not closed");
  return result;
}

function readSingle(reader: Reader): string {
  const close = reader.text.indexOf("'", reader.at);
  if (close < 0) throw new Error("a quote is not closed");
  const content = reader.text.slice(reader.at, close);
  reader.at = close + 1;
  return content;
}

/** A backslash counts only before what would mean something. */
function readDouble(reader: Reader, variables: Variables): string {
  let result = "";
  while (reader.at < reader.text.length) {
    const char = reader.text.charAt(reader.at++);
    if (char === '"') return result;
    if (char === "$") result += readVariable(reader, variables);
    else if (char === "\\" && /^["$\\]/.test(reader.text.slice(reader.at))) result += reader.text.charAt(reader.at++);
    else result += char;
  }
  throw new Error("a quote is not closed");
}

function readVariable(reader: Reader, variables: Variables): string {
  const isBraced = reader.text.charAt(reader.at) === "{";
  if (isBraced) reader.at += 1;
  const name = /^(?:[A-Za-z_][A-Za-z0-9_]*|[0-9])/.exec(reader.text.slice(reader.at))?.[0];
  if (name === undefined) {
    if (isBraced) throw new Error("${ is followed by no name");
    return "$";
  }
  reader.at += name.length;
  const value = variables(name);
  return isBraced ? readModifier(reader, name, value, variables) : (value ?? "");
}

/** As a shell has it, an empty value counts as none where there is a colon. */
function readModifier(reader: Reader, name: string, value: string | undefined, variables: Variables): string {
  const modifier = /^(?:\}|:?[-+])/.exec(reader.text.slice(reader.at))?.[0];
  if (modifier === undefined) throw new Error(`\${${name} is followed by what is neither }, :- nor :+`);
  reader.at += modifier.length;
  if (modifier === "}") return value ?? "";
  const word = readUntil(reader, "}", variables);
  const isSet = modifier.startsWith(":") ? value !== undefined && value !== "" : value !== undefined;
  if (modifier.endsWith("+")) return isSet ? word : "";
  return isSet ? (value ?? "") : word;
}
